"""Measuring the models in service: stored forecasts of past shifts against what has become known since."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from django.db.models import F
from django.utils import timezone

from agencies.models import Agency
from forecasting.engine.metrics import log_score
from forecasting.models import ModelPolicy, ModelVersion, ModelWeek, RiskSurface
from forecasting.selectors.forecasts import baseline_values, surface_values
from forecasting.selectors.governance import model_policy
from forecasting.selectors.happened import Happened
from missions_project.lib.progress import Progress, no_progress
from missions_project.lib.runs import RunStatus

REMEASURED_DAYS = 70
"""Weeks that settled longer ago than this are left as they were measured: late corrections are rare by then."""
_AT_ONCE = 50


@dataclass(frozen=True)
class _Shift:
    """One shift instance that one version forecast, and the surface that counts for it."""

    surface_id: int
    version_id: int
    slug: str
    week_from: dt.date
    period_from: dt.datetime
    period_to: dt.datetime


@dataclass
class _Week:
    """Sums over one week's shifts. ``compared`` counts those with a plain count beside them."""

    n_shifts: int = 0
    expected: float = 0.0
    observed: int = 0
    log_score: float = 0.0
    baseline_log_score: float = 0.0
    compared: int = 0


def drift_measure(
    *,
    agency: Agency,
    now: dt.datetime | None = None,
    everything: bool = False,
    progress: Progress = no_progress,
) -> int:
    """Compare each model's stored forecasts with the incidents that are known now, week by week; returns weeks written.

    A shift counts once it has ended, where the forecast used nothing from its start on and the model had not seen it in
    training. Of several forecasts of one shift the last one issued before it began counts. Weeks that settled more than
    ten weeks ago are not measured again, unless ``everything``.
    """
    now = now or timezone.now()
    policy = model_policy(agency)
    first: dt.date | None = None
    if not everything and ModelWeek.objects.filter(agency=agency).exists():
        first = monday((now - dt.timedelta(days=REMEASURED_DAYS + policy.settle_days)).date())
    shifts = _chosen(agency, now, first)
    weeks = _sums(agency, shifts, progress) if shifts else {}
    rows = [
        ModelWeek(
            agency=agency,
            version_id=version_id,
            week_from=week_from,
            n_shifts=week.n_shifts,
            expected=week.expected,
            observed=week.observed,
            log_score=week.log_score,
            # Half a week compared would tell of the other half's shifts as well.
            baseline_log_score=week.baseline_log_score if week.compared == week.n_shifts else None,
            measured_at=now,
        )
        for (version_id, week_from), week in weeks.items()
    ]
    ModelWeek.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["version", "week_from"],
        update_fields=["n_shifts", "expected", "observed", "log_score", "baseline_log_score", "measured_at"],
    )
    ModelPolicy.objects.filter(agency=agency).update(drift_measured_at=now)
    return len(rows)


def monday(on: dt.date) -> dt.date:
    """The Monday on or before a day."""
    return on - dt.timedelta(days=on.weekday())


def _chosen(agency: Agency, now: dt.datetime, first: dt.date | None) -> list[_Shift]:
    """The surfaces that count, by time. One query; no surface is read."""
    surfaces = RiskSurface.objects.filter(
        agency=agency,
        run__status=RunStatus.SUCCEEDED,
        run__period_to__lte=now,
        run__as_of__lte=F("run__period_from"),
        model_version__trained_to__lte=F("run__period_from"),
        crime_type__is_active=True,
    )
    if first is not None:
        surfaces = surfaces.filter(run__on__gte=first)
    best: dict[tuple[int, int, dt.date], tuple[bool, dt.datetime, int, _Shift]] = {}
    for pk, version_id, slug, shift_id, on, period_from, period_to, finished_at in surfaces.values_list(
        "pk", "model_version_id", "crime_type__slug", "run__shift_id", "run__on", "run__period_from", "run__period_to",
        "run__finished_at",
    ):  # fmt: skip
        finished = finished_at or now
        shift = _Shift(pk, version_id, slug, monday(on), period_from, period_to)
        entry = (finished <= period_from, finished, pk, shift)
        key = (version_id, shift_id, on)
        if key not in best or entry[:3] > best[key][:3]:
            best[key] = entry
    return sorted((entry[3] for entry in best.values()), key=lambda row: (row.period_from, row.version_id))


def _sums(agency: Agency, shifts: list[_Shift], progress: Progress) -> dict[tuple[int, dt.date], _Week]:
    versions = {
        row.pk: row
        for row in ModelVersion.objects.filter(pk__in={row.version_id for row in shifts})
        .select_related("grid")
        .defer("summary")
    }
    happened: dict[int, Happened] = {}
    first, last = shifts[0].period_from, max(row.period_to for row in shifts)
    weeks: dict[tuple[int, dt.date], _Week] = defaultdict(_Week)
    for number, (shift, surface) in enumerate(_with_surfaces(shifts)):
        progress(number, len(shifts), "Comparing forecasts with incidents")
        grid = versions[shift.version_id].grid
        if grid.pk not in happened:
            happened[grid.pk] = Happened(agency, grid, first, last)
        cells, counts = happened[grid.pk].during(shift.slug, shift.period_from, shift.period_to)
        expected = surface_values(surface, grid)
        plain = baseline_values(surface, grid)
        week = weeks[shift.version_id, shift.week_from]
        week.n_shifts += 1
        week.expected += float(expected.sum(dtype=np.float64))
        week.observed += int(counts.sum())
        week.log_score += log_score(expected, cells, counts)
        if plain is not None:
            week.baseline_log_score += log_score(plain, cells, counts)
            week.compared += 1
    progress(len(shifts), len(shifts), "Comparing forecasts with incidents")
    return weeks


def _with_surfaces(shifts: list[_Shift]) -> Iterator[tuple[_Shift, RiskSurface]]:
    """Each shift with its surface, some at a time: a year of a large city's surfaces is a gigabyte."""
    for start in range(0, len(shifts), _AT_ONCE):
        part = shifts[start : start + _AT_ONCE]
        found = RiskSurface.objects.select_related("crime_type").in_bulk([row.surface_id for row in part])
        for row in part:
            # Deleted since the list was made: its shift is not compared.
            if row.surface_id in found:
                yield row, found[row.surface_id]
