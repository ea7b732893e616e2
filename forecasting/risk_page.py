"""What the risk map shows: one forecast, one surface of it (a crime type, or harm), and the words around them."""

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import shapely
import shapely.geometry
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.lookups import date_from_text
from agencies.models import Agency, Beat, CrimeType, Shift
from agencies.selectors import active_crime_types, current_or_next_shift_instance, shift_instance_of, shifts
from forecasting.engine.grid import GridSpec, unproject
from forecasting.models import ForecastRun, ModelVersion
from forecasting.overlay import VERSION, legend_rows
from forecasting.selectors import (
    alarms_of,
    cell_beats,
    expected_by_type,
    grid_spec,
    latest_forecast,
    run_grid,
    run_models,
    succeeded_forecasts,
    type_weights,
)
from forecasting.services.forecasts import STALE_AFTER
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus

HARM = "harm"
TOP_CELLS = 20
SHARES = (0.005, 0.01, 0.02, 0.05, 0.10)


@dataclass(frozen=True)
class Chosen:
    """What the person chose, or what is most useful where they chose nothing."""

    shift: Shift | None
    on: dt.date
    run: ForecastRun | None
    slug: str


@dataclass(frozen=True)
class Surface:
    """One surface of a finished forecast. ``values`` are expected counts per cell, or harm."""

    run: ForecastRun
    slug: str
    expected: dict[CrimeType, npt.NDArray[np.float32]]
    weights: dict[CrimeType, npt.NDArray[np.float64]] | None
    crime_type: CrimeType | None

    @property
    def name(self) -> str:
        return self.crime_type.name if self.crime_type else _("Harm")

    @property
    def unit(self) -> str:
        return _("expected in the shift") if self.crime_type else _("expected in the shift (weight × count)")

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        if self.crime_type is not None:
            return self.expected[self.crime_type].astype(np.float64)
        weights = self.weights or {}
        return np.sum([weights[row] * values for row, values in self.expected.items()], axis=0)

    @cached_property
    def spec(self) -> GridSpec:
        return grid_spec(run_grid(self.run))

    @property
    def is_partly_unknown(self) -> bool:
        """Whether cells lie beyond the sensors' reach: a forecast is exactly zero only where nobody could hear."""
        return (
            self.crime_type is not None
            and self.crime_type.nibrs_code == "gunfire"
            and bool((self.values == 0).any())
        )

    @property
    def etag(self) -> str:
        """Changes with the numbers and with the way of drawing them. Harm follows weights and priorities."""
        digest = hashlib.sha256(f"{VERSION}:{self.run.pk}:{self.slug}:{self.spec.hash}".encode())
        digest.update(self.values.tobytes())
        return f'"{digest.hexdigest()[:32]}"'

    def order(self) -> npt.NDArray[np.int64]:
        """Positions of the cells, highest first; equal ones by cell id."""
        return np.argsort(-self.values, kind="stable")


def surface_or_404(agency: Agency, run_id: int, slug: str) -> Surface:
    """Return one surface of the agency's own finished forecast. At most five queries."""
    run = succeeded_forecasts(agency).filter(pk=run_id).first()
    if run is None:
        raise Http404(_("No such forecast."))
    expected = expected_by_type(run)
    if slug == HARM:
        return Surface(run, slug, expected, type_weights(run, list(expected)), None)
    crime_type = next((row for row in expected if row.slug == slug), None)
    if crime_type is None:
        raise Http404(_("This forecast does not hold that crime type."))
    return Surface(run, slug, expected, None, crime_type)


def choose(agency: Agency, *, slug: str, shift_slug: str, on: str) -> Chosen:
    """Return the shift instance asked for, else the current one if it has a forecast, else the newest forecast's.

    At most five queries.
    """
    found = {shift.slug: shift for shift in shifts(agency)}
    if shift_slug or on:
        try:
            date = date_from_text(on) if on else timezone.localdate(timezone=ZoneInfo(agency.time_zone))
        except MissionsError as exc:
            raise Http404(str(exc)) from exc
        shift = found.get(shift_slug) or next(iter(found.values()), None)
        return Chosen(shift, date, latest_forecast(agency, shift, date) if shift else None, slug)
    if not found:
        return Chosen(None, timezone.localdate(timezone=ZoneInfo(agency.time_zone)), None, slug)
    shift, date = current_or_next_shift_instance(agency, timezone.now())
    run = (
        latest_forecast(agency, shift, date)
        or succeeded_forecasts(agency).order_by("-period_from", "-pk").first()
    )
    return Chosen(run.shift, run.on, run, slug) if run else Chosen(shift, date, None, slug)


def risk_context(agency: Agency, chosen: Chosen) -> dict[str, Any]:
    """Return the page's context: pickers always, the surface where there is a forecast. At most 16 queries."""
    context: dict[str, Any] = {
        "tab": "risk",
        "harm": HARM,
        "shifts": shifts(agency),
        "shift": chosen.shift,
        "on": chosen.on,
        "previous": chosen.on - dt.timedelta(days=1),
        "next": chosen.on + dt.timedelta(days=1),
        "slug": chosen.slug or HARM,
        "run": chosen.run,
        "is_now": _is_now(agency, chosen.on),
    }
    if chosen.run is None:
        return (
            context | _empty(agency, chosen) | {"types": [(row, None) for row in active_crime_types(agency)]}
        )
    expected = expected_by_type(chosen.run)
    crime_type = next((row for row in expected if row.slug == chosen.slug), None)
    if chosen.slug not in ("", HARM) and crime_type is None:
        raise Http404(_("This forecast does not hold that crime type."))
    weights = None if crime_type else type_weights(chosen.run, list(expected))
    surface = Surface(chosen.run, crime_type.slug if crime_type else HARM, expected, weights, crime_type)
    models = run_models(chosen.run)
    shown = [models[crime_type.pk]] if crime_type and crime_type.pk in models else list(models.values())
    for version in shown:
        version.agency = agency
    return context | {
        "slug": surface.slug,
        "surface": surface,
        "types": [(row, float(values.sum(dtype=np.float64))) for row, values in expected.items()],
        "type_colours": {row.slug: row.colour for row in expected},
        "legend": legend_rows(surface.values),
        "top": list(top_cells(surface)),
        "by_beat": beat_totals(surface),
        "concentration": concentration(surface.values),
        "total": float(surface.values.sum()),
        "version": models.get(crime_type.pk) if crime_type else None,
        "lift": model_lift(models[crime_type.pk]) if crime_type and crime_type.pk in models else None,
        "alarms": [alarm for alarms in alarms_of(shown).values() for alarm in alarms],
        "stale_days": stale_days(chosen.run),
        "looked_ahead": any(row.trained_to > chosen.run.period_from for row in models.values()),
    }


def _is_now(agency: Agency, on: dt.date) -> bool:
    """Whether the day is one whose map follows live alerts: on a map of last month they would tell of another time."""
    today = timezone.now().astimezone(ZoneInfo(agency.time_zone)).date()
    return on >= today - dt.timedelta(days=1)


def _empty(agency: Agency, chosen: Chosen) -> dict[str, Any]:
    """Why there is nothing to show, and whether forecasting would help."""
    if chosen.shift is None:
        return {"why_empty": _("The agency has no shifts yet."), "can_forecast": False}
    try:
        shift_instance_of(agency, chosen.shift, chosen.on)
    except MissionsError as exc:
        return {"why_empty": str(exc), "can_forecast": False}
    last = (
        ForecastRun.objects.filter(agency=agency, shift=chosen.shift, on=chosen.on)
        .order_by("-queued_at")
        .first()
    )
    if last is not None and last.status == RunStatus.FAILED:
        return {
            "why_empty": _("The last try failed: %(error)s") % {"error": last.error},
            "can_forecast": True,
            "last_run": last,
        }
    if last is not None and last.status != RunStatus.SUCCEEDED:
        return {
            "why_empty": _("The forecast is being made."),
            "can_forecast": False,
            "last_run": last,
            "waiting": True,
        }
    if not ModelVersion.objects.live().filter(agency=agency).exists():
        return {
            "why_empty": _("No model has been trained yet."),
            "can_forecast": False,
            "needs_training": True,
        }
    return {"why_empty": _("This shift has not been forecast yet."), "can_forecast": True}


def top_cells(surface: Surface, n: int = TOP_CELLS) -> Iterator[dict[str, Any]]:
    """Yield the highest cells as ``cell_rows`` does, ranks from 1 without gaps. At most two queries.

    Equal cells that do not all fit are left out together: to name some of them would be arbitrary.
    """
    order = surface.order()
    if len(order) > n:
        order = order[:n][surface.values[order[:n]] > surface.values[order[n]]]
    for rank, row in enumerate(cell_rows(surface, order[surface.values[order] > 0]), start=1):
        yield row | {"rank": rank}


def cell_rows(surface: Surface, positions: npt.NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """Yield cells in the order given: rank, position, id, beat, value, share of the total, centre. At most two queries.

    The rank is the number of cells with at least this value, as a cell's own drawer says it: equal cells share the last of their places.
    """
    total = float(surface.values.sum()) or 1.0
    beats = cell_beats(run_grid(surface.run))[positions]
    codes = dict(Beat.objects.filter(pk__in={int(beat) for beat in beats}).values_list("pk", "code"))
    x_m, y_m = surface.spec.centres()
    lon, lat = unproject(x_m[positions], y_m[positions], surface.spec.epsg)
    ranks = len(surface.values) - np.searchsorted(
        np.sort(surface.values), surface.values[positions], side="left"
    )
    for at, position in enumerate(positions):
        value = float(surface.values[position])
        yield {
            "rank": int(ranks[at]),
            "position": int(position),
            "cell_id": int(surface.spec.cells[position]),
            "beat": codes.get(int(beats[at]), ""),
            "value": value,
            "share": value / total,
            "lon": float(lon[at]),
            "lat": float(lat[at]),
        }


def beat_totals(surface: Surface) -> list[dict[str, Any]]:
    """Return what the map shows, beat by beat: code, value, share of the total, the highest first. At most two queries."""
    beats = cell_beats(run_grid(surface.run))
    total = float(surface.values.sum()) or 1.0
    codes = dict(Beat.objects.filter(agency_id=surface.run.agency_id).values_list("pk", "code"))
    sums = {code: float(surface.values[beats == pk].sum()) for pk, code in codes.items()}
    return [
        {"code": code, "value": value, "share": value / total}
        for code, value in sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    ]


def concentration(values: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """How much of what is expected lies in the highest cells: (share of the area, share of the total)."""
    ordered = np.cumsum(np.sort(values)[::-1])
    if len(ordered) == 0 or ordered[-1] <= 0:
        return []
    cells = [max(1, round(share * len(values))) for share in SHARES]
    return [(share, float(ordered[k - 1] / ordered[-1])) for share, k in zip(SHARES, cells, strict=True)]


def cell_polygon(spec: GridSpec, position: int) -> dict[str, Any]:
    """One cell's outline as GeoJSON, its true corners in WGS84."""
    square = shapely.get_coordinates(spec.boxes()[position])
    lon, lat = unproject(square[:, 0], square[:, 1], spec.epsg)
    return {
        "type": "Polygon",
        "coordinates": [[[round(float(x), 7), round(float(y), 7)] for x, y in zip(lon, lat, strict=True)]],
    }


def stale_days(run: ForecastRun) -> int | None:
    """Days between the newest incident known and the shift, where that is more than a slow feed; else None."""
    newest = run.config_snapshot.get("newest_incident")
    gap = run.period_from - dt.datetime.fromisoformat(newest) if newest else None
    return gap.days if gap is not None and gap > STALE_AFTER else None


def model_lift(version: ModelVersion) -> dict[str, float | None] | None:
    """The champion's hits at 1 % of the area over the best baseline's: value, low, high; None where not measured."""
    for row in version.summary.get("league", []):
        if row["name"] == version.champion:
            for area in row["areas"]:
                if area["area"] == "1%" and area["lift_over_best_baseline"]["value"] is not None:
                    lift: dict[str, float | None] = area["lift_over_best_baseline"]
                    return lift
    return None
