"""How long it took until the next crime: in boxes that were drawn, and in like boxes that were not.

Two pictures that must not be mixed up. *From the drawn start*: every candidate box has one, sent or not, so both arms'
clocks start alike and the draw's probabilities make them comparable. *From arrival*: visits by how long the car stayed, as
in Koper (1995). That one describes and compares nothing: a car that was called away after four minutes could not stay
fifteen, so long stays are those in which nothing happened (immortal time), and officers stay where they see a reason to.

Notes
-----
Product-limit estimator with weights (Kaplan and Meier 1958; Xie and Liu 2005), here as 1 - S: the share of boxes in which a
crime was reported by then. Drawn boxes weigh 1, others pi / (1 - pi): both arms then stand for the boxes to which missions
go. Variance from each plan's summed influence, since boxes of one plan are drawn together; with equal weights and no plans it
is Greenwood's, to the last digit. Bands are pointwise, on the scale of log(-log S). scipy's product limit takes no
weights; the tests hold this one against statsmodels'.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import stats

from forecasting.engine.grid import GridSpec
from tactics.engine.impact.outcomes import CrimeEvents
from tactics.engine.impact.study import Bools, Floats, Ints, Study, StudyError

STAY_EDGES_MINUTES = (5.0, 10.0, 15.0)
"""Stays below 5 minutes, 5 to 10, 10 to 15, and longer: Koper's bins."""
RULE_OF_THREE = 3.0
"""With no crime in n boxes, up to 3 / n is what 95 % of such samples would still allow."""


@dataclass(frozen=True)
class Curve:
    """The share of boxes in which a crime was reported within so many minutes. Arrays [G], one element a point in time.

    ``minutes`` ascending from the clock's start, ``share`` 0..1 with its pointwise band ``low``, ``high``; ``watched`` how
    many boxes (not weighted) were still watched then. ``boxes``, ``crimes``: how many the curve stands on.
    """

    name: str
    minutes: Floats
    share: Floats
    low: Floats
    high: Floats
    watched: Ints
    boxes: int
    crimes: int


@dataclass(frozen=True)
class Watch:
    """When each box began and ceased to be watched. One element a row [n]: ``cell`` grid position, ``opens_at``,
    ``closes_at`` minutes since 1970 (UTC), half-open; ``pi`` and ``drawn`` of the design; ``plan`` which rows were drawn
    together (any whole numbers)."""

    cell: Ints
    opens_at: Floats
    closes_at: Floats
    pi: Floats
    drawn: Bools
    plan: Ints


def watch_of(study: Study, starts_at_minute: Floats) -> Watch:
    """Every candidate box of a study's table from its drawn start to the end of its window; boxes not watched at all left out.

    ``starts_at_minute`` float64[S]: when the study's shifts start.
    """
    sizes = study.plan_sizes
    minutes = np.asarray(study.window_minutes)
    rows = np.flatnonzero(minutes > 0)
    opens = np.repeat(starts_at_minute[study.plan_shift], sizes)[rows]
    opens = opens + np.asarray(study.start_minutes)[rows].astype(np.float64)
    return Watch(
        np.asarray(study.cell)[rows].astype(np.int64),
        opens,
        opens + np.asarray(minutes)[rows],
        np.asarray(study.pi)[rows].astype(np.float64),
        study.drawn[rows],
        np.repeat(np.arange(study.plans), sizes)[rows],
    )


def first_crimes(
    *, cell: Ints, opens_at: Floats, closes_at: Floats, event_cell: Ints, event_at: Floats
) -> tuple[Floats, Bools]:
    """Each row's minutes until the first crime in its box, or until the watch ended: (minutes [n], seen bool[n]).

    Windows are half-open [opens_at, closes_at); events outside the grid (cell -1) are ignored. A crime at the very start
    counts after 0 minutes.
    """
    inside = event_cell >= 0
    where, when = event_cell[inside], event_at[inside]
    watched = np.maximum(closes_at - opens_at, 0.0)
    if len(where) == 0 or len(cell) == 0:
        return watched, np.zeros(len(cell), dtype=np.bool_)
    # One number for cell and time, so that one sorted search finds the next crime of the same cell.
    begin = min(float(when.min()), float(opens_at.min()))
    span = max(float(when.max()), float(closes_at.max())) - begin + 1.0
    key = np.sort(where * span + (when - begin))
    asked = cell * span + (opens_at - begin)
    # A hair earlier: the sum rounds, and a crime at the very start must not be missed.
    at = np.searchsorted(key, asked - 1e-4, side="left")
    next_key = np.append(key, np.inf)[at]
    wait = np.maximum(next_key - asked, 0.0)
    seen: Bools = wait < watched - 1e-4
    return np.where(seen, wait, watched), seen


def incidence(
    minutes: Floats,
    seen: Bools,
    *,
    at_minutes: Floats,
    weight: Floats | None = None,
    plan: Ints | None = None,
    name: str = "",
    confidence: float = 0.95,
) -> Curve:
    """The weighted product-limit curve at chosen points in time, with its band. Linear in rows x points.

    ``minutes`` [n] until a crime (``seen``) or the end of the watch; ``weight`` [n] >= 0 (None: all 1); ``plan`` [n] sums
    influence by plan (None: every row by itself). Rows that are never watched (0 minutes, nothing seen) count for nothing.

    >>> curve = incidence(np.array([5.0, 20.0, 30.0, 30.0]), np.array([True, True, False, False]), at_minutes=np.array([10.0, 30.0]))
    >>> curve.share.tolist()
    [0.25, 0.5]
    """
    kept = (minutes > 0) | seen
    minutes, seen = minutes[kept], seen[kept]
    w = np.ones(len(minutes)) if weight is None else weight[kept]
    _, owner = np.unique(plan[kept] if plan is not None else np.arange(len(minutes)), return_inverse=True)
    order = np.argsort(minutes, kind="stable")
    from_here = np.append(np.cumsum(w[order][::-1])[::-1], 0.0)
    when, place = np.unique(minutes[seen], return_inverse=True)
    deaths = np.bincount(place, w[seen], minlength=len(when))
    alive = from_here[np.searchsorted(minutes[order], when, side="left")]
    left = np.maximum(alive - deaths, 0.0)
    stay = np.divide(left, alive, out=np.ones_like(left), where=alive > 0)
    # Where all that is left has seen a crime the curve ends at 1 and has no spread that could be divided by.
    safe = left > 1e-12
    hazard = np.divide(deaths, alive * left, out=np.zeros_like(left), where=safe)
    survival = np.append(1.0, np.cumprod(stay))
    passed = np.append(0.0, np.cumsum(hazard))
    own = np.zeros(len(minutes))
    own[seen] = np.divide(1.0, left, out=np.zeros_like(left), where=safe)[place]
    steps = np.searchsorted(when, at_minutes, side="right")
    at_end = np.searchsorted(when, minutes, side="right")
    spread = np.zeros(len(at_minutes))
    for g, (until, step) in enumerate(zip(at_minutes, steps, strict=True)):
        part = w * (passed[np.minimum(at_end, step)] - np.where(seen & (minutes <= until), own, 0.0))
        spread[g] = survival[step] * np.sqrt((np.bincount(owner, part) ** 2).sum())
    share = 1.0 - survival[steps]
    low, high = _band(share, spread, len(minutes), confidence)
    return Curve(
        name,
        np.asarray(at_minutes, dtype=np.float64),
        share,
        low,
        high,
        (len(minutes) - np.searchsorted(minutes[order], at_minutes, side="left")).astype(np.int64),
        len(minutes),
        int(seen.sum()),
    )


def _band(share: Floats, spread: Floats, boxes: int, confidence: float) -> tuple[Floats, Floats]:
    """Pointwise limits on the scale of log(-log S); where nothing was seen yet, from 0 to the rule of three."""
    quantile = float(stats.norm.ppf(0.5 + confidence / 2.0))
    low, high = np.zeros_like(share), np.full_like(share, min(RULE_OF_THREE / max(boxes, 1), 1.0))
    some = (share > 0) & (share < 1)
    cumulated = -np.log1p(-share[some])
    factor = np.exp(quantile * spread[some] / ((1.0 - share[some]) * cumulated))
    low[some], high[some] = -np.expm1(-cumulated / factor), -np.expm1(-cumulated * factor)
    low[share >= 1], high[share >= 1] = 1.0, 1.0
    return low, high


def fair_curves(
    watch: Watch, *, event_cell: Ints, event_at: Floats, at_minutes: Floats, confidence: float = 0.95
) -> tuple[Curve, Curve]:
    """Boxes that were drawn, and like boxes that were not: both from their drawn start, weighted by the design.

    Returns (drawn, not drawn). Raises ``StudyError`` where an arm is empty or a probability is not between 0 and 1.
    """
    if not ((watch.pi > 0).all() and (watch.pi < 1).all()):
        raise StudyError(
            "A candidate's probability is not between 0 and 1: the other boxes cannot stand for it."
        )
    minutes, seen = first_crimes(
        cell=watch.cell,
        opens_at=watch.opens_at,
        closes_at=watch.closes_at,
        event_cell=event_cell,
        event_at=event_at,
    )
    found: list[Curve] = []
    for name, is_drawn in (("drawn for a mission", True), ("like boxes, not drawn", False)):
        rows = np.flatnonzero(watch.drawn == is_drawn)
        if len(rows) == 0:
            raise StudyError(
                f"This period holds no box “{name}”: there is nothing to compare. Choose a longer one."
            )
        pi = watch.pi[rows]
        found.append(
            incidence(
                minutes[rows],
                seen[rows],
                at_minutes=at_minutes,
                weight=None if is_drawn else pi / (1.0 - pi),
                plan=watch.plan[rows],
                name=name,
                confidence=confidence,
            )
        )
    return found[0], found[1]


def visit_curves(
    *,
    cell: Ints,
    arrived_at: Floats,
    stayed_minutes: Floats,
    closes_at: Floats,
    event_cell: Ints,
    event_at: Floats,
    at_minutes: Floats,
    edges: tuple[float, ...] = STAY_EDGES_MINUTES,
) -> tuple[Curve, ...]:
    """Visits by how long the car stayed, clocks from arrival: descriptive, and biased towards long stays.

    ``stayed_minutes`` [n] >= 0; bins are half-open [edge, next edge). A bin without a visit is left out.
    """
    minutes, seen = first_crimes(
        cell=cell, opens_at=arrived_at, closes_at=closes_at, event_cell=event_cell, event_at=event_at
    )
    bin_of = np.searchsorted(np.asarray(edges), stayed_minutes, side="right")
    names = [f"under {edges[0]:g} min"]
    names += [f"{low:g} to {high:g} min" for low, high in pairwise(edges)]
    names += [f"{edges[-1]:g} min and longer"]
    found = []
    for number, name in enumerate(names):
        rows = np.flatnonzero(bin_of == number)
        if len(rows):
            found.append(incidence(minutes[rows], seen[rows], at_minutes=at_minutes, name=name))
    return tuple(found)


def located(grid: GridSpec, events: CrimeEvents) -> npt.NDArray[np.int64]:
    """The grid position of each crime, -1 outside."""
    return grid.locate(events.x_m, events.y_m)
