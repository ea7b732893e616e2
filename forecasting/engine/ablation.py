"""What a model leans on: how much worse the champion would forecast the held-out shifts without one family of columns.

The walk through the held-out shifts keeps a few rows of the design matrix; nothing is fitted again.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.design import CALENDAR, FAMILIES, Layout
from forecasting.engine.metrics import ratio_estimate

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

KEPT_ROWS = 10_000
_TINY = 1e-12


@dataclass
class KeptRows:
    """Rows of one target's design matrix from every held-out shift: all cells with crime, and a weighted sample of the others."""

    X: list[Floats32] = field(default_factory=list)
    period: list[int] = field(default_factory=list)
    n_events: list[int] = field(default_factory=list)
    """Rows with crime come first in each block."""
    counts: list[Floats] = field(default_factory=list)
    weight: list[Floats] = field(default_factory=list)

    def add(
        self,
        number: int,
        n_periods: int,
        X: Floats32,
        expected: Floats,
        cells: Ints,
        counts: Floats,
        rng: np.random.Generator,
        watched: Bools | None = None,
    ) -> None:
        """Take in one shift. Where ``watched`` [N] is False nothing is expected, whatever the columns say: left out."""
        if watched is not None and not watched.any():
            return
        n, draws = len(X), max(40, KEPT_ROWS // max(n_periods, 1))
        if draws >= n:
            drawn, weight = np.arange(n), np.ones(n)
        else:
            # Half evenly, half where risk is expected: the sum over all cells is made by few of them.
            chance = 0.5 / n + 0.5 * expected / max(float(expected.sum()), _TINY)
            total = np.cumsum(chance)
            drawn = np.minimum(np.searchsorted(total, rng.random(draws) * total[-1], side="right"), n - 1)
            weight = total[-1] / (draws * chance[drawn])
        if watched is not None:
            weight = weight * watched[drawn]
            cells, counts = cells[watched[cells]], counts[watched[cells]]
        self.X.append(X[np.concatenate([cells, drawn])])
        self.period.append(number)
        self.n_events.append(len(cells))
        self.counts.append(counts)
        self.weight.append(weight)


def neutral_columns(layout: Layout, family: str) -> dict[int, tuple[str, int]]:
    """What stands in for each column of a family that is taken away: ("column", its twin) or ("value", 0 or 1).

    A rate of this shift of day gives way to the same rate of all hours, any other rate to that of an average cell (1),
    a layer near the cell to the city's mean (0 after standardising). The calendar is not in here.
    """
    places = {name: column for column, name in enumerate(layout.names)}
    out: dict[int, tuple[str, int]] = {}
    for column, (name, of) in enumerate(zip(layout.names, layout.families, strict=True)):
        if of != family or name in CALENDAR:
            continue
        twin = places.get(name.removesuffix("_same_shift"), column)
        # Only into another family: two columns of one family are both taken away.
        if layout.families[twin] != family:
            out[column] = ("column", twin)
        else:
            out[column] = ("value", 1 if column < layout.n_rates else 0)
    return out


def ablation(
    estimator: Any,
    layout: Layout,
    kept: KeptRows,
    calendar: Floats32,
    blocks: Ints,
    draws: Ints,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """What the log score would lose, in nats per crime, if one family of columns were held at its neutral value.

    The model is not fitted again, and the city-wide level is kept: only where the risk lies changes. The calendar's
    columns are those of another held-out shift. Positive: the family helps. Sums over all cells are estimated from
    the kept rows.
    """
    if not kept.X:
        return []
    X = np.concatenate(kept.X)
    sizes = [len(block) for block in kept.X]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    full = _risk(estimator, X)
    per_period = np.array([counts.sum() for counts in kept.counts])
    weeks = blocks[np.asarray(kept.period)]
    other = calendar[rng.permutation(len(calendar))][np.repeat(kept.period, sizes)]
    first = layout.names.index(CALENDAR[0])
    out = []
    for family in FAMILIES:
        changed = X.copy()
        stand_in = neutral_columns(layout, family)
        for column, (kind, what) in stand_in.items():
            changed[:, column] = X[:, what] if kind == "column" else what
        if family == "calendar":
            changed[:, first : first + len(CALENDAR)] = other
        elif not stand_in:
            continue
        risk = _risk(estimator, changed)
        lost = np.zeros(len(sizes))
        for number, start in enumerate(starts):
            events = slice(start, start + kept.n_events[number])
            rest = slice(events.stop, start + sizes[number])
            gain = float(kept.counts[number] @ np.log(full[events] / risk[events]))
            weight = kept.weight[number]
            lost[number] = gain - per_period[number] * float(
                np.log((weight @ full[rest]) / (weight @ risk[rest]))
            )
        out.append({"family": family, "lost": ratio_estimate(lost, per_period, weeks, draws).as_dict()})
    return out


def _risk(estimator: Any, X: Floats32) -> Floats:
    return np.maximum(np.asarray(estimator.predict(X), dtype=np.float64), _TINY)
