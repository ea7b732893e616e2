"""The figures of the model card: where, when and for whom the champion is right, from the same held-out shifts as the league.

The walk through the held-out shifts fills one ``Tally`` per entrant (cheap sums only); when the champion is known, ``card``
turns its sums and the best plain count's into plain JSON. What the champion leans on is ``forecasting.engine.ablation``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.drift import dispersion, poisson_interval
from forecasting.engine.metrics import Estimate, Scores, ratio_estimate
from forecasting.engine.periods import Periods, ShiftWindow

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CARD_VERSION = 1
CURVE_POINTS = 30
CURVE_SHARE = 0.20
RISK_GROUPS = 10
_FINE = 1024
_TINY = 1e-12


@dataclass(frozen=True)
class Groups:
    """Areas to report on, such as beats: ``of_cell`` [N] numbers them, -1 for none; ``names`` are shown."""

    of_cell: Ints
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.of_cell) and (self.of_cell.max() >= len(self.names) or self.of_cell.min() < -1):
            raise ValueError("A cell's area has no name. Give one name per number, and -1 for no area.")


def curve_cells(n_cells: int) -> Ints:
    """How many cells to flag at each point of the curve: about 30 numbers, evenly on a log scale from 1 to 20 %.

    >>> curve_cells(40).tolist()
    [1, 2, 3, 4, 5, 6, 7, 8]
    """
    top = max(1, round(CURVE_SHARE * n_cells))
    found: Ints = np.unique(np.round(np.geomspace(1, top, CURVE_POINTS)).astype(np.int64))
    return found


def hits_within(ranks: Ints, counts: Floats, cells: Ints) -> Floats:
    """Crimes within the first k cells, for each k: as ``cells``, which ascends. ``ranks`` as ``worst_ranks`` gives them."""
    order = np.argsort(ranks)
    total = np.concatenate([[0.0], np.cumsum(counts[order])])
    result: Floats = total[np.searchsorted(ranks[order], cells, side="right")]
    return result


@dataclass
class Tally:
    """One entrant's sums over the held-out shifts, by week (the bootstrap's blocks) where intervals need it."""

    curve: Floats
    """[S, points] crimes within the first k cells."""
    group_expected: Floats
    group_log: Floats
    """[W, G] expected counts and log scores by area."""
    fine_expected: Floats
    fine_observed: Floats
    fine_cells: Floats
    """[1024] by risk, in steps of about a fifth: sorting every surface would cost as much as the league."""

    @classmethod
    def empty(cls, periods: int, weeks: int, points: int, groups: int) -> "Tally":
        return cls(
            np.zeros((periods, points)), *(np.zeros((weeks, groups)) for _ in range(2)), *(np.zeros(_FINE) for _ in range(3))
        )  # fmt: skip

    def add(
        self,
        number: int,
        week: int,
        expected: Floats,
        cells: Ints,
        counts: Floats,
        within: Floats,
        groups: Groups | None,
        watched: Bools | None = None,
    ) -> None:
        """Take in one shift: the surface [N], the cells with crime and their counts, and the crimes along the curve.

        Where ``watched`` [N] is False a cell is not one of low risk but an unknown one: it is in no group of risk.
        """
        self.curve[number] = within
        fine, seen = (
            _fine(expected),
            np.ones(len(expected)) if watched is None else watched.astype(np.float64),
        )
        self.fine_expected += np.bincount(fine, expected, _FINE)
        self.fine_cells += np.bincount(fine, seen, _FINE)
        self.fine_observed += np.bincount(fine[cells], counts * seen[cells], _FINE)
        if groups is not None:
            n = len(groups.names)
            # Cells of no area go to a column that is cut off.
            by_group = np.bincount(groups.of_cell + 1, expected, n + 1)[1:]
            gain = counts * np.log(np.maximum(expected[cells], _TINY))
            self.group_expected[week] += by_group
            self.group_log[week] += np.bincount(groups.of_cell[cells] + 1, gain, n + 1)[1:] - by_group


def _fine(expected: Floats) -> Ints:
    """The bits of a positive float32 without the last 21 ascend with its value: exponent and two bits of mantissa."""
    bits = np.maximum(expected, 0.0).astype(np.float32).view(np.int32) >> 21
    return bits.astype(np.int64)


@dataclass(frozen=True)
class Entrant:
    """One entrant's name with its league scores and card sums."""

    name: str
    scores: Scores
    tally: Tally


def card(
    *,
    champion: Entrant,
    baseline: Entrant,
    n_cells: int,
    periods: Periods,
    shifts: tuple[ShiftWindow, ...],
    main_column: int | None,
    groups: Groups | None,
    group_observed: Floats,
    blocks: Ints,
    draws: Ints,
    ablated: list[dict[str, Any]],
) -> dict[str, Any]:
    """The card as JSON's own types. ``main_column``: the league's area of 1 %; ``group_observed`` [W, G]."""
    weekly = [
        np.bincount(blocks, column).astype(np.float64)
        for column in (champion.scores.expected, champion.scores.observed)
    ]
    return {
        "version": CARD_VERSION,
        "champion": champion.name,
        "baseline": baseline.name,
        "curve": _curve(champion, baseline, n_cells, blocks, draws),
        "reliability": _reliability(champion.tally),
        "shifts": _by_shift(champion, baseline, periods, shifts, main_column, blocks, draws),
        "areas": _by_area(champion, baseline, groups, group_observed, draws),
        "weeks": _by_week(champion, baseline, periods, blocks),
        "dispersion": dispersion(*weekly),
        "ablation": ablated,
    }


def _curve(champion: Entrant, baseline: Entrant, n_cells: int, blocks: Ints, draws: Ints) -> dict[str, Any]:
    cells = curve_cells(n_cells)

    def along(one: Entrant) -> list[dict[str, float | None]]:
        columns = range(len(cells))
        return [
            ratio_estimate(one.tally.curve[:, column], one.scores.observed, blocks, draws).as_dict() for column in columns
        ]  # fmt: skip

    return {
        "cells": cells.tolist(),
        "share": [float(k / n_cells) for k in cells],
        "champion": along(champion),
        "baseline": along(baseline),
    }


def _reliability(tally: Tally) -> list[dict[str, Any]]:
    """Ten groups of cells by risk, each about a tenth of what was expected: expected and observed, lowest risk first.

    Equal tenths of the *cells* would put nine crimes in ten into the last group and test nothing about it.
    """
    total = float(tally.fine_expected.sum())
    if total <= 0:
        return []
    middle = (np.cumsum(tally.fine_expected) - tally.fine_expected / 2) / total
    group = np.minimum((middle * RISK_GROUPS).astype(np.int64), RISK_GROUPS - 1)
    out = []
    for number in range(RISK_GROUPS):
        mine = (group == number) & (tally.fine_cells > 0)
        expected, observed, cells = (
            float(column[mine].sum())
            for column in (tally.fine_expected, tally.fine_observed, tally.fine_cells)
        )
        if cells == 0 or expected <= 0:
            continue
        low, high = poisson_interval(observed)
        out.append(
            {
                "share_of_cells": cells / float(tally.fine_cells.sum()),
                "expected": expected,
                "observed": observed,
                "expected_per_cell": expected / cells,
                "observed_per_cell": observed / cells,
                "low_per_cell": float(low) / cells,
                "high_per_cell": float(high) / cells,
            }
        )
    return out


def _by_shift(
    champion: Entrant,
    baseline: Entrant,
    periods: Periods,
    shifts: tuple[ShiftWindow, ...],
    main_column: int | None,
    blocks: Ints,
    draws: Ints,
) -> list[dict[str, Any]]:
    out = []
    for slot, shift in enumerate(shifts):
        here = (periods.slot == slot).astype(np.float64)
        observed = champion.scores.observed * here
        gain = (champion.scores.log_scores - baseline.scores.log_scores) * here
        rate = Estimate(float("nan"), float("nan"), float("nan"))
        if main_column is not None:
            rate = ratio_estimate(champion.scores.hits[:, main_column] * here, observed, blocks, draws)
        out.append(
            {
                "name": shift.slug,
                "periods": int(here.sum()),
                "expected": float(champion.scores.expected @ here),
                "observed": float(observed.sum()),
                "calibration": ratio_estimate(
                    champion.scores.expected * here, observed, blocks, draws
                ).as_dict(),
                "hit_rate": rate.as_dict(),
                "log_skill": ratio_estimate(gain, observed, blocks, draws).as_dict(),
            }
        )
    return out


def _by_area(
    champion: Entrant, baseline: Entrant, groups: Groups | None, observed: Floats, draws: Ints
) -> list[dict[str, Any]]:
    if groups is None:
        return []
    cells = np.bincount(groups.of_cell + 1, minlength=len(groups.names) + 1)[1:]
    gain = champion.tally.group_log - baseline.tally.group_log
    weeks = np.arange(len(observed))
    out = []
    for number, name in enumerate(groups.names):
        expected, seen = (
            float(champion.tally.group_expected[:, number].sum()),
            float(observed[:, number].sum()),
        )
        low, high = poisson_interval(seen)
        skill = ratio_estimate(gain[:, number], observed[:, number], weeks, draws)
        out.append(
            {
                "name": name,
                "cells": int(cells[number]),
                "expected": expected,
                "observed": seen,
                "observed_low": float(low),
                "observed_high": float(high),
                "log_skill": skill.as_dict(),
            }
        )
    return out


def _by_week(champion: Entrant, baseline: Entrant, periods: Periods, blocks: Ints) -> list[dict[str, Any]]:
    out = []
    for week in range(int(blocks.max()) + 1 if len(blocks) else 0):
        mine = blocks == week
        scores = champion.scores
        observed = float(scores.observed[mine].sum())
        gain = float((scores.log_scores - baseline.scores.log_scores)[mine].sum())
        out.append(
            {
                "from": str(periods.local_from[mine][0].astype("datetime64[D]")),
                "periods": int(mine.sum()),
                "expected": float(scores.expected[mine].sum()),
                "observed": observed,
                "log_skill": gain / observed if observed > 0 else None,
            }
        )
    return out


def tallies(
    n_entrants: Sequence[int], periods: int, weeks: int, n_cells: int, groups: Groups | None
) -> list[list[Tally]]:
    """An empty tally for every entrant of every target."""
    points, n_groups = len(curve_cells(n_cells)), len(groups.names) if groups is not None else 0
    return [[Tally.empty(periods, weeks, points, n_groups) for _ in range(n)] for n in n_entrants]
