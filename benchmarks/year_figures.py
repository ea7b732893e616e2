"""What a simulated year shows: dose, floors, what thieves guess, and whether missions drift away from the truth."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from benchmarks.year import YearRecord
from benchmarks.year_city import BLOCK_SHIFTS
from forecasting.engine.counts import pooled_places
from patrols.engine.design import DesignPolicy
from patrols.engine.oversight import gini

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MINUTES_A_DAY = 1440.0


def most_minutes_in_window(cell: Ints, at: Floats, dose: Floats, window: float) -> float:
    """The most minutes that any cell was given in any window of this length, whenever it begins. No visit: 0.

    ``at`` and ``window`` in minutes; a visit counts whole from its start.

    >>> most_minutes_in_window(np.array([1, 1, 1]), np.array([0.0, 5.0, 20.0]), np.array([3.0, 4.0, 5.0]), 10.0)
    7.0
    """
    if len(cell) == 0:
        return 0.0
    order = np.lexsort((at, cell))
    cell, at, dose = cell[order], at[order], dose[order]
    total = np.concatenate([[0.0], np.cumsum(dose)])
    # One axis for all cells, far apart: one search serves them all.
    place = cell * (at.max() - at.min() + 4 * window) + (at - at.min())
    first = np.searchsorted(place, place - window, side="right")
    return float((total[1:] - total[first]).max())


def dose_figures(record: YearRecord, policy: DesignPolicy) -> dict[str, float]:
    """The most planned minutes of any cell in any rolling window, from the visits' own starts."""
    cells, starts, doses = [], [], []
    for cell, start, dose in record.visits:
        row, column = np.nonzero(np.isfinite(start))
        cells.append(cell[row])
        starts.append(start[row, column])
        doses.append(dose[row, 0])
    most = most_minutes_in_window(
        np.concatenate(cells),
        np.concatenate(starts),
        np.concatenate(doses),
        policy.saturation_window_days * MINUTES_A_DAY,
    )
    return {
        "visits": float(sum(map(len, cells))),
        "most_planned_minutes_in_any_window": most,
        "dose_cap_minutes": policy.saturation_hard_minutes,
    }


def floor_figures(record: YearRecord, group_cells: int) -> dict[str, float]:
    """Visits against the sum of floors, in standard errors: cell by cell, and in squares of neighbouring cells.

    Draws depend on one another: what was visited lowers tomorrow's chances. But given the past each draw has its chance π,
    so visits less Σπ are a martingale, whose variance is the sum of π (1 − π) along the way: no independence is needed.
    Within a square draws of one shift are negatively correlated, so that the sum is an upper bound there.
    """
    candidate = record.variance > 0
    short = (record.promised - record.visited)[candidate] / np.sqrt(record.variance[candidate])
    off = (record.visited - record.expected)[candidate] / np.sqrt(record.variance[candidate])
    place, n = pooled_places(record.city.grid, group_cells)
    sums = {
        name: np.bincount(place, weights=getattr(record, name), minlength=n)
        for name in ("promised", "visited", "variance")
    }
    held = sums["variance"] > 0
    # Squares at the city's limit hold few cells, and little is promised to them.
    whole = held & (sums["promised"] >= 0.5 * np.median(sums["promised"][held]))
    lack = (sums["promised"] - sums["visited"])[whole] / np.sqrt(sums["variance"][whole])
    return {
        "candidates": float(candidate.sum()),
        "least_visits_promised": float(record.promised[candidate].min()),
        "median_visits_promised": float(np.median(record.promised[candidate])),
        "worst_standard_errors_below_floor": float(short.max()),
        "mean_square_of_visits_off_their_chances": float((off**2).mean()),
        "cells_in_a_square": float(group_cells**2),
        "squares": float(whole.sum()),
        "median_visits_promised_in_a_square": float(np.median(sums["promised"][whole])),
        "worst_square_standard_errors_below_floor": float(lack.max()),
        "squares_below_their_floor": float((lack > 0).sum()),
        "never_visited_would_be_standard_errors_below": float(
            np.median(sums["promised"][whole] / np.sqrt(sums["variance"][whole]))
        ),
    }


def thief_figures(record: YearRecord) -> dict[str, dict[str, float]]:
    """Each thief's share of missions guessed, against the design's bound: the sum of each beat's K largest chances.

    ``ratio_standard_error`` from the martingale of hits, so an upper bound; ``last_half`` after half a year of learning.
    ``worst_four_weeks_ratio`` is over any block of four weeks.
    """
    found = {}
    half = record.shifts // 2
    # Whole blocks only: three shifts left over at a year's end say nothing.
    whole = max(record.shifts // BLOCK_SHIFTS, 1) * BLOCK_SHIFTS
    blocks = np.arange(0, min(whole, record.shifts), BLOCK_SHIFTS)
    bound = float(record.bound.sum())
    bounds = np.add.reduceat(record.bound[:whole], blocks)
    for name, hits, variance in zip(record.names, record.hits, record.hits_variance, strict=True):
        by_block = np.add.reduceat(hits[:whole], blocks) / bounds
        found[name] = {
            "share_guessed": float(hits.sum() / record.drawn.sum()),
            "ratio_to_bound": float(hits.sum() / bound),
            "ratio_standard_error": float(np.sqrt(variance.sum()) / bound),
            "ratio_to_bound_last_half": float(hits[half:].sum() / record.bound[half:].sum()),
            "ratio_standard_error_last_half": float(
                np.sqrt(variance[half:].sum()) / record.bound[half:].sum()
            ),
            "worst_four_weeks_ratio": float(by_block.max()),
            "four_weeks_ratio_standard_error": float(
                (np.sqrt(np.add.reduceat(variance[:whole], blocks)) / bounds).max()
            ),
        }
    return found


def drift_figures(record: YearRecord) -> dict[str, Any]:
    """Block of four weeks by block: how concentrated missions are, how well they follow the truth, what the forecast believes.

    Gini coefficients over cells inside beats; ``where_most_went``: the tenth of cells with most missions so far, its part of
    the harm as the forecast sees it, divided by its true part. A loop that feeds on itself drives that up.
    """
    inside = np.flatnonzero(record.city.beat_of_cell >= 0)
    true = record.city.true_harm[inside] / record.city.true_harm[inside].sum()
    tenth = max(len(inside) // 10, 1)
    whole = max(record.shifts // BLOCK_SHIFTS, 1)
    rows: dict[str, list[float]] = {
        name: [] for name in ("gini_of_missions", "gini_of_chances", "correlation", "rank_correlation",
                              "where_most_went", "missions_in_top_tenth", "top_tenth_by_truth")
    }  # fmt: skip
    worst = np.argsort(-true, kind="stable")[:tenth]
    for block in range(whole):
        missions, pi = record.missions[block, inside], record.pi[block, inside]
        aimed = pi if pi.any() else missions
        believed = record.believed[block, inside] / record.believed[block, inside].sum()
        most = np.argsort(-record.missions[: block + 1, inside].sum(axis=0), kind="stable")[:tenth]
        rows["gini_of_missions"].append(gini(missions))
        rows["gini_of_chances"].append(gini(aimed))
        rows["correlation"].append(float(np.corrcoef(aimed, true)[0, 1]))
        rows["rank_correlation"].append(float(spearmanr(aimed, true).statistic))
        rows["where_most_went"].append(float(believed[most].sum() / true[most].sum()))
        rows["missions_in_top_tenth"].append(float(np.sort(missions)[-tenth:].sum() / missions.sum()))
        rows["top_tenth_by_truth"].append(float(aimed[worst].sum() / aimed.sum()))
    return {
        name: {
            "first": values[0],
            "last": values[-1],
            "mean": float(np.mean(values)),
            **_slope(np.array(values)),
        }
        for name, values in rows.items()
    }


def _slope(values: Floats) -> dict[str, float]:
    """Change over thirteen blocks (a year) by a straight line, with its standard error; nothing for fewer than four."""
    n = len(values)
    if n < 4:
        return {}
    at = np.arange(n) - (n - 1) / 2
    slope = float(at @ values / (at @ at))
    rest = values - values.mean() - slope * at
    error = float(np.sqrt(rest @ rest / (n - 2) / (at @ at)))
    return {"change_a_year": 13 * slope, "change_a_year_standard_error": 13 * error}


def year_figures(record: YearRecord, policy: DesignPolicy, *, group_cells: int) -> dict[str, Any]:
    """Everything that the year shows, as one JSON object."""
    found: dict[str, Any] = {
        "shifts": record.shifts,
        "cells": len(record.city.grid),
        "beats": len(record.city.beats),
        "crimes_prevented": record.prevented,
        "crimes_found_by_patrols": record.found,
        "drift": drift_figures(record),
    }
    if not record.visits:
        return found
    return found | {
        "missions": int(record.drawn.sum()),
        "beat_shifts_not_planned": record.unplanned,
        "dose": dose_figures(record, policy),
        "floor": floor_figures(record, group_cells),
        "design_bound": float(record.bound.sum() / record.drawn.sum()),
        "thieves": thief_figures(record),
    }
