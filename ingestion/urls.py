"""Addresses of this room, under the agency's slug."""

from django.urls import path

from ingestion import views

app_name = "ingestion"
urlpatterns = [path("data/", views.data, name="data")]
