"""From the database to what the impact engine takes: published plans as they were drawn, forecasts, crimes, presence.

The only door from stored plans to ``tactics.engine.impact``. What cannot be used is named, never dropped in silence.
"""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, Beat, CrimeType, District, Shift
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid
from forecasting.selectors import cell_beats, grid_spec
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from tactics.engine.impact import CrimeEvents, OutcomeWindow, PlanHistory, Study
from tactics.engine.impact.batch import BeatLayout
from tactics.engine.impact.laying import TableLayer
from tactics.engine.impact.replays import MINUTES_A_DAY
from tactics.engine.impact.sparse import MostlyZero
from tactics.engine.impact.stored import Ledger, Spent
from tactics.engine.impact.study import Bools, Floats, Ints
from tactics.studies.facts import Stays, events_of, presence_of
from tactics.studies.plans import (
    PlanRow,
    RefusedPlan,
    beats_of_plans,
    plan_rows,
    read_plans,
    refused,
    spent_before,
)
from tactics.studies.reading import Planned, Reading, Scope

WINDOW_HOURS = 8.0
"""Hours after the drawn start in which crimes count, where a study does not say."""
SETTLE_DAYS = 14
"""Crimes of younger shifts may still be reported; both arms lack them alike."""
NEXT_STEP = "widen the dates, or publish plans first: every published plan counts by itself."


@dataclass(frozen=True, eq=False)
class StudyInputs:
    """What ``analyse`` takes, for S decision points and N grid cells.

    ``rows`` [S] by time: the plans of all shifts (each re-draw needs them all), decisions during a shift as
    points of their own. ``table`` holds those of the shifts asked for, and of ``districts`` and ``beats`` (ids; empty: all).
    ``studied`` bool[S] marks these shifts; ``measured`` bool[S]: vehicle positions are at hand for the shift.
    ``beat_of_cell`` int64[N]. ``refused`` plans and ``gaps`` (shift instances without a published plan) are for the report. ``out_of_step``
    plans were drawn before an earlier shift's plan was published: a replay in the order of time differs from them a little.

    Memory: 42 bytes a row of a large table, 60 of a small one; up to 50,000 plans 9 a shift and cell besides.
    """

    agency: Agency
    grid_row: Grid
    grid: GridSpec
    rows: tuple[PlanRow, ...]
    table: Study
    studied: Bools
    districts: frozenset[int]
    beats: frozenset[int]
    beat_of_cell: Ints
    events: CrimeEvents
    type_names: tuple[str, ...]
    district_of_beat: dict[int, int]
    district_names: dict[int, str]
    window: OutcomeWindow
    measured: Bools
    refused: tuple[RefusedPlan, ...]
    gaps: tuple[str, ...]
    notes: tuple[str, ...]
    out_of_step: int
    data_hash: str
    """A mark of everything that the analysis reads: designs, forecasts, crimes, presence. 64 hex digits."""
    _planned: tuple[Planned, ...] = field(repr=False)
    _harm: Floats | None = field(repr=False)
    _closed: Bools | None = field(repr=False)
    _busy: dict[int, Floats] = field(repr=False)
    _spent: tuple[Spent, ...] = field(repr=False)

    def study(self) -> Study:
        """The study's table for the shifts and districts asked for.

        Delivered minutes are in it only where every shift studied has vehicle positions; see ``measured_plans``.
        """
        return self.table if self.measured_plans().all() else replace(self.table, delivered_minutes=None)

    def measured_plans(self) -> Bools:
        """Which plans of the table belong to shifts with vehicle positions, for the effect of minutes delivered. bool[P]."""
        return self.measured[self.table.plan_shift]

    def history(self) -> PlanHistory:
        """The plans, ready to be drawn again as they were drawn: rest, saturation, additions, policies, decisions.

        Above 50,000 plans, too many to be replayed, ``harm`` is empty: only where boxes are is known.
        """
        layout = BeatLayout.of(self.beat_of_cell, *self.grid.centres())
        k = np.zeros((len(self.rows), len(layout.beat_id)), dtype=np.int64)
        visits = np.ones_like(k)
        for s, one in enumerate(self._planned):
            at = np.searchsorted(layout.beat_id, one.beat_id)
            k[s, at], visits[s, at] = one.k, one.visits
        start = np.array([row.starts_at_minute for row in self.rows])
        end = start + np.array([one.shift_minutes for one in self._planned])
        policies = tuple(one.policy for one in self._planned)
        if self._harm is None:
            none = np.empty((0, len(self.grid)))
            return PlanHistory(
                layout, policies[0], start / MINUTES_A_DAY, end / MINUTES_A_DAY, none, k, visits
            )
        prior = np.zeros((len(self._spent), len(self.grid)), dtype=np.float32)
        for h, spent in enumerate(self._spent):
            np.add.at(prior[h], spent.cell, spent.minutes)
        instances: dict[tuple[int, dt.date], int] = {}
        group = [instances.setdefault((row.shift_id, row.on), len(instances)) for row in self.rows]
        return PlanHistory(
            layout,
            policies[0],
            start / MINUTES_A_DAY,
            end / MINUTES_A_DAY,
            self._harm,
            k,
            visits,
            self._closed,
            prior_end_day=np.array([one.ends for one in self._spent]) if self._spent else None,
            prior_minutes=prior if self._spent else None,  # type: ignore[arg-type]  # half the memory
            prior_day=np.array([one.begins for one in self._spent]) if self._spent else None,
            policies=policies if len(set(policies)) > 1 else None,
            group=np.array(group, dtype=np.int64) if self._busy else None,
            busy_until=self._busy,
        )


def study_inputs(
    agency: Agency,
    *,
    crime_types: list[CrimeType],
    first: dt.date,
    last: dt.date,
    window_hours: float | None = None,
    districts: Iterable[int] | None = None,
    beats: Iterable[int] | None = None,
    shifts: Collection[int] | None = None,
    stop_at_next_draw: bool = True,
    now: dt.datetime | None = None,
    progress: Progress = no_progress,
) -> StudyInputs:
    """Read the published plans of shifts that start on these local dates, and all that an analysis needs beside them.

    ``districts``, ``beats`` and ``shifts`` (ids) narrow what is studied; none means all. Crimes are those reported by the public up to
    now: what officers initiated and what only sensors heard is left out, so gunfire counts calls about shots and never
    sensor alerts. A crime with a time interval counts at its middle. Only shifts whose window is over are used.

    Twelve queries, two more for each 16 plans. Raises ``MissionsError`` where no plan can be used, naming why.
    """
    now = now or timezone.now()
    window = OutcomeWindow((window_hours or WINDOW_HOURS) * 60.0, stop_at_next_draw)
    rows = plan_rows(agency, first, last)
    gaps = _gaps(agency, rows, first, last, now)
    left_out: list[RefusedPlan] = []
    rows, grid = _usable(rows, window, now, left_out)
    spec = grid_spec(grid)
    district_of_beat = dict(Beat.objects.filter(agency=agency).values_list("pk", "district_id"))
    spent = spent_before(agency, grid, spec, rows[0].period_from, rows[-1].period_to)
    scope = Scope(
        frozenset(districts or ()), frozenset(beats or ()), frozenset(shifts or ()), district_of_beat
    )
    reading = Reading(
        spec,
        crime_types,
        ledger=Ledger([both[0] for both in spent.values()], len(spec)),
        beat_of_cell=beats_of_plans(agency, rows, cell_beats(grid)),
        district_of_beat=district_of_beat,
        decided={(row.shift_id, row.on) for row in rows if row.decision},
        scope=scope,
    )
    events, told = events_of(agency, crime_types, grid, rows, window)
    type_names = tuple(one.name for one in crime_types)
    layer = TableLayer(
        spec,
        events,
        most_rows=len(rows) * len(spec),
        window=window,
        type_names=type_names if len(type_names) > 1 else (),
        types_by_plan=True,
        district_of_beat=district_of_beat,
        districts=scope.districts,
        beats=scope.beats,
    )
    digest = hashlib.sha256(grid.hash.encode())
    for at, found in enumerate(read_plans(agency, rows, grid, crime_types)):
        taken = found if isinstance(found, RefusedPlan) else reading.take(found)
        if isinstance(taken, RefusedPlan):
            left_out.append(taken)
        else:
            row = reading.rows[-1]
            digest.update(f"{row.pk}|{taken.digest}|{taken.starts_at_minute}|".encode())
            digest.update(np.ascontiguousarray(taken.forecast).tobytes())
            layer.add(taken, studied=scope.has(row))
        progress(at + 1, len(rows), "Reading plans and counting crimes")
    if not reading.rows:
        raise MissionsError(_why_nothing(left_out), next_step=NEXT_STEP)
    table = layer.finish()
    del layer
    if {reading.rows[0].pk, reading.rows[-1].pk} != {rows[0].pk, rows[-1].pk}:
        # Plans at an end were refused: crimes around them are none of the study's.
        events, told = events_of(agency, crime_types, grid, reading.rows, window)
    stays, measured = presence_of(agency, spec, reading.rows)
    if stays is not None:
        table = replace(table, delivered_minutes=_delivered(table, stays, len(spec), digest))
    for column in (events.at_minute, events.x_m, events.y_m, events.type_index):
        digest.update(np.ascontiguousarray(column).tobytes())
    for plan in left_out:
        digest.update(f"{plan.plan_id}|{plan.code}|".encode())
    used = {row.pk for row in reading.rows}
    begins = reading.rows[0].starts_at_minute / MINUTES_A_DAY
    return StudyInputs(
        agency=agency,
        grid_row=grid,
        grid=spec,
        rows=tuple(reading.rows),
        table=table,
        studied=np.array([scope.has(row) for row in reading.rows], dtype=np.bool_),
        districts=scope.districts,
        beats=scope.beats,
        beat_of_cell=reading.beat_of_cell,
        events=events,
        type_names=type_names,
        district_of_beat=district_of_beat,
        district_names=dict(District.objects.filter(agency=agency).values_list("pk", "name")),
        window=window,
        measured=measured,
        refused=tuple(left_out),
        gaps=tuple(gaps),
        notes=(*reading.notes(), *told, *_young(reading.rows, now)),
        out_of_step=reading.out_of_step,
        data_hash=digest.hexdigest(),
        _planned=tuple(reading.planned),
        _harm=np.stack(reading.harm) if reading.replayable else None,
        _closed=np.stack(reading.closed) if reading.replayable else None,
        _busy=reading.busy,
        # A refused plan's missions went out all the same; additions are no part of the draw.
        _spent=tuple(
            everything if pk not in used else added
            for pk, (everything, added) in spent.items()
            if (pk not in used and everything.begins >= begins - 120.0) or (pk in used and len(added.cell))
        ),
    )


def _delivered(table: Study, stays: Stays, cells: int, digest: "hashlib._Hash") -> MostlyZero:
    """The minutes delivered in each row; those of all points go into the digest."""
    found: list[MostlyZero] = []
    cell = np.asarray(table.cell)
    stops = np.append(table.plan_start, len(table))
    for point in np.unique(stays.point).tolist():
        minutes = stays.of(point, cells)
        digest.update(f"{point}|".encode() + minutes.tobytes())
        first, last = np.searchsorted(table.plan_shift, [point, point + 1]).tolist()
        rows = slice(int(stops[first]), int(stops[last]))
        found.append(MostlyZero.of(minutes[cell[rows]], rows.start))
    return MostlyZero.joined(found, len(table))


def _usable(
    rows: list[PlanRow], window: OutcomeWindow, now: dt.datetime, left_out: list[RefusedPlan]
) -> tuple[list[PlanRow], Grid]:
    """The plans on the grid that most were drawn on, whose windows are over, one a minute. One query."""
    if not rows:
        raise MissionsError(_("No plan was published in this period."), next_step=NEXT_STEP)
    counts = Counter(row.grid_id for row in rows)
    chosen = max(counts, key=lambda pk: (counts[pk], pk))
    # The window runs from the drawn start, at the latest the shift's end; the next draw cuts most of them short.
    over = now if window.stop_at_next_draw else now - dt.timedelta(minutes=window.minutes)
    kept: list[PlanRow] = []
    for row in rows:
        if row.grid_id != chosen:
            left_out.append(refused(row, "other_grid"))
        elif row.period_to > over:
            left_out.append(refused(row, "not_over"))
        elif kept and kept[-1].period_from == row.period_from:
            left_out.append(refused(row, "same_start", f"That is {kept[-1].label}."))
        else:
            kept.append(row)
    if not kept:
        raise MissionsError(_why_nothing(left_out), next_step=NEXT_STEP)
    return kept, Grid.objects.get(pk=chosen)


def _young(rows: list[PlanRow], now: dt.datetime) -> list[str]:
    young = sum(now - row.period_to < dt.timedelta(days=SETTLE_DAYS) for row in rows)
    if not young:
        return []
    return [
        f"{young:,} of {len(rows):,} plans ended less than {SETTLE_DAYS} days before this analysis: crimes of their windows may "
        "still be reported, in drawn and other boxes alike."
    ]


def _gaps(agency: Agency, rows: list[PlanRow], first: dt.date, last: dt.date, now: dt.datetime) -> list[str]:
    """Which shift instances between the first and the last plan have no published plan, in words. One query."""
    planned = {(row.shift_id, row.on) for row in rows}
    if not planned:
        return []
    # A year back, most agencies had no plans yet: that is no gap.
    first = max(first, rows[0].on)
    until = min(last, rows[-1].on, (now - dt.timedelta(days=1)).date())
    every = list(Shift.objects.filter(agency=agency))
    days = [first + dt.timedelta(days=n) for n in range(max((until - first).days + 1, 0))]
    return [
        f"{shift.name} {day:%Y-%m-%d}"
        for day in days
        for shift in every
        if day.weekday() in shift.weekday_numbers and (shift.pk, day) not in planned
    ]


def _why_nothing(left_out: list[RefusedPlan]) -> str:
    why = Counter(one.message for one in left_out).most_common(3)
    return "None of the published plans can be used. " + " ".join(
        f"{n:,} of them: {text[:1].lower()}{text[1:]}" for text, n in why
    )
