"""Addresses of the officer's page and of tactics, under the agency's slug."""

from django.urls import path

from tactics import curve_pages, fragments, inquiry_pages, optimise_pages, study_files, study_pages, views

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
    path("curves/", curve_pages.curves, name="curves"),
    path("curves/<slug:which>.svg", curve_pages.curves_chart, name="curves_chart"),
    path("optimise/", optimise_pages.optimise, name="optimise"),
    path("optimise/<int:proposal_id>/", optimise_pages.proposal_decision, name="proposal_decision"),
    path("inquiries/<int:inquiry_id>/", inquiry_pages.inquiry_live, name="inquiry_live"),
    path("missions/<int:mission_id>/tactics/", views.mission_tactics, name="mission_tactics"),
    path("studies/", study_pages.studies, name="studies"),
    path("studies/new/", study_pages.study_new, name="study_new"),
    path("studies/<int:study_id>/", study_pages.study, name="study"),
    path("studies/<int:study_id>/edit/", study_pages.study_edit, name="study_edit"),
    path("studies/<int:study_id>/status/", study_pages.study_status, name="study_status"),
    path("studies/<int:study_id>/power/", study_pages.study_power, name="study_power"),
    path("studies/<int:study_id>/freeze/", study_pages.study_freeze_now, name="study_freeze"),
    path("studies/<int:study_id>/cancel/", study_pages.study_cancel_now, name="study_cancel"),
    path("studies/<int:study_id>/run/", study_pages.study_run, name="study_run"),
    path("studies/<int:study_id>/stop/", study_pages.study_stop, name="study_stop"),
    path("studies/<int:study_id>/curves/", curve_pages.study_curves, name="study_curves"),
    path("studies/<int:study_id>/curves.svg", curve_pages.study_curves_chart, name="study_curves_chart"),
    path("studies/<int:study_id>/effect.svg", study_files.effect_chart, name="effect_chart"),
    path("studies/<int:study_id>/report.json", study_files.report_json, name="report_json"),
    path("studies/<int:study_id>/report.csv", study_files.report_csv, name="report_csv"),
    path("studies/<int:study_id>/report.html", study_files.report_html, name="report_html"),
]
