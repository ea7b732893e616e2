"""Addresses of this room, under the agency's slug."""

from django.urls import path

from agencies import audit_pages

app_name = "agencies"
urlpatterns = [
    path("audit-log/", audit_pages.audit_log, name="audit_log"),
    path("audit-log.csv", audit_pages.audit_log_csv, name="audit_log_csv"),
    path("audit-log.jsonl", audit_pages.audit_log_lines, name="audit_log_lines"),
]
