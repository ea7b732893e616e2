"""``/api/v1/<agency>/forecasts/``: the newest forecast of each shift instance, its top cells, its surfaces as files."""

import datetime as dt
from collections import defaultdict
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from agencies.access import SEES_RISK
from agencies.models import Agency, Beat
from forecasting.exports import surface_facts, surface_geojson
from forecasting.models import ForecastRun, RiskSurface
from forecasting.raster import surface_cog, surface_npy
from forecasting.risk_page import HARM, Surface, surface_or_404
from forecasting.selectors import cell_beats, run_grid, succeeded_forecasts
from ingestion.api.access import AgencyView
from ingestion.api.fields import AreaJson, BeatField, LocalTime, PeriodQuery, ShiftField
from missions_project.lib.exports import FACTS_HEADER, with_facts
from missions_project.lib.rest.marks import marked
from missions_project.lib.rest.paging import page_of_rows
from missions_project.lib.rest.queries import NoQuery, Query
from missions_project.lib.rest.schema import paged

MAX_TOP = 500
_INSTANT = dt.datetime


class ForecastTypeOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    crime_type = serializers.CharField(help_text="The crime type's slug, and the name of its surface.")
    name = serializers.CharField()
    weight = serializers.FloatField(help_text="Severity, as it is now.")
    expected_total = serializers.FloatField(help_text="Expected in the whole shift and jurisdiction.")
    model_number = serializers.IntegerField(help_text="Version of the model that made it.")


class ForecastOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    id = serializers.IntegerField()
    shift = serializers.CharField()
    on = serializers.DateField(help_text="The local date on which the shift starts.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    local_starts_at = LocalTime()
    local_ends_at = LocalTime()
    as_of = serializers.DateTimeField(help_text="Nothing that was reported from here on was used.")
    finished_at = serializers.DateTimeField(allow_null=True)
    grid_hash = serializers.CharField()
    epsg = serializers.IntegerField(help_text="The grid's projection, in metres.")
    cell_size_m = serializers.FloatField()
    cells = serializers.IntegerField()
    data_hash = serializers.CharField(help_text="Of what the forecast was made from.")
    surfaces = ForecastTypeOut(many=True)


class CellOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    rank = serializers.IntegerField()
    cell_id = serializers.IntegerField()
    beat = serializers.CharField(allow_null=True, help_text="The beat's code; null outside all beats.")
    lon = serializers.FloatField()
    lat = serializers.FloatField()
    value = serializers.FloatField(help_text="Expected count in the shift, or harm (weight × count).")
    geometry = AreaJson()


class CellsOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    forecast = serializers.IntegerField()
    surface = serializers.CharField()
    unit = serializers.CharField()
    total = serializers.FloatField(help_text="Of all cells.")
    results = CellOut(many=True)


class ForecastQuery(PeriodQuery):
    shift = ShiftField(required=False, help_text="A shift's slug.")


class CellsQuery(Query):
    surface = serializers.CharField(
        required=False, default=HARM, max_length=60, help_text="“harm”, or a crime type's slug."
    )
    top = serializers.IntegerField(required=False, default=20, min_value=1, max_value=MAX_TOP)
    beat = BeatField(required=False, help_text="Only cells of this beat, by its code.")


def newest_forecasts(agency: Agency) -> QuerySet[ForecastRun]:
    """Return the newest finished forecast of each shift instance. Lazy."""
    newest = (
        succeeded_forecasts(agency)
        .filter(shift=OuterRef("shift"), on=OuterRef("on"))
        .order_by("-finished_at", "-pk")
        .values("pk")[:1]
    )
    # The grid's cells are some hundred kilobytes, and only its name is shown.
    return succeeded_forecasts(agency).filter(pk=Subquery(newest)).defer("grid__spec", "agency__boundary")


def forecasts_shown(agency: Agency, runs: list[ForecastRun]) -> dict[int, dict[str, Any]]:
    """Return what the API shows of each forecast, by its id. One query."""
    surfaces: dict[int, list[dict[str, Any]]] = defaultdict(list)
    rows = RiskSurface.objects.filter(agency=agency, run__in=runs).defer("values", "baseline_values")
    for row in rows.select_related("crime_type", "model_version").order_by(
        "-crime_type__weight", "crime_type__name"
    ):
        surfaces[row.run_id].append(
            {
                "crime_type": row.crime_type.slug,
                "name": row.crime_type.name,
                "weight": row.crime_type.weight,
                "expected_total": row.expected_total,
                "model_number": row.model_version.number,
            }
        )
    zone = ZoneInfo(agency.time_zone)
    shown: dict[int, dict[str, Any]] = {}
    for run in runs:
        grid = run_grid(run)
        facts = {
            "id": run.pk,
            "shift": run.shift.slug,
            "on": run.on,
            "starts_at": run.period_from,
            "ends_at": run.period_to,
            "local_starts_at": run.period_from.astimezone(zone),
            "local_ends_at": run.period_to.astimezone(zone),
            "as_of": run.as_of,
            "finished_at": run.finished_at,
            "grid_hash": grid.hash,
            "epsg": grid.epsg,
            "cell_size_m": grid.cell_size_m,
            "cells": grid.n_cells,
            "data_hash": run.data_hash,
            "surfaces": surfaces[run.pk],
        }
        shown[run.pk] = ForecastOut(facts).data
    return shown


class Forecasts(AgencyView):
    reads = SEES_RISK

    @extend_schema(
        operation_id="forecasts_list",
        summary="Forecasts of a period",
        tags=["forecasts"],
        parameters=[ForecastQuery],
        responses=paged(ForecastOut, "ForecastPage"),
    )
    def get(self, request: Request, agency_slug: str) -> Response:
        """The newest finished forecast of each shift instance, the latest shift first."""
        asked = ForecastQuery.of(request, agency=self.agency)
        rows = newest_forecasts(self.agency).filter(on__range=(asked["from"], asked["to"]))
        if "shift" in asked:
            rows = rows.filter(shift=asked["shift"])
        order = (("-period_from", _INSTANT), ("-pk", int))
        page = page_of_rows(rows, order, cursor=asked.get("cursor"), limit=asked["limit"])
        shown = forecasts_shown(self.agency, page.rows)
        return Response(page.as_json(request, lambda run: shown[run.pk]))


class Forecast(AgencyView):
    reads = SEES_RISK

    @extend_schema(
        operation_id="forecasts_get", summary="One forecast", tags=["forecasts"], responses=ForecastOut
    )
    def get(self, request: Request, agency_slug: str, forecast_id: int) -> Response:
        """Which types it holds, what it expects in all, what it was made from."""
        NoQuery.of(request)
        run = succeeded_forecasts(self.agency).filter(pk=forecast_id).defer("grid__spec").first()
        if run is None:
            raise Http404("This agency has no such forecast.")
        return Response(forecasts_shown(self.agency, [run])[run.pk])


class ForecastCells(AgencyView):
    reads = SEES_RISK

    @extend_schema(
        operation_id="forecasts_cells",
        summary="A forecast's highest cells",
        tags=["forecasts"],
        parameters=[CellsQuery],
        responses=CellsOut,
    )
    def get(self, request: Request, agency_slug: str, forecast_id: int) -> Response:
        """The cells with the highest values, each with its square; equal ones by cell id."""
        asked = CellsQuery.of(request, agency=self.agency)
        surface = surface_or_404(self.agency, forecast_id, asked["surface"])
        return Response(cells_shown(surface, asked["top"], asked.get("beat")))


def cells_shown(surface: Surface, top: int, beat: Beat | None) -> dict[str, Any]:
    """Return the highest cells as the API shows them. Two queries."""
    spec = surface.spec
    beats = cell_beats(run_grid(surface.run))
    codes = dict(Beat.objects.filter(agency_id=surface.run.agency_id).values_list("pk", "code"))
    order = surface.order()
    chosen = (order[beats[order] == beat.pk] if beat else order)[:top]
    lon, lat = (part[chosen] for part in spec.centres_lonlat())
    rings = spec.rings_lonlat(chosen)
    results = [
        {
            "rank": rank,
            "cell_id": int(spec.cells[at]),
            "beat": codes.get(int(beats[at])),
            "lon": round(float(lon[rank - 1]), 6),
            "lat": round(float(lat[rank - 1]), 6),
            "value": float(f"{surface.values[at]:.6g}"),
            "geometry": {"type": "Polygon", "coordinates": [rings[rank - 1].tolist()]},
        }
        for rank, at in enumerate(chosen.tolist(), start=1)
    ]
    told = {
        "forecast": surface.run.pk,
        "surface": surface.slug,
        "unit": surface.unit,
        "total": float(f"{surface.values.sum():.6g}"),
        "results": results,
    }
    return dict(CellsOut(told).data)


class _AsItIs(BaseContentNegotiation):
    """A file has one form, which its address names."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


_SURFACE = OpenApiParameter(
    "surface", OpenApiTypes.STR, OpenApiParameter.PATH, description="“harm”, or a crime type's slug."
)
_FACTS = OpenApiParameter(
    FACTS_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="What the file is, as a JSON object in ASCII: agency, surface, shift, time zone, model, when it was generated.",
    response=[200],
)


class SurfaceFile(AgencyView):
    reads = SEES_RISK
    content_negotiation_class = _AsItIs
    problems = {"get": (400, 401, 403, 404, 409, 429)}

    def answer(self, request: Request, forecast_id: int, slug: str, ending: str) -> HttpResponseBase:
        NoQuery.of(request)
        surface = surface_or_404(self.agency, forecast_id, slug)
        response: Any
        if ending == "geojson":
            response = StreamingHttpResponse(surface_geojson(surface), content_type="application/geo+json")
        elif ending == "tif":
            response = HttpResponse(surface_cog(surface, surface_facts(surface)), content_type="image/tiff")
        else:
            # The head of a NumPy file holds the columns and nothing else.
            response = HttpResponse(surface_npy(surface), content_type="application/octet-stream")
            with_facts(response, surface_facts(surface))
        name = f"{self.agency.slug}-{surface.run.shift.slug}-{surface.run.on}-{slug}.{ending}"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return marked(request, response, f'{surface.etag[:-1]}-{ending}"')


class SurfaceGeojson(SurfaceFile):
    @extend_schema(
        operation_id="forecasts_surface_geojson",
        summary="A surface as GeoJSON",
        tags=["forecasts"],
        parameters=[_SURFACE],
        responses={(200, "application/geo+json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, agency_slug: str, forecast_id: int, surface: str) -> HttpResponseBase:
        """One square a cell, in WGS84, with its beat and value. Large: 25,600 cells are about 10 MB."""
        return self.answer(request, forecast_id, surface, "geojson")


class SurfaceTiff(SurfaceFile):
    @extend_schema(
        operation_id="forecasts_surface_tiff",
        summary="A surface as a Cloud-Optimised GeoTIFF",
        tags=["forecasts"],
        parameters=[_SURFACE],
        responses={(200, "image/tiff"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, agency_slug: str, forecast_id: int, surface: str) -> HttpResponseBase:
        """One float32 band in the grid's projection, a pixel a cell, NaN outside; what it is stands in its metadata."""
        return self.answer(request, forecast_id, surface, "tif")


class SurfaceNumpy(SurfaceFile):
    @extend_schema(
        operation_id="forecasts_surface_npy",
        summary="A surface for NumPy",
        tags=["forecasts"],
        parameters=[_SURFACE, _FACTS],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, agency_slug: str, forecast_id: int, surface: str) -> HttpResponseBase:
        """A table as `.npy`: cell_id, x_m, y_m, lon, lat, value. `numpy.load(file)["value"]`.

        The table has no room for what it is: the header `X-Missions-Facts` says that, as the GeoTIFF's metadata do.
        """
        return self.answer(request, forecast_id, surface, "npy")
