"""Addresses of the officer's page and of tactics, under the agency's slug."""

from django.urls import path

from tactics import comparison_views, fragments, views
from tactics.reports import pages as reports
from tactics.reports import saved_pages

app_name = "tactics"
urlpatterns = [
    path("my/", views.officer, name="officer"),
    path("my/<int:mission_id>/arrive/", views.arrive, name="arrive"),
    path("my/<int:mission_id>/leave/", views.leave, name="leave"),
    path("my/<int:mission_id>/tactic/", views.tactic, name="tactic"),
    path("my/<int:mission_id>/place.geojson", views.place, name="place"),
    path("tactics/", comparison_views.catalogue, name="catalogue"),
    path("tactics/choices/", fragments.tactic_choices, name="tactic_choices"),
    path("tactics/sheets/", fragments.sheet_tactics, name="sheet_tactics"),
    path("missions/<int:mission_id>/tactics/", views.mission_tactics, name="mission_tactics"),
    path("reports/", reports.reports, name="reports"),
    path("reports/saved/<int:saved_id>/delete/", saved_pages.report_forget, name="report_forget"),
    path("reports/<slug:slug>/save/", saved_pages.report_save, name="report_save"),
    path("reports/<slug:slug>/", reports.report, name="report"),
    path("reports/<slug:slug>/<slug:chart>.svg", reports.report_chart, name="report_chart"),
    path("reports/<slug:slug>/table.csv", reports.report_csv, name="report_csv"),
    path("reports/<slug:slug>/report.xlsx", reports.report_xlsx, name="report_xlsx"),
]
