"""Addresses of this room, under the agency's slug."""

from django.urls import path

from ingestion import views
from ingestion.audit import views as audit_views

app_name = "ingestion"
urlpatterns = [
    path("data/", views.data, name="data"),
    path("data/audit-store/", audit_views.tables, name="audit_tables"),
]
