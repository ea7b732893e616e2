"""Small trees read fast: every row of a city through a hundred trees in a few hundredths of a second.

scikit-learn grows the trees; here they are read without it. A tree that asks eight questions at most is a table of its
leaves by the answers: all rows answer a question at once, and the answers, put together as the bits of one byte, say
which leaf it is. What comes out equals scikit-learn's own prediction bit for bit, since it adds the same leaves in the
same order.

Notes
-----
Answers as bits: after QuickScorer (Lucchese et al., SIGIR 2015), which does it tree by tree for single rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Inputs = npt.NDArray[np.floating[Any]]
_MOST_QUESTIONS = 8


@dataclass(frozen=True)
class _Table:
    """Up to eight questions "is input ``columns[k]`` at most ``edges[k]``?", and the leaf for every set of answers."""

    columns: tuple[int, ...]
    edges: Inputs
    leaves: Floats

    def read(self, inputs: Inputs) -> Floats:
        code = np.zeros(inputs.shape[1], dtype=np.uint8)
        yes = np.empty(len(code), dtype=np.bool_)
        bit, edges = yes.view(np.uint8), self.edges
        for number, column in enumerate(self.columns):
            np.less_equal(inputs[column], edges[number : number + 1], out=yes)
            if number:
                np.add(code, code, out=code)
            np.add(code, bit, out=code)
        return self.leaves.take(code, mode="clip")


@dataclass(frozen=True)
class _Fork:
    """The first question of a tree that asks more than eight, and the two smaller trees behind it."""

    column: int
    edge: Inputs
    yes: "_Table | _Fork"
    no: "_Table | _Fork"

    def read(self, inputs: Inputs) -> Floats:
        return np.where(inputs[self.column] <= self.edge, self.yes.read(inputs), self.no.read(inputs))


@dataclass(frozen=True)
class Forest:
    """The trees of a boosted Poisson regression: their leaves add up to the log of what is expected. Picklable."""

    start: float
    trees: tuple[_Table | _Fork, ...]

    @classmethod
    def of(cls, fitted: Any, edges: Sequence[Inputs]) -> "Forest":
        """Take over what a ``HistGradientBoostingRegressor`` learned from the steps of each input among its ``edges``.

        A step is the number of edges below a value: "at most this step" is "at most this edge", so that the values
        themselves can be asked and no step has to be looked up.
        """
        nodes = [one.nodes for (one,) in fitted._predictors]
        return cls(float(fitted._baseline_prediction.item()), tuple(_tree(one, 0, edges) for one in nodes))

    def logs(self, inputs: Inputs) -> Floats:
        """The log of what is expected for columns of inputs, [inputs, m]: [m]."""
        total = np.full(inputs.shape[1], self.start)
        for tree in self.trees:
            total += tree.read(inputs)
        return total


def _tree(nodes: npt.NDArray[Any], root: int, edges: Sequence[Inputs]) -> _Table | _Fork:
    asked: list[int] = []
    waiting = [root]
    while waiting:
        at = waiting.pop()
        if not nodes["is_leaf"][at]:
            asked.append(at)
            waiting += [int(nodes["right"][at]), int(nodes["left"][at])]
    columns = tuple(int(nodes["feature_idx"][at]) for at in asked)
    steps = [int(np.floor(nodes["num_threshold"][at])) for at in asked]
    bounds = [edges[column][step : step + 1] for column, step in zip(columns, steps, strict=True)]
    if len(asked) > _MOST_QUESTIONS:
        yes, no = (_tree(nodes, int(nodes[side][root]), edges) for side in ("left", "right"))
        return _Fork(columns[0], bounds[0], yes, no)
    leaves = np.empty(2 ** len(asked))
    number_of = {at: number for number, at in enumerate(asked)}

    def fill(at: int, codes: npt.NDArray[np.int64]) -> None:
        if nodes["is_leaf"][at]:
            leaves[codes] = nodes["value"][at]
            return
        yes = (codes >> (len(asked) - 1 - number_of[at])) & 1 == 1
        fill(int(nodes["left"][at]), codes[yes])
        fill(int(nodes["right"][at]), codes[~yes])

    fill(root, np.arange(len(leaves)))
    return _Table(columns, np.concatenate(bounds) if bounds else np.zeros(0), leaves)
