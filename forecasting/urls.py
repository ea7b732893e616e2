"""Addresses of this room, under the agency's slug."""

from django.urls import path

from forecasting import layer_table_views, layer_views, live_pages, model_views, views

app_name = "forecasting"
MODEL = "models/<slug:slug>/<int:number>"
urlpatterns = [
    path("risk/", views.risk, name="risk"),
    path("risk/forecast/", views.risk_forecast, name="risk_forecast"),
    path("risk/<int:run_id>/<slug:slug>.png", views.risk_png, name="risk_png"),
    path("risk/<int:run_id>/<slug:slug>.csv", views.risk_csv, name="risk_csv"),
    path("risk/<int:run_id>/<slug:slug>.geojson", views.risk_geojson, name="risk_geojson"),
    path("risk/<int:run_id>/<slug:slug>/top.geojson", views.risk_top, name="risk_top"),
    path("risk/<int:run_id>/<slug:slug>/cell/", views.risk_cell, name="risk_cell"),
    path("risk/<int:run_id>/<slug:slug>/cells/", layer_table_views.risk_cells, name="risk_cells"),
    path("layers/", layer_views.layer_index, name="layer_index"),
    path("layers/boundary.geojson", layer_views.layer_boundary, name="layer_boundary"),
    path("layers/districts.geojson", layer_views.layer_districts, name="layer_districts"),
    path("layers/beats.geojson", layer_views.layer_beats, name="layer_beats"),
    path("layers/incidents.geojson", layer_views.layer_incidents, name="layer_incidents"),
    path("layers/context/<slug:slug>.geojson", layer_views.layer_context, name="layer_context"),
    path("layers/tables/", layer_table_views.layer_tables, name="layer_tables"),
    path("layers/tables/incidents/", layer_table_views.incidents, name="layer_table_incidents"),
    path("layers/tables/context/<slug:slug>/", layer_table_views.context, name="layer_table_context"),
    path("layers/tables/<slug:layer>/", layer_table_views.own, name="layer_table"),
    path("models/<slug:slug>/", model_views.model, name="model"),
    path("models/<slug:slug>/live-record.svg", live_pages.live_chart, name="live_chart"),
    path("models/<slug:slug>/live-record.csv", live_pages.live_csv, name="live_csv"),
    path(f"{MODEL}/hit-rate.svg", model_views.model_svg, {"chart": "hit-rate"}, name="model_svg"),
    path(f"{MODEL}/curve.svg", model_views.model_svg, {"chart": "curve"}, name="model_curve"),
    path(
        f"{MODEL}/reliability.svg", model_views.model_svg, {"chart": "reliability"}, name="model_reliability"
    ),
    path(f"{MODEL}/ablation.svg", model_views.model_svg, {"chart": "ablation"}, name="model_ablation"),
    path(f"{MODEL}/beside/", model_views.model_compare, name="model_compare"),
    path(f"{MODEL}/beside/<int:beside>/", model_views.model_compare, name="model_compare_with"),
    path(f"{MODEL}/beside/<int:beside>/curve.svg", model_views.model_compare_svg, name="model_compare_svg"),
    path(f"{MODEL}/drift.svg", model_views.model_drift_svg, name="model_drift"),
]
