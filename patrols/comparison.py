"""Two shifts beside each other: missions by beat and type, harm covered, boxes in common, what became of them."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import shapely
from django.utils.translation import gettext as _

from agencies.models import Shift
from forecasting.engine.grid import GridSpec
from patrols.areas import box_rings
from patrols.board import STATES, MissionRow
from patrols.board_page import Instance, Loaded


def side_address(text: str | None, shift_slug: str | None, shift: Shift, on: dt.date) -> tuple[str, str]:
    """Return date and shift of one side: "2026-03-14/evening", or date and shift apart as the form sends them."""
    date, _slash, slug = (text or "").partition("/")
    return date or on.isoformat(), slug or shift_slug or shift.slug


@dataclass(frozen=True)
class Side:
    """One of the two shifts."""

    name: str
    loaded: Loaded

    @property
    def instance(self) -> Instance:
        return self.loaded.instance

    @property
    def rows(self) -> list[MissionRow]:
        return [row for row in self.loaded.rows if row.state != "withdrawn"]

    @property
    def harm(self) -> float:
        return sum(row.mission.harm for row in self.rows)

    @property
    def harm_share(self) -> float | None:
        """The design's expected share of harm; None where there is no plan."""
        counts = (self.loaded.plan.counts if self.loaded.plan else None) or {}
        return counts.get("harm_share")

    @property
    def minutes(self) -> int:
        return sum(row.mission.dose_minutes * len(row.visits) for row in self.rows)


@dataclass(frozen=True)
class Line:
    """One line of a table: a beat, a type or a state, how many missions on either side."""

    label: str
    a: int
    b: int

    @property
    def difference(self) -> int:
        return self.b - self.a


@dataclass(frozen=True)
class Comparison:
    """What two shifts share and in what they differ."""

    beats: list[Line]
    types: list[Line]
    states: list[Line]
    missions: Line
    harm_difference: float
    minutes_difference: int
    shared: int
    of: int
    by_place: bool

    @property
    def tables(self) -> list[tuple[str, list[Line]]]:
        return [(_("By crime type"), self.types), (_("By state"), self.states), (_("By beat"), self.beats)]

    @property
    def shared_percent(self) -> int:
        return round(100 * self.shared / self.of) if self.of else 0


def comparison(a: Side, b: Side) -> Comparison:
    """Compare two shifts by their missions that stand. One query for each plan whose grid is not read yet."""
    grids = [{plan.grid_id for plan in side.loaded.plans if plan.grid_id} for side in (a, b)]
    same_grid = len(grids[0] | grids[1]) <= 1
    if same_grid:
        cells = [{row.mission.cell_id for row in side.rows} for side in (a, b)]
        shared, of = len(cells[0] & cells[1]), len(cells[0] | cells[1])
    else:
        shared, of = _shared_by_place(a, b)
    return Comparison(
        beats=_lines(a, b, lambda row: _("Beat %(beat_code)s") % {"beat_code": row.mission.beat.code}),
        types=_lines(a, b, lambda row: row.mission.crime_type.name),
        states=sorted(_lines(a, b, lambda row: row.state), key=lambda line: STATES.index(line.label)),
        missions=Line(_("Missions"), len(a.rows), len(b.rows)),
        harm_difference=b.harm - a.harm,
        minutes_difference=b.minutes - a.minutes,
        shared=shared,
        of=of,
        by_place=not same_grid,
    )


def _lines(a: Side, b: Side, key: Callable[[MissionRow], Hashable]) -> list[Line]:
    counts = [Counter(str(key(row)) for row in side.rows) for side in (a, b)]
    return [Line(label, counts[0][label], counts[1][label]) for label in sorted(counts[0] | counts[1])]


def _shared_by_place(a: Side, b: Side) -> tuple[int, int]:
    """Boxes of different grids: shared where two overlap by half. Returns (shared, boxes in either)."""
    boxes = [_boxes(side) for side in (a, b)]
    tree = shapely.STRtree(boxes[1])
    shared = 0
    for box in boxes[0]:
        near = [boxes[1][index] for index in tree.query(box)]
        shared += any(box.intersection(other).area >= 0.5 * min(box.area, other.area) for other in near)
    return shared, len(boxes[0]) + len(boxes[1]) - shared


def _boxes(side: Side) -> list[shapely.Polygon]:
    found = []
    for plan in side.loaded.plans:
        own = [row.mission.cell_id for row in side.rows if row.mission.plan_id == plan.pk]
        if plan.grid is not None and own:
            spec = GridSpec.from_bytes(bytes(plan.grid.spec))
            found += [shapely.Polygon(ring) for ring in box_rings(spec, own)]
    return found
