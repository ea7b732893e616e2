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

from agencies.models import Agency, Beat, CrimeType, District, Shift
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid
from forecasting.selectors import cell_beats, grid_spec
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from tactics.engine.impact import CrimeEvents, OutcomeWindow, PlanHistory, ShiftDraw, Study, build_study
from tactics.engine.impact.batch import BeatLayout
from tactics.engine.impact.replays import MINUTES_A_DAY
from tactics.engine.impact.stored import Ledger, Spent, study_part
from tactics.engine.impact.study import Bools, Floats, Ints
from tactics.study_facts import events_of, presence_of
from tactics.study_plans import (
    PlanRow,
    Reading,
    RefusedPlan,
    beats_of_plans,
    plan_rows,
    read_plans,
    refused,
    spent_before,
)

WINDOW_HOURS = 8.0
"""Hours after the drawn start in which crimes count, where a study does not say."""
SETTLE_DAYS = 14
"""Crimes of younger shifts may still be reported; both arms lack them alike."""
NEXT_STEP = "widen the dates, or publish plans first: every published plan counts by itself."


@dataclass(frozen=True, eq=False)
class StudyInputs:
    """What ``build_study``, ``plan_history`` and ``design_experiment`` take, for S decision points and N grid cells.

    ``shifts`` and ``rows`` [S] by time: the plans of all shifts (each re-draw needs them all), decisions during a shift as
    points of their own. ``studied`` bool[S] marks those of the shifts asked for, ``districts`` and
    ``beats`` (ids; empty: all) the part of town. ``harm`` float64[S, N]; ``beat_of_cell`` int64[N]; ``measured`` bool[S]: vehicle positions are at hand for the
    shift. ``refused`` plans and ``gaps`` (shift instances without a published plan) are for the report. ``out_of_step``
    plans were drawn before an earlier shift's plan was published: a replay in the order of time differs from them a little.

    Memory: about 30 bytes a candidate row and 12 + 4 T bytes a shift and cell.
    """

    agency: Agency
    grid_row: Grid
    grid: GridSpec
    rows: tuple[PlanRow, ...]
    shifts: tuple[ShiftDraw, ...]
    studied: Bools
    districts: frozenset[int]
    beats: frozenset[int]
    harm: Floats
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
    _closed: Bools = field(repr=False)
    _busy: dict[int, Floats] = field(repr=False)
    _spent: tuple[Spent, ...] = field(repr=False)

    def study(self, progress: Progress = no_progress) -> Study:
        """Lay the study's table for the shifts and districts asked for. Raises ``StudyError`` where nothing is left.

        Delivered minutes are in it only where every shift studied has vehicle positions; see ``measured_part``.
        """
        study = self._table(progress)
        if not self.measured[study.plan_shift].all():
            study = replace(study, delivered_minutes=None)
        return study

    def measured_part(self) -> Study | None:
        """The plans of shifts with vehicle positions alone, for the effect of minutes delivered; None where there is none."""
        if not (self.measured & self.studied).any():
            return None
        study = self._table(no_progress)
        keep = self.measured[study.plan_shift]
        return study_part(study, keep) if keep.any() else None

    def _table(self, progress: Progress) -> Study:
        study = build_study(
            grid=self.grid,
            shifts=self.shifts,
            events=self.events,
            district_of_beat=self.district_of_beat,
            window=self.window,
            type_names=self.type_names if len(self.type_names) > 1 else (),
            progress=progress,
        )
        keep = self.studied[study.plan_shift]
        if self.districts:
            keep = keep & np.isin(study.plan_district, sorted(self.districts))
        if self.beats:
            keep = keep & np.isin(study.plan_beat, sorted(self.beats))
        return study_part(study, keep)

    def history(self) -> PlanHistory:
        """The plans, ready to be drawn again as they were drawn: rest, saturation, additions, policies, decisions."""
        layout = BeatLayout.of(self.beat_of_cell, *self.grid.centres())
        k = np.zeros((len(self.shifts), len(layout.beat_id)), dtype=np.int64)
        visits = np.ones_like(k)
        for s, one in enumerate(self.shifts):
            at = np.searchsorted(layout.beat_id, one.draw.beat_id)
            k[s, at], visits[s, at] = one.draw.beat_k, one.draw.beat_visits
        start = np.array([one.starts_at_minute for one in self.shifts])
        end = start + np.array([float(one.draw.shift_minutes) for one in self.shifts])
        policies = tuple(one.draw.policy for one in self.shifts)
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
            self.harm,
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

    def data_hash(self) -> str:
        """A mark of everything that the analysis reads: designs, forecasts, crimes, presence. 64 hex digits."""
        digest = hashlib.sha256(self.grid_row.hash.encode())
        for row, one in zip(self.rows, self.shifts, strict=True):
            digest.update(f"{row.pk}|{one.digest}|{one.starts_at_minute}|".encode())
            digest.update(np.ascontiguousarray(one.forecast).tobytes())
            if one.delivered_minutes is not None:
                digest.update(np.ascontiguousarray(one.delivered_minutes).tobytes())
        for column in (self.events.at_minute, self.events.x_m, self.events.y_m, self.events.type_index):
            digest.update(np.ascontiguousarray(column).tobytes())
        for plan in self.refused:
            digest.update(f"{plan.plan_id}|{plan.code}|".encode())
        return digest.hexdigest()


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

    Twelve queries, two more for each 64 plans. Raises ``MissionsError`` where no plan can be used, naming why.
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
    reading = Reading(
        spec,
        crime_types,
        ledger=Ledger([both[0] for both in spent.values()], len(spec)),
        beat_of_cell=beats_of_plans(agency, rows, cell_beats(grid)),
        district_of_beat=district_of_beat,
        decided={(row.shift_id, row.on) for row in rows if row.decision},
    )
    for at, found in enumerate(read_plans(agency, rows, grid, crime_types)):
        if (why := found if isinstance(found, RefusedPlan) else reading.take(found)) is not None:
            left_out.append(why)
        progress(at + 1, len(rows), "Reading plans and drawing them again")
    if not reading.rows:
        raise MissionsError(_why_nothing(left_out), next_step=NEXT_STEP)
    used = {row.pk for row in reading.rows}
    begins = reading.rows[0].starts_at_minute / MINUTES_A_DAY
    delivered, measured = presence_of(agency, spec, reading.rows)
    events, told = events_of(agency, crime_types, grid, reading.rows, window)
    shift_draws = tuple(
        ShiftDraw(
            row.starts_at_minute,
            draw,
            sum(types[1:], types[0]),  # type: ignore[arg-type]  # float32 halves the memory
            np.stack(types) if len(types) > 1 else None,  # type: ignore[arg-type]
            delivered[s],
            row.design_hash,
        )
        for s, (row, draw, types) in enumerate(
            zip(reading.rows, reading.draws, reading.forecasts, strict=True)
        )
    )
    return StudyInputs(
        agency=agency,
        grid_row=grid,
        grid=spec,
        rows=tuple(reading.rows),
        shifts=shift_draws,
        studied=np.array([not shifts or row.shift_id in shifts for row in reading.rows], dtype=np.bool_),
        districts=frozenset(districts or ()),
        beats=frozenset(beats or ()),
        harm=np.stack(reading.harm),
        beat_of_cell=reading.beat_of_cell,
        events=events,
        type_names=tuple(one.name for one in crime_types),
        district_of_beat=district_of_beat,
        district_names=dict(District.objects.filter(agency=agency).values_list("pk", "name")),
        window=window,
        measured=measured,
        refused=tuple(left_out),
        gaps=tuple(gaps),
        notes=(*reading.notes(), *told, *_young(reading.rows, now)),
        out_of_step=reading.out_of_step,
        _closed=np.stack(reading.closed),
        _busy=reading.busy,
        # A refused plan's missions went out all the same; additions are no part of the draw.
        _spent=tuple(
            everything if pk not in used else added
            for pk, (everything, added) in spent.items()
            if (pk not in used and everything.begins >= begins - 120.0) or (pk in used and len(added.cell))
        ),
    )


def _usable(
    rows: list[PlanRow], window: OutcomeWindow, now: dt.datetime, left_out: list[RefusedPlan]
) -> tuple[list[PlanRow], Grid]:
    """The plans on the grid that most were drawn on, whose windows are over, one a minute. One query."""
    if not rows:
        raise MissionsError("No plan was published in this period.", next_step=NEXT_STEP)
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
    return "None of the published plans can be used. " + " ".join(f"({n} ×) {text}" for text, n in why)
