"""Addresses of this room's part of the API, under ``/api/v1/<agency>/``."""

from django.urls import path

from tactics.api import missions, reports

urlpatterns = [
    path("missions/<int:mission_id>/tactics/", missions.MissionTactics.as_view(), name="mission_tactics"),
    path("reports/", reports.Reports.as_view(), name="reports"),
    path("reports/<slug:slug>/", reports.OneReport.as_view(), name="report"),
]
