"""Missions and visits as files, for analysts. Every file says whose it is, what was filtered, and when it was made."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import EXPORTS, Access, agency_page
from agencies.lookups import date_from_text
from agencies.models import Agency
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid
from forecasting.selectors import grid_spec
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import About, csv_response, geojson_response
from patrols import board
from patrols.models import Mission
from patrols.selectors import missions_between, models_behind, visits_between
from patrols.units_told import units_are_told, why_untold

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

    @property
    def names_units(self) -> bool:
        return units_are_told(self.first, self.last)

    def about(self, what: str) -> About:
        """What stands at the head of the file. One query."""
        return About(
            what=what,
            agency=self.agency.name,
            asked=_("Shifts from %(first)s to %(last)s (local dates)")
            % {"first": self.first, "last": self.last},
            zone=self.agency.time_zone,
            model=models_behind(self.agency, self.first, self.last),
            more=() if self.names_units else (why_untold(),),
        )

    def file_name(self, what: str, ending: str) -> str:
        return f"{self.agency.slug}-{what}-{self.first}-{self.last}.{ending}"


def _asked(request: HttpRequest, agency: Agency) -> Export:
    today = timezone.now().date()
    first = date_from_text(request.GET.get("from") or (today - dt.timedelta(days=DEFAULT_DAYS)).isoformat())
    last = date_from_text(request.GET.get("to") or (today + dt.timedelta(days=1)).isoformat())
    if last < first:
        raise MissionsError(_("The period ends before it starts."), next_step=_("swap “from” and “to”."))
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


def _missions(export: Export) -> Iterator[tuple[Mission, dict[str, Any]]]:
    """The missions, each with what a map says of it."""
    now, zone = timezone.now(), export.agency.time_zone
    for mission in missions_between(export.agency, export.first, export.last):
        facts = board.mission_properties(board.mission_rows([mission], zone=zone, now=now)[0])
        yield mission, facts if export.names_units else facts | {"unit": ""}


def _mission_values(export: Export) -> Iterator[tuple[Any, ...]]:
    for mission, facts in _missions(export):
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
        about=export.about(_("Missions of published plans")),
        columns=MISSION_COLUMNS,
        rows=_mission_values(export),
    )


class _Squares:
    """The boxes of cells, each grid read once. One query a grid."""

    def __init__(self) -> None:
        self._specs: dict[int, GridSpec] = {}

    def of(self, grid_id: int, cell_id: int) -> dict[str, Any]:
        if grid_id not in self._specs:
            self._specs[grid_id] = grid_spec(Grid.objects.get(pk=grid_id))
        ring = board.box_rings(self._specs[grid_id], [cell_id])[0]
        return {"type": "Polygon", "coordinates": [ring]}


def _mission_features(export: Export) -> Iterator[dict[str, Any]]:
    squares = _Squares()
    for mission, facts in _missions(export):
        assert mission.plan.grid_id is not None  # a published plan has a grid
        facts |= {"date": str(mission.plan.on), "shift": mission.plan.shift.slug}
        geometry = squares.of(mission.plan.grid_id, mission.cell_id)
        yield {"type": "Feature", "id": mission.pk, "geometry": geometry, "properties": facts}


@export_page
def missions_geojson(export: Export) -> HttpResponseBase:
    return geojson_response(
        export.file_name("missions", "geojson"),
        about=export.about(_("Missions of published plans")),
        features=_mission_features(export),
    )


def _visit_values(export: Export) -> Iterator[tuple[Any, ...]]:
    """The columns of the file, then the visit's key and its grid's."""
    zone = ZoneInfo(export.agency.time_zone)
    visits = visits_between(export.agency, export.first, export.last)
    for *facts, unit, arrived_at, left_at, source, pk, grid_id in visits:
        yield (
            *facts, (export.names_units and unit) or "",
            arrived_at.astimezone(zone).isoformat(timespec="seconds"),
            left_at.astimezone(zone).isoformat(timespec="seconds") if left_at else "",
            round((left_at - arrived_at).total_seconds() / 60, 1) if left_at else "", source, pk, grid_id,
        )  # fmt: skip


@export_page
def engagements_csv(export: Export) -> HttpResponseBase:
    return csv_response(
        export.file_name("engagements", "csv"),
        about=export.about(_("Visits to missions")),
        columns=ENGAGEMENT_COLUMNS,
        rows=(values[:-2] for values in _visit_values(export)),
    )


@export_page
def engagements_geojson(export: Export) -> HttpResponseBase:
    return geojson_response(
        export.file_name("engagements", "geojson"),
        about=export.about(_("Visits to missions")),
        features=_visit_features(export),
    )


def _visit_features(export: Export) -> Iterator[dict[str, Any]]:
    squares = _Squares()
    for *values, pk, grid_id in _visit_values(export):
        facts = {name: str(value) for name, value in zip(ENGAGEMENT_COLUMNS, values, strict=True)}
        geometry = squares.of(grid_id, int(facts["cell_id"]))
        yield {"type": "Feature", "id": pk, "geometry": geometry, "properties": facts}
