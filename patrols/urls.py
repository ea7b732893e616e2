"""Addresses of the shift map, under the agency's slug."""

from django.urls import path

from patrols import dosage_pages, exports, views

app_name = "patrols"
urlpatterns = [
    path("shifts/", views.board_now, name="board_now"),
    path("shifts/<str:on>/<slug:shift_slug>/", views.board, name="board"),
    path("shifts/<str:on>/<slug:shift_slug>/list/", views.board_list, name="board_list"),
    path("shifts/<str:on>/<slug:shift_slug>/plan/", views.board_plan, name="board_plan"),
    path("shifts/<str:on>/<slug:shift_slug>/plan.geojson", views.plan_geojson, name="plan_geojson"),
    path("shifts/<str:on>/<slug:shift_slug>/print/", views.print_sheets, name="print"),
    path("plans/<int:plan_id>/publish/", views.publish, name="publish"),
    path("plans/<int:plan_id>/add/", views.add, name="mission_add"),
    path("missions/<int:mission_id>/", views.drawer, name="drawer"),
    path("missions/<int:mission_id>/assign/", views.assign, name="assign"),
    path("missions/<int:mission_id>/withdraw/", views.withdraw, name="withdraw"),
    path("missions.csv", exports.missions_csv, name="missions_csv"),
    path("missions.geojson", exports.missions_geojson, name="missions_geojson"),
    path("engagements.csv", exports.engagements_csv, name="engagements_csv"),
    path("engagements.geojson", exports.engagements_geojson, name="engagements_geojson"),
    path("dosage/", dosage_pages.dosage, name="dosage"),
    path("dosage.svg", dosage_pages.dosage_chart, name="dosage_chart"),
    path("dosage.csv", dosage_pages.dosage_csv, name="dosage_csv"),
    path("crime-types.css", views.type_styles, name="type_styles"),
]
