"""Addresses of the officer's page and of tactics, under the agency's slug."""

from django.urls import path

from tactics import fragments, inquiry_pages, views

app_name = "tactics"
urlpatterns = [
    path("my/", views.officer, name="officer"),
    path("my/<int:mission_id>/arrive/", views.arrive, name="arrive"),
    path("my/<int:mission_id>/leave/", views.leave, name="leave"),
    path("my/<int:mission_id>/tactic/", views.tactic, name="tactic"),
    path("my/<int:mission_id>/place.geojson", views.place, name="place"),
    path("tactics/choices/", fragments.tactic_choices, name="tactic_choices"),
    path("tactics/sheets/", fragments.sheet_tactics, name="sheet_tactics"),
    path("studies/design/", inquiry_pages.design, name="design"),
    path("studies/design/power.svg", inquiry_pages.design_chart, name="design_chart"),
    path("inquiries/<int:inquiry_id>/", inquiry_pages.inquiry_live, name="inquiry_live"),
    path("missions/<int:mission_id>/tactics/", views.mission_tactics, name="mission_tactics"),
]
