"""Addresses of this room, under the agency's slug."""

from django.urls import path

from forecasting import layer_views, views

app_name = "forecasting"
urlpatterns = [
    path("risk/", views.risk, name="risk"),
    path("risk/forecast/", views.risk_forecast, name="risk_forecast"),
    path("risk/<int:run_id>/<slug:slug>.png", views.risk_png, name="risk_png"),
    path("risk/<int:run_id>/<slug:slug>.csv", views.risk_csv, name="risk_csv"),
    path("risk/<int:run_id>/<slug:slug>.geojson", views.risk_geojson, name="risk_geojson"),
    path("risk/<int:run_id>/<slug:slug>/top.geojson", views.risk_top, name="risk_top"),
    path("risk/<int:run_id>/<slug:slug>/cell/", views.risk_cell, name="risk_cell"),
    path("layers/", layer_views.layer_index, name="layer_index"),
    path("layers/boundary.geojson", layer_views.layer_boundary, name="layer_boundary"),
    path("layers/districts.geojson", layer_views.layer_districts, name="layer_districts"),
    path("layers/beats.geojson", layer_views.layer_beats, name="layer_beats"),
    path("layers/incidents.geojson", layer_views.layer_incidents, name="layer_incidents"),
    path("layers/context/<slug:slug>.geojson", layer_views.layer_context, name="layer_context"),
    path("models/<slug:slug>/", views.model, name="model"),
    path("models/<slug:slug>/<int:number>/hit-rate.svg", views.model_svg, name="model_svg"),
]
