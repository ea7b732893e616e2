"""Addresses of this room, under the agency's slug."""

from django.urls import path  # noqa: F401 - the room's owner adds addresses

app_name = "forecasting"
urlpatterns: list = []
