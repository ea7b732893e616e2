"""Addresses of this room, under the agency's slug."""

from django.urls import path

from ingestion import live_views, views

app_name = "ingestion"
urlpatterns = [
    path("data/", views.data, name="data"),
    path("version.json", live_views.version, name="version"),
    path("alerts.geojson", live_views.alerts, name="alerts"),
]
