"""Addresses of the officer's page and of tactics, under the agency's slug."""

from django.urls import path

from tactics import (
    comparison_views,
    curve_pages,
    fragments,
    hunch_views,
    inquiry_pages,
    optimise_pages,
    phone_views,
    practice_views,
    views,
)
from tactics.reports import map_pages, saved_pages
from tactics.reports import pages as reports
from tactics.studies import files as study_files
from tactics.studies import pages as studies
from tactics.transparency import pages as transparency

app_name = "tactics"
urlpatterns = [
    path("my/", views.officer, name="officer"),
    path("my/<int:mission_id>/arrive/", views.arrive, name="arrive"),
    path("my/<int:mission_id>/leave/", views.leave, name="leave"),
    path("my/<int:mission_id>/tactic/", views.tactic, name="tactic"),
    path("my/<int:mission_id>/note/", views.note, name="note"),
    path("my/<int:mission_id>/place.geojson", views.place, name="place"),
    path("tactics/", comparison_views.catalogue, name="catalogue"),
    path("my/sync/", phone_views.sync, name="sync"),
    # In the folder that it serves: a worker reaches no further than its own address.
    path("my/sw.js", phone_views.worker, name="worker"),
    path("my/hunch/", hunch_views.hunch, name="hunch"),
    path("my/hunch/area.geojson", hunch_views.hunch_area, name="hunch_area"),
    path("my/training/", practice_views.practice, name="practice"),
    path("my/training/sync/", phone_views.practice_sync, name="practice_sync"),
    path("my/training/again/", practice_views.practice_again, name="practice_again"),
    path("my/training/<int:number>/place.geojson", practice_views.practice_place, name="practice_place"),
    path(
        "my/training/<int:number>/arrive/",
        practice_views.practice_press,
        {"kind": "arrive"},
        name="practice_arrive",
    ),
    path(
        "my/training/<int:number>/leave/",
        practice_views.practice_press,
        {"kind": "leave"},
        name="practice_leave",
    ),
    path(
        "my/training/<int:number>/tactic/",
        practice_views.practice_press,
        {"kind": "tactic"},
        name="practice_tactic",
    ),
    path(
        "my/training/<int:number>/note/",
        practice_views.practice_press,
        {"kind": "note"},
        name="practice_note",
    ),
    path("officer/guide/", phone_views.guide, name="guide"),
    path("hunches/", hunch_views.hunches, name="hunches"),
    path("hunches/<int:row_id>/", hunch_views.hunch_status, name="hunch_status"),
    path("tactics/choices/", fragments.tactic_choices, name="tactic_choices"),
    path("tactics/sheets/", fragments.sheet_tactics, name="sheet_tactics"),
    path("studies/design/", inquiry_pages.design, name="design"),
    path("studies/design/power.svg", inquiry_pages.design_chart, name="design_chart"),
    path("curves/", curve_pages.curves, name="curves"),
    path("curves/<slug:which>.svg", curve_pages.curves_chart, name="curves_chart"),
    path("optimise/", optimise_pages.optimise, name="optimise"),
    path("optimise/<int:proposal_id>/", optimise_pages.proposal_decision, name="proposal_decision"),
    path("inquiries/<int:inquiry_id>/", inquiry_pages.inquiry_live, name="inquiry_live"),
    path("missions/<int:mission_id>/tactics/", views.mission_tactics, name="mission_tactics"),
    path("reports/", reports.reports, name="reports"),
    path("reports/saved/<int:saved_id>/delete/", saved_pages.report_forget, name="report_forget"),
    path("reports/<slug:slug>/save/", saved_pages.report_save, name="report_save"),
    path("reports/<slug:slug>/", reports.report, name="report"),
    path("reports/<slug:slug>/<slug:chart>.svg", reports.report_chart, name="report_chart"),
    path("reports/<slug:slug>/table.csv", reports.report_csv, name="table_csv"),
    path(
        "reports/<slug:slug>/<slug:table>.geojson",
        map_pages.report_places,
        {"ending": "geojson"},
        name="table_geojson",
    ),
    path(
        "reports/<slug:slug>/<slug:table>.gpkg",
        map_pages.report_places,
        {"ending": "gpkg"},
        name="table_gpkg",
    ),
    path("reports/<slug:slug>/report.xlsx", reports.report_xlsx, name="workbook"),
    path("studies/", studies.studies, name="studies"),
    path("studies/new/", studies.study_new, name="study_new"),
    path("studies/<int:study_id>/", studies.study, name="study"),
    path("studies/<int:study_id>/edit/", studies.study_edit, name="study_edit"),
    path("studies/<int:study_id>/status/", studies.study_status, name="study_status"),
    path("studies/<int:study_id>/power/", studies.study_power, name="study_power"),
    path("studies/<int:study_id>/freeze/", studies.study_freeze_now, name="study_freeze"),
    path("studies/<int:study_id>/cancel/", studies.study_cancel_now, name="study_cancel"),
    path("studies/<int:study_id>/run/", studies.study_run, name="study_run"),
    path("studies/<int:study_id>/stop/", studies.study_stop, name="study_stop"),
    path("studies/<int:study_id>/curves/", curve_pages.study_curves, name="study_curves"),
    path("studies/<int:study_id>/curves.svg", curve_pages.study_curves_chart, name="study_curves_chart"),
    path("studies/<int:study_id>/effect.svg", study_files.effect_chart, name="effect_chart"),
    path("studies/<int:study_id>/report.json", study_files.report_json, name="report_json"),
    path("studies/<int:study_id>/report.csv", study_files.report_csv, name="report_csv"),
    path("studies/<int:study_id>/report.html", study_files.report_html, name="report_html"),
    # Where the agency says so these are for anybody, without signing in.
    path("transparency/", transparency.public_list, name="public_packs"),
    path("transparency/style.css", transparency.public_style, name="public_style"),
    path("transparency/<int:number>/", transparency.public_pack, name="public_pack"),
    path("transparency/<int:number>/pack.json", transparency.public_json, name="public_json"),
    path("transparency/<int:number>/pack.pdf", transparency.public_pdf, name="public_pdf"),
    path("transparency/<int:number>/charts/<slug:chart>.svg", transparency.public_chart, name="public_chart"),
    path("packs/", transparency.packs, name="packs"),
    path("packs/new/", transparency.pack_new, name="pack_new"),
    path("packs/<int:number>/", transparency.pack, name="pack"),
    path("packs/<int:number>/decide/", transparency.pack_decide, name="pack_decide"),
    path("packs/<int:number>/charts/<slug:chart>.svg", transparency.pack_chart, name="pack_chart"),
    path("packs/<int:number>/pack.pdf", transparency.pack_file, name="pack_pdf"),
    path("packs/<int:number>/site.zip", transparency.pack_site, name="pack_site"),
    path(
        "packs/<int:number>/<slug:document>.<slug:ending>", transparency.pack_document, name="pack_document"
    ),
]
