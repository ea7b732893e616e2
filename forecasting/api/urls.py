"""Addresses of this room's part of the API, under ``/api/v1/<agency>/``."""

from django.urls import path

from forecasting.api import forecasts

FILES = "forecasts/<int:forecast_id>/surfaces/<slug:surface>"
urlpatterns = [
    path("forecasts/", forecasts.Forecasts.as_view(), name="forecasts"),
    path("forecasts/<int:forecast_id>/", forecasts.Forecast.as_view(), name="forecast"),
    path("forecasts/<int:forecast_id>/cells/", forecasts.ForecastCells.as_view(), name="forecast_cells"),
    path(f"{FILES}.geojson", forecasts.SurfaceGeojson.as_view(), name="surface_geojson"),
    path(f"{FILES}.tif", forecasts.SurfaceTiff.as_view(), name="surface_tiff"),
    path(f"{FILES}.npy", forecasts.SurfaceNumpy.as_view(), name="surface_npy"),
]
