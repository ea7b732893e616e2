"""What missions' boxes held of events, severity and patrol weight, what as many boxes picked blindly would have, and a plain count's."""

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from agencies.models import Agency, Beat
from forecasting.models import Grid, RiskSurface
from forecasting.selectors import baseline_values, cell_beats, grid_spec, surface_values
from missions_project.lib.errors import MissionsError
from patrols.models import Mission, MissionPlan
from tactics.reports.asked import Asked
from tactics.reports.crimes import Crimes

logger = logging.getLogger(__name__)
MOST_LAID_OUT = 120
"""Plans for which the maps of risk and of the plain count are laid out: each means two hundred kilobytes a crime type."""
SURFACES_AT_ONCE = 24
TENTHS = 10
EVENTS, SEVERITY, WEIGHT = range(3)
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass
class LaidOut:
    """What is known of a plan whose maps were laid out.

    ``plain``: float64[3], amounts in the boxes with the highest plain count, as many in each beat as the plan has. ``plain_by_type``:
    its events by position of the crime type. ``expected``, ``observed``: float64[districts + 10], counts by district and then by
    tenth of the cells, riskiest first; of crime types that were forecast.
    """

    plain: Floats
    plain_by_type: dict[int, float]
    expected: Floats
    observed: Floats


@dataclass
class PlanCatch:
    """One plan: its missions' boxes, and what happened in its shift.

    ``whole``, ``inside``, ``chance``: float64[3], in all cells in question, in the boxes, and in as many boxes of each beat picked
    blindly: events, severity (the sum of crime types' weights), patrol weight (expected harm before the shift; 0 until laid out).
    ``by_type``: events, those in boxes, those by chance, by position of the crime type.
    """

    on: dt.date
    boxes: int
    cells: int
    whole: Floats
    inside: Floats
    chance: Floats
    by_type: dict[int, tuple[int, int, float]] = field(default_factory=dict)
    laid_out: LaidOut | None = None


@dataclass(frozen=True)
class Ground:
    """The cells in question: beats of the districts and beats that were asked for."""

    beats: Ints
    is_inside: npt.NDArray[np.bool_]
    beat_keys: Ints
    place: Ints
    districts: list[str]
    district: Ints

    @classmethod
    def of(cls, agency: Agency, asked: Asked, grid: Grid) -> "Ground":
        """Two queries."""
        beats = cell_beats(grid)
        rows = [
            row
            for row in Beat.objects.filter(agency=agency).values_list(
                "pk", "code", "district__code", "district__name"
            )
            if asked.lets(beat=row[1], district=row[2])
        ]
        district_of = {pk: code for pk, _code, code, _name in rows}
        names = {code: name or code for _pk, _code, code, name in rows}
        keys, place = np.unique(beats, return_inverse=True)
        # By their codes: two districts may have one name, or none.
        codes = sorted(names)
        of_beat = np.array(
            [codes.index(district_of[key]) if key in district_of else -1 for key in keys.tolist()],
            dtype=np.int64,
        )
        return cls(
            beats=beats,
            is_inside=np.isin(beats, list(district_of)),
            beat_keys=keys,
            place=place,
            districts=[names[code] for code in codes],
            district=of_beat[place],
        )

    @property
    def n_cells(self) -> int:
        return int(self.is_inside.sum())

    def given(self, boxes: Ints) -> Ints:
        """How many of these boxes each of ``beat_keys`` has: by the beats of today, as all else is counted."""
        return np.bincount(self.place[boxes], minlength=len(self.beat_keys))


@dataclass(frozen=True)
class Shift:
    """One plan's shift as it is counted: cell, weight and crime type of each event; boxes; how many of them each beat has."""

    events: Ints
    weight: Floats
    kinds: Ints
    boxes: Ints
    given: Ints


def catches_of(
    agency: Agency,
    asked: Asked,
    crimes: Crimes,
    plans: list[MissionPlan],
    grid: Grid,
    *,
    most: int = MOST_LAID_OUT,
) -> tuple[list[PlanCatch], Ground, int]:
    """What each plan's boxes held, in the order of ``plans``; at most ``most`` of them, evenly spread, are laid out. Five queries.

    Last, how many could not be laid out because a surface of theirs is damaged or of another grid.
    """
    ground, spec = Ground.of(agency, asked, grid), grid_spec(grid)
    missions: dict[int, list[int]] = defaultdict(list)
    rows = Mission.objects.filter(agency=agency, plan__in=plans, withdrawn_at=None)
    for plan_id, cell in rows.values_list("plan_id", "cell_id").iterator():
        missions[plan_id].append(cell)
    at = crimes.table.occurred_utc[crimes.row]
    weights = np.array([row.weight for row in crimes.types], dtype=np.float64)
    chosen = laid_out([(plan.shift_id, plan.period_from, plan.pk) for plan in plans], most)
    found, by_run = [], defaultdict(list)
    for number, plan in enumerate(plans):
        begin, end = (
            np.datetime64(int(moment.timestamp()), "s") for moment in (plan.period_from, plan.period_to)
        )
        here = np.flatnonzero((at >= begin) & (at < end) & (crimes.cell >= 0))
        here = here[ground.is_inside[crimes.cell[here]]]
        kinds = crimes.kind[here]
        boxes = np.unique(spec.index_of(missions[plan.pk]))
        boxes = boxes[boxes >= 0]
        boxes = boxes[ground.is_inside[boxes]]
        shift = Shift(crimes.cell[here], weights[kinds], kinds, boxes, ground.given(boxes))
        catch = _counted(plan.on, shift, ground)
        if number in chosen and len(boxes):
            by_run[plan.forecast_run_id].append((catch, shift))
        found.append(catch)
    unreadable = 0
    for run, maps in _maps(list(by_run), crimes, grid):
        for catch, shift in by_run[run]:
            if maps is None:
                unreadable += 1
            else:
                _lay_out(catch, shift, ground, maps)
    return found, ground, unreadable


def laid_out(keys: Sequence[tuple[Any, ...]], most: int = MOST_LAID_OUT) -> set[int]:
    """Which of these are laid out: at most so many positions, evenly spread over the order of the keys.

    The shift has to come first in a key. By time alone every third plan would be of the same shift, where there are three.

    >>> sorted(laid_out([("night", 1), ("day", 1)]))
    [0, 1]
    """
    order = sorted(range(len(keys)), key=lambda at: keys[at])
    spread = np.linspace(0, len(keys) - 1, min(len(keys), most)).astype(int)
    return {order[at] for at in spread.tolist()}


def _chance(shift: Shift, ground: Ground) -> Floats:
    """The chance of each cell to be a box, were as many of its beat picked blindly."""
    cells = np.bincount(ground.place, minlength=len(ground.beat_keys))
    by_cell: Floats = (shift.given / np.maximum(cells, 1))[ground.place]
    return by_cell


def _counted(on: dt.date, shift: Shift, ground: Ground) -> PlanCatch:
    hit = np.isin(shift.events, shift.boxes)
    by_chance = _chance(shift, ground)[shift.events]
    catch = PlanCatch(
        on=on,
        boxes=len(shift.boxes),
        cells=ground.n_cells,
        whole=np.array([len(hit), shift.weight.sum(), 0.0]),
        inside=np.array([hit.sum(), shift.weight[hit].sum(), 0.0]),
        chance=np.array([by_chance.sum(), (shift.weight * by_chance).sum(), 0.0]),
    )
    for kind in np.unique(shift.kinds).tolist():
        own = shift.kinds == kind
        catch.by_type[kind] = int(own.sum()), int((own & hit).sum()), float(by_chance[own].sum())
    return catch


@dataclass(frozen=True)
class Maps:
    """Of one forecast, float64[N] by cell: expected harm, the plain count's harm, expected events; and which crime types it is of."""

    harm: Floats
    plain: Floats
    expected: Floats
    kinds: list[int]


def _maps(runs: list[int | None], crimes: Crimes, grid: Grid) -> Iterator[tuple[int, Maps | None]]:
    """Yield each run with its maps. One query, few rows held at a time.

    None where one of its surfaces cannot be read: a year is not refused for one of them, and a part of a forecast is none. A run
    without a plain count is not among them.
    """
    position = {row.pk: number for number, row in enumerate(crimes.types)}
    rows = (
        RiskSurface.objects.filter(run__in=[run for run in runs if run], crime_type__in=list(position))
        .select_related("model_version", "crime_type")
        .only(
            "run_id",
            "crime_type__name",
            "model_version__is_baseline",
            "grid_hash",
            "codec",
            "dtype",
            "values",
            "baseline_values",
        )
        .order_by("run_id")
    )
    for run, surfaces in groupby(rows.iterator(chunk_size=SURFACES_AT_ONCE), key=attrgetter("run_id")):
        try:
            maps = _added_up(surfaces, position, crimes, grid)
        except MissionsError as error:
            logger.warning("Forecast %s is left out of the effectiveness report: %s", run, error)
            yield run, None
        else:
            if maps.kinds:
                yield run, maps


def _added_up(surfaces: Iterator[RiskSurface], position: dict[int, int], crimes: Crimes, grid: Grid) -> Maps:
    harm, plain, expected = np.zeros((3, grid.n_cells))
    kinds = []
    for surface in surfaces:
        kind = position[surface.crime_type_id]
        values, weight = surface_values(surface, grid).astype(np.float64), crimes.types[kind].weight
        counts = baseline_values(surface, grid)
        if counts is None and not surface.model_version.is_baseline:
            continue
        # A baseline that is live has no surface beside it: it is its own.
        plain += weight * (values if counts is None else counts)
        harm += weight * values
        expected += values
        kinds.append(kind)
    return Maps(harm, plain, expected, kinds)


def _lay_out(catch: PlanCatch, shift: Shift, ground: Ground, maps: Maps) -> None:
    harm = np.where(ground.is_inside, maps.harm, 0.0)
    catch.whole[WEIGHT] = harm.sum()
    catch.inside[WEIGHT] = harm[shift.boxes].sum()
    catch.chance[WEIGHT] = harm @ _chance(shift, ground)
    top = _highest(maps.plain, shift.given, ground)
    by_top = top[shift.events]
    expected, observed = _by_group(shift, ground, maps)
    catch.laid_out = LaidOut(
        plain=np.array([by_top.sum(), (shift.weight * by_top).sum(), harm @ top]),
        plain_by_type={kind: float(by_top[shift.kinds == kind].sum()) for kind in catch.by_type},
        expected=expected,
        observed=observed,
    )


def _highest(values: Floats, given: Ints, ground: Ground) -> Floats:
    """Which cells are the highest of their beat, as many as are given: 1, or a part where several that are level share. float64[N].

    To one part in ten million, as surfaces are stored.
    """
    # Sorted once for all beats, by beat and then from the highest: beat by beat a year of them took a second.
    keys = _descending(values) | (ground.place.astype(np.uint64) << np.uint64(32))
    cells = np.bincount(ground.place, minlength=len(given))
    last = np.cumsum(cells) - cells + np.minimum(given, cells) - 1
    cut = np.sort(keys)[np.maximum(last, 0)][ground.place]
    above, level = keys < cut, keys == cut
    wanted = np.minimum(given, cells) - np.bincount(ground.place[above], minlength=len(given))
    share = wanted / np.maximum(np.bincount(ground.place[level], minlength=len(given)), 1)
    found = np.where(above, 1.0, np.where(level, share[ground.place], 0.0))
    found[(given == 0)[ground.place]] = 0.0
    return found


def _descending(values: Floats) -> npt.NDArray[np.uint64]:
    """Whole numbers below 2^32 that stand in the order of these values, the highest first; none of the values is negative."""
    # The bits of a float that is not negative grow with it.
    bits = values.astype(np.float32).view(np.uint32)
    return (np.uint32(2**32 - 1) - bits).astype(np.uint64)


def _by_group(shift: Shift, ground: Ground, maps: Maps) -> tuple[Floats, Floats]:
    """Expected and observed events by district, then by tenth of the cells, riskiest first."""
    inside = np.flatnonzero(ground.is_inside)
    events = shift.events[np.isin(shift.kinds, maps.kinds)]
    tenth = np.zeros(len(ground.place), dtype=np.int64)
    # Those that are level in the order of cells; numbers are sorted ten times as fast as places by numbers.
    keys = (_descending(maps.expected[inside]) << np.uint64(32)) | np.arange(len(inside), dtype=np.uint64)
    order = inside[np.sort(keys).astype(np.uint32)]
    tenth[order] = np.arange(len(order)) * TENTHS // max(len(order), 1)
    n = len(ground.districts)
    parts = [
        np.concatenate(
            [
                np.bincount(ground.district[cells], weight, n),
                np.bincount(tenth[cells], weight, TENTHS),
            ]
        )
        for cells, weight in ((inside, maps.expected[inside]), (events, np.ones(len(events))))
    ]
    return parts[0], parts[1]
