"""Missions and visits as files, for analysts. Every file says whose it is, what was filtered, and when it was made."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_GET

from agencies.access import EXPORTS, Access, agency_page
from agencies.lookups import date_from_text
from agencies.models import Agency
from forecasting.engine.grid import GridSpec
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import csv_response
from patrols import board
from patrols.models import Engagement, Mission
from patrols.selectors import engagements_between, missions_between

DEFAULT_DAYS = 28
MISSION_COLUMNS = (
    "plan", "shift", "date", "number", "district", "beat", "cell_id", "place", "crime_type", "starts", "dose_minutes",
    "expected", "harm", "probability", "source", "unit", "state", "reason",
)  # fmt: skip
ENGAGEMENT_COLUMNS = (
    "plan", "shift", "date", "mission", "beat", "cell_id", "crime_type", "unit", "arrived_at", "left_at", "minutes",
    "source",
)  # fmt: skip


@dataclass(frozen=True)
class Export:
    """What one export holds: whose, and of which local dates."""

    agency: Agency
    first: dt.date
    last: dt.date

    def about(self, what: str) -> list[str]:
        """What stands at the head of the file."""
        return [
            f"{what}, {self.agency.name}",
            f"Shifts from {self.first} to {self.last} (local dates); times in {self.agency.time_zone}",
            f"Generated at {timezone.now():%Y-%m-%dT%H:%M:%SZ}",
        ]

    def file_name(self, what: str, ending: str) -> str:
        return f"{self.agency.slug}-{what}-{self.first}-{self.last}.{ending}"


def _asked(request: HttpRequest, agency: Agency) -> Export:
    today = timezone.now().date()
    first = date_from_text(request.GET.get("from") or (today - dt.timedelta(days=DEFAULT_DAYS)).isoformat())
    last = date_from_text(request.GET.get("to") or (today + dt.timedelta(days=1)).isoformat())
    if last < first:
        raise MissionsError("The period ends before it starts.", next_step="swap “from” and “to”.")
    return Export(agency, first, last)


def export_page(view: Callable[[Export], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A download for those who may export; a period that makes no sense gets a plain answer, not an empty file."""

    @require_GET
    @agency_page(EXPORTS)
    @wraps(view)
    def wrapped(request: HttpRequest, access: Access) -> HttpResponseBase:
        try:
            export = _asked(request, access.agency)
        except MissionsError as exc:
            return HttpResponseBadRequest(str(exc), content_type="text/plain; charset=utf-8")
        return view(export)

    return wrapped


def _mission_values(agency: Agency, missions: Iterator[Mission]) -> Iterator[tuple[Any, ...]]:
    now = timezone.now()
    for mission in missions:
        row = board.mission_rows([mission], zone=agency.time_zone, now=now)[0]
        facts = board.mission_properties(row)
        yield (
            mission.plan_id, mission.plan.shift.slug, mission.plan.on, mission.number, mission.beat.district.code,
            mission.beat.code, mission.cell_id, facts["place"], facts["crime_type"], " ".join(facts["starts"]),
            mission.dose_minutes, mission.expected, mission.harm, mission.probability, mission.source, facts["unit"],
            facts["state"], mission.reason or mission.withdrawn_reason,
        )  # fmt: skip


@export_page
def missions_csv(export: Export) -> HttpResponseBase:
    return csv_response(
        export.file_name("missions", "csv"),
        about=export.about("Missions of published plans"),
        columns=MISSION_COLUMNS,
        rows=_mission_values(export.agency, missions_between(export.agency, export.first, export.last)),
    )


def _mission_features(agency: Agency, missions: Iterator[Mission]) -> list[dict[str, Any]]:
    now = timezone.now()
    specs: dict[int | None, GridSpec] = {}
    features: list[dict[str, Any]] = []
    for mission in missions:
        assert mission.plan.grid is not None  # a published plan has a grid
        if mission.plan.grid_id not in specs:
            specs[mission.plan.grid_id] = GridSpec.from_bytes(bytes(mission.plan.grid.spec))
        spec = specs[mission.plan.grid_id]
        row = board.mission_rows([mission], zone=agency.time_zone, now=now)[0]
        ring = board.box_rings(spec, [mission.cell_id])[0]
        facts = {
            **board.mission_properties(row),
            "date": str(mission.plan.on),
            "shift": mission.plan.shift.slug,
        }
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "id": mission.pk, "geometry": geometry, "properties": facts})
    return features


@export_page
def missions_geojson(export: Export) -> HttpResponseBase:
    features = _mission_features(export.agency, missions_between(export.agency, export.first, export.last))
    return _geojson_response(
        export.file_name("missions", "geojson"), features, export.about("Missions of published plans")
    )


def _geojson_response(name: str, features: list[dict[str, Any]], about: list[str]) -> HttpResponse:
    return JsonResponse(
        {"type": "FeatureCollection", "about": about, "features": features},
        content_type="application/geo+json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _engagement_values(agency: Agency, engagements: Iterator[Engagement]) -> Iterator[tuple[Any, ...]]:
    zone = ZoneInfo(agency.time_zone)
    for visit in engagements:
        mission = visit.mission
        yield (
            mission.plan_id, mission.plan.shift.slug, mission.plan.on, mission.number, mission.beat.code,
            mission.cell_id, mission.crime_type.slug, visit.unit.call_sign if visit.unit else "",
            visit.arrived_at.astimezone(zone).isoformat(timespec="seconds"),
            visit.left_at.astimezone(zone).isoformat(timespec="seconds") if visit.left_at else "",
            "" if visit.minutes is None else round(visit.minutes, 1), visit.source,
        )  # fmt: skip


@export_page
def engagements_csv(export: Export) -> HttpResponseBase:
    return csv_response(
        export.file_name("engagements", "csv"),
        about=export.about("Visits to missions"),
        columns=ENGAGEMENT_COLUMNS,
        rows=_engagement_values(export.agency, engagements_between(export.agency, export.first, export.last)),
    )


@export_page
def engagements_geojson(export: Export) -> HttpResponseBase:
    visits = list(engagements_between(export.agency, export.first, export.last))
    features = []
    for visit, values in zip(visits, _engagement_values(export.agency, iter(visits)), strict=True):
        grid = visit.mission.plan.grid
        assert grid is not None  # a published plan has a grid
        ring = board.box_rings(GridSpec.from_bytes(bytes(grid.spec)), [visit.mission.cell_id])[0]
        facts = {name: str(value) for name, value in zip(ENGAGEMENT_COLUMNS, values, strict=True)}
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "id": visit.pk, "geometry": geometry, "properties": facts})
    return _geojson_response(
        export.file_name("engagements", "geojson"), features, export.about("Visits to missions")
    )
