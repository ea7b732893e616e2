"""Lay a study's table while its plans are read: a year of a large city must never lie in memory twice."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.grid import GridSpec
from missions_project.lib.progress import Progress, no_progress
from tactics.engine.impact.outcomes import (
    WEEK_MINUTES,
    Columns,
    CrimeEvents,
    OutcomeWindow,
    Reach,
    ShiftDraw,
    lay_stretch,
    neighbours_of,
)
from tactics.engine.impact.sparse import MostlyZero
from tactics.engine.impact.study import Floats, Ints, Study, StudyError
from tactics.engine.impact.sums import type_totals

STRETCH_ROWS = 250_000
"""Rows laid at a time: laid at once, the table's intermediate columns would take more memory than the table."""
NARROW_ROWS = 5_000_000
"""From so many rows on whole numbers take as few bytes as hold them, probabilities four, and columns of zeros next to none."""

_REAL = (
    "forecast", "ring_forecast", "spill_in", "ring_drawn", "ring_spill_in", "delivered_minutes",
)  # fmt: skip
_COUNTS = ("outcome", "ring_outcome", "before", "ring_before", "week_before")
_MOSTLY_ZERO = ("spill_in", "ring_drawn", "delivered_minutes")
"""Not 0 in boxes beside a mission, or with a car in it, alone."""
_Types = tuple[type[np.generic], ...]
_KEPT_AS: dict[str, _Types] = {
    "cell": (np.int32,),
    "pi": (np.float64,),
    "drawn": (np.bool_,),
    **dict.fromkeys(_COUNTS, (np.uint16,)),
    **dict.fromkeys((*_REAL, "start_minutes", "window_minutes", "dose_minutes"), (np.float32,)),
}
_KEPT_NARROW_AS: dict[str, _Types] = _KEPT_AS | {
    "cell": (np.uint16, np.int32),
    "pi": (np.float32,),
    **dict.fromkeys(_COUNTS, (np.uint8, np.uint16)),
    "dose_minutes": (np.uint8, np.float32),
    **dict.fromkeys(("start_minutes", "window_minutes"), (np.uint16, np.float32)),
}
"""The first of these types that holds all of a column; none is rounded but what is float32 without it."""


class _Column:
    """One column, as narrow as what was put into it allows. Untouched ends of it take no memory."""

    def __init__(self, most_rows: int, dtypes: _Types) -> None:
        self._dtypes = list(dtypes)
        self.values: npt.NDArray[Any] = np.empty(most_rows, dtype=self._dtypes[0])

    def put(self, rows: slice, values: npt.NDArray[Any]) -> None:
        """Write some rows, one after another from the first; widen the column where they do not fit."""
        while len(self._dtypes) > 1 and not _fits(values, self._dtypes[0]):
            self._dtypes.pop(0)
            wider = np.empty(len(self.values), dtype=self._dtypes[0])
            wider[: rows.start] = self.values[: rows.start]
            self.values = wider
        self.values[rows] = values

    def first(self, rows: int) -> npt.NDArray[Any]:
        """The column of the first rows."""
        return self.values[:rows]


class _ThinColumn:
    """One column that is mostly 0."""

    def __init__(self) -> None:
        self._parts: list[MostlyZero] = []

    def put(self, rows: slice, values: npt.NDArray[Any]) -> None:
        """Write some rows, one after another from the first."""
        self._parts.append(MostlyZero.of(values, rows.start))

    def first(self, rows: int) -> MostlyZero:
        """The column of the first rows."""
        return MostlyZero.joined(self._parts, rows)


def _fits(values: npt.NDArray[Any], dtype: type[np.generic]) -> bool:
    limit = np.iinfo(dtype).max  # type: ignore[type-var]  # only whole numbers stand before the last type
    return bool(
        values.min(initial=0) >= 0 and values.max(initial=0) <= limit and (values == np.floor(values)).all()
    )


class TableLayer:
    """Takes shifts one after another, in the order of time, and lays their rows; what it has laid it lets go.

    At most ``most_rows`` rows come of it. Of ``districts`` and ``beats`` (ids; empty: all) and of shifts that are added as
    studied rows are kept; the others count as neighbours' missions only. With ``types_by_plan`` crime types are kept as
    totals by plan (``Study.type_totals``), else row by row.
    """

    def __init__(
        self,
        grid: GridSpec,
        events: CrimeEvents,
        *,
        most_rows: int,
        window: OutcomeWindow | None = None,
        type_names: tuple[str, ...] = (),
        types_by_plan: bool = False,
        measured: bool = False,
        district_of_beat: dict[int, int] | None = None,
        districts: frozenset[int] = frozenset(),
        beats: frozenset[int] = frozenset(),
    ) -> None:
        self.grid, self.events, self.window = grid, events, window or OutcomeWindow()
        self.types, self.types_by_plan = type_names, types_by_plan
        self.district_of_beat, self.districts, self.beats = district_of_beat or {}, districts, beats
        self.ring = neighbours_of(grid)
        self.reach = Reach.of(self.ring)
        self.place = grid.locate(events.x_m, events.y_m)
        narrow = most_rows > NARROW_ROWS
        kept_as = _KEPT_NARROW_AS if narrow else _KEPT_AS
        self.kept = {
            name: _ThinColumn() if narrow and name in _MOSTLY_ZERO else _Column(most_rows, dtypes)
            for name, dtypes in kept_as.items()
            if measured or name != "delivered_minutes"
        }
        by_row = 0 if types_by_plan else len(type_names)
        self.type_outcome = np.empty((by_row, most_rows), dtype=np.uint16)
        self.type_forecast = np.empty((by_row, most_rows), dtype=np.float32)
        self.type_totals: list[Floats] = []
        self.plans: list[tuple[Ints, Ints, Ints]] = []
        self.starts: list[float] = []
        self.digests: list[str] = []
        self.rows = 0
        self.later = False
        self._waiting: list[ShiftDraw] = []
        self._studied: list[bool] = []
        self._waiting_rows = 0

    def add(self, shift: ShiftDraw, *, studied: bool = True) -> None:
        """Take the next shift. Raises ``StudyError`` for one that does not start after the last."""
        if self.starts and shift.starts_at_minute <= self.starts[-1]:
            raise StudyError("Give the study's shift instances in ascending order of start, at least one.")
        if self._waiting and self._waiting_rows + len(shift.draw) > STRETCH_ROWS:
            self._lay(shift.starts_at_minute)
        self._waiting.append(shift)
        self._studied.append(studied)
        self._waiting_rows += len(shift.draw)
        self.starts.append(shift.starts_at_minute)
        self.digests.append(shift.digest)

    def finish(self) -> Study:
        """Lay what is left and return the table. Raises ``StudyError`` where no row is kept."""
        if not self.starts:
            raise StudyError("Give the study's shift instances in ascending order of start, at least one.")
        if self._waiting:
            self._lay(self.starts[-1] + self._waiting[-1].draw.shift_minutes)
        if self.rows == 0:
            raise StudyError(
                "No plan of the study lies in the districts and shifts chosen, or nothing was drawn. Choose others."
            )
        starts = np.array(self.starts)
        plan_start, plan_shift, plan_beat = (
            np.concatenate([one[at] for one in self.plans]) for at in range(3)
        )
        columns = {name: column.first(self.rows) for name, column in self.kept.items()}
        is_typed = bool(self.types) and not self.types_by_plan
        return Study(
            plan_start=plan_start,
            plan_shift=plan_shift,
            plan_beat=plan_beat,
            # Weeks are counted from the study's first shift: a calendar week would cut its first week short.
            plan_week=((starts[plan_shift] - starts[0]) // WEEK_MINUTES).astype(np.int64),
            plan_district=self._district(plan_beat),
            type_names=self.types,
            type_outcome=self.type_outcome[:, : self.rows] if is_typed else None,
            type_forecast=self.type_forecast[:, : self.rows] if is_typed else None,
            type_totals=self._joined_totals(len(plan_beat)),
            includes_later_policy=self.later,
            design_digests=tuple(self.digests),
            **columns,  # type: ignore[arg-type]  # each as the table wants it
        )

    def _joined_totals(self, plans: int) -> Floats | None:
        """The types' totals of all stretches side by side; each stretch's is let go as it is copied."""
        if not self.type_totals:
            return None
        joined = np.empty((*self.type_totals[0].shape[:2], plans))
        at = 0
        self.type_totals.reverse()
        while self.type_totals:
            some = self.type_totals.pop()
            joined[..., at : at + some.shape[2]] = some
            at += some.shape[2]
        return joined

    def _district(self, beat: Ints) -> Ints:
        return np.array([self.district_of_beat.get(int(one), 0) for one in beat], dtype=np.int64)

    def _lay(self, next_start: float) -> None:
        """Lay the shifts that wait; the one after them starts at ``next_start``."""
        shifts, studied = self._waiting, np.array(self._studied, dtype=np.bool_)
        begin = len(self.starts) - len(shifts)
        self._waiting, self._studied, self._waiting_rows = [], [], 0
        if not any(len(one.draw) for one in shifts):
            return
        next_draw = np.append([one.starts_at_minute for one in shifts[1:]], next_start)
        laid, (first, shift, beat), later = lay_stretch(
            self.grid,
            shifts,
            next_draw,
            self.events,
            self.place,
            self.window,
            self.types,
            self.ring,
            self.reach,
        )
        self.later = self.later or later
        keep = studied[shift]
        if self.districts:
            keep = keep & np.isin(self._district(beat), sorted(self.districts))
        if self.beats:
            keep = keep & np.isin(beat, sorted(self.beats))
        if not keep.any():
            return
        if not keep.all():
            sizes = np.diff(np.append(first, len(laid["pi"])))
            rows_kept = np.repeat(keep, sizes)
            laid = {name: column[..., rows_kept] for name, column in laid.items()}
            first = np.cumsum(np.append(0, sizes[keep][:-1])).astype(np.int64)
            shift, beat = shift[keep], beat[keep]
        rows = slice(self.rows, self.rows + len(laid["pi"]))
        for name, column in self.kept.items():
            column.put(rows, laid[name])
        self._types(laid, rows, first)
        self.plans.append((first + rows.start, shift + begin, beat))
        self.rows = rows.stop

    def _types(self, laid: Columns, rows: slice, first: Ints) -> None:
        if not self.types_by_plan:
            self.type_outcome[:, rows] = laid["type_outcome"]
            self.type_forecast[:, rows] = laid["type_forecast"]
        elif self.types:
            drawn = laid["drawn"].astype(np.float64)
            totals = [
                type_totals(
                    "missions",
                    pi=laid["pi"],
                    drawn=drawn,
                    outcome=outcome.astype(np.float64),
                    # As the table would have kept it, so that both ways give the same digits.
                    forecast=forecast.astype(np.float32).astype(np.float64),
                    first=first,
                )
                for outcome, forecast in zip(laid["type_outcome"], laid["type_forecast"], strict=True)
            ]
            self.type_totals.append(np.stack(totals))


def build_study(
    *,
    grid: GridSpec,
    shifts: Sequence[ShiftDraw],
    events: CrimeEvents,
    district_of_beat: dict[int, int] | None = None,
    window: OutcomeWindow | None = None,
    type_names: tuple[str, ...] = (),
    progress: Progress = no_progress,
) -> Study:
    """Lay the study's table: one row a candidate and shift, with what happened there. Linear in rows and events.

    ``shifts`` ascend by start; each names its grid cells by position. With ``window.stop_at_next_draw`` a row's window
    ends where the cell's next shift is drawn (the next shift instance given); without it, rows whose window runs past
    that make the study one that is "including later policy". Raises ``StudyError`` for no shift or a wrong order.
    """
    layer = TableLayer(
        grid,
        events,
        most_rows=sum(len(one.draw) for one in shifts),
        window=window,
        type_names=type_names if all(one.type_forecast is not None for one in shifts) else (),
        measured=bool(shifts) and all(one.delivered_minutes is not None for one in shifts),
        district_of_beat=district_of_beat,
    )
    for at, one in enumerate(shifts, start=1):
        layer.add(one)
        progress(at, len(shifts), "Counting crimes")
    return layer.finish()
