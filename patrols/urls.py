"""Addresses of the shift map, under the agency's slug."""

from django.urls import path

from patrols import (
    decision_pages,
    dosage_pages,
    exports,
    live_views,
    notice_pages,
    plan_page,
    roster_page,
    views,
)

app_name = "patrols"
urlpatterns = [
    path("shifts/", views.board_now, name="board_now"),
    path("shifts/go/", views.board_go, name="board_go"),
    path("shifts/compare/", views.compare, name="compare"),
    path("shifts/<str:on>/<slug:shift_slug>/", views.board, name="board"),
    path("shifts/<str:on>/<slug:shift_slug>/list/", views.board_list, name="board_list"),
    path("shifts/<str:on>/<slug:shift_slug>/plan/", views.board_plan, name="board_plan"),
    path("shifts/<str:on>/<slug:shift_slug>/plan.geojson", views.plan_geojson, name="plan_geojson"),
    path("shifts/<str:on>/<slug:shift_slug>/print/", views.print_sheets, name="print"),
    path("shifts/<str:on>/<slug:shift_slug>/decide/", decision_pages.decide, name="decide"),
    path("plans/<int:plan_id>/dismiss/", decision_pages.dismiss, name="dismiss"),
    path("notices/", notice_pages.notices, name="notices"),
    path("shifts/<str:on>/<slug:shift_slug>/version.json", live_views.version, name="version"),
    path("shifts/<str:on>/<slug:shift_slug>/notes/", views.notes, name="notes"),
    path("shifts/<str:on>/<slug:shift_slug>/hand-over/", views.hand_over, name="hand_over"),
    path("shifts/<str:on>/<slug:shift_slug>/suppress/", views.suppress, name="suppress"),
    path("shifts/<str:on>/<slug:shift_slug>/preview/", views.change_preview, name="change_preview"),
    path(
        "shifts/<str:on>/<slug:shift_slug>/suppressions/<int:row_id>/end/",
        views.suppression_stop,
        name="suppression_stop",
    ),
    path(
        "shifts/<str:on>/<slug:shift_slug>/additions/<int:row_id>/end/",
        views.addition_stop,
        name="addition_stop",
    ),
    path("plans/<int:plan_id>/", plan_page.plan, name="plan"),
    path("plans/<int:plan_id>/publish/", views.publish, name="publish"),
    path("plans/<int:plan_id>/add/", views.add, name="mission_add"),
    path("missions/<int:mission_id>/", views.drawer, name="drawer"),
    path("missions/<int:mission_id>/assign/", views.assign, name="assign"),
    path("missions/<int:mission_id>/withdraw/", views.withdraw, name="withdraw"),
    path("missions/<int:mission_id>/move/", views.move, name="move"),
    path("missions/<int:mission_id>/swap/", views.swap, name="swap"),
    path("missions.csv", exports.missions_csv, name="missions_csv"),
    path("missions.geojson", exports.missions_geojson, name="missions_geojson"),
    path("engagements.csv", exports.engagements_csv, name="engagements_csv"),
    path("engagements.geojson", exports.engagements_geojson, name="engagements_geojson"),
    path("roster/<str:on>/<slug:shift_slug>/", roster_page.roster, name="roster"),
    path("roster/<str:on>/<slug:shift_slug>/copy/", roster_page.roster_copy, name="roster_copy"),
    path("dosage/", dosage_pages.dosage, name="dosage"),
    path("dosage.svg", dosage_pages.dosage_chart, name="dosage_chart"),
    path("dosage.csv", dosage_pages.dosage_csv, name="dosage_csv"),
    path("dosage/completeness/", dosage_pages.completeness, name="completeness"),
    path("dosage/completeness.csv", dosage_pages.completeness_csv, name="completeness_csv"),
    path("crime-types.css", views.type_styles, name="type_styles"),
]
