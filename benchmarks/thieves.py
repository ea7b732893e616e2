"""People who want to be where no car will be: what they can know, and how well they guess tonight's boxes.

Each names K boxes in every beat before the draw. All have seen every past plan, down to the box and the minute, and have the
agency's risk map of tonight before them. None can do better on average than the sum of each beat's K largest chances: given
the past, a box is drawn with its chance whatever anybody has learnt. That sum is the design's bound, and somebody
who works out every chance exactly reaches it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COLUMNS = (
    "log_harm_share", "harm_rank", "log_even_share", "days_since", "never", "within_half_day", "within_day",
    "within_two_days", "minutes_in_week", "no_room", "drawn_lately_3", "drawn_lately_21", "drawn_lately_90",
    "drawn_always", "drawn_this_slot",
)  # fmt: skip
_MEMORIES_SHIFTS = np.array([3.0, 21.0, 90.0])
_PRIOR_SHIFTS = 60.0


def best_boxes(score: Floats, beat: Ints, k: int) -> Ints:
    """The K cells of each beat with the highest score; ties go to the first. Cells outside all beats (-1) are never named."""
    cells = np.flatnonzero(beat >= 0)
    order = cells[np.lexsort((-score[cells], beat[cells]))]
    rank = np.arange(len(order)) - np.searchsorted(beat[order], beat[order], side="left")
    named: Ints = order[rank < k]
    return named


@dataclass(frozen=True, eq=False)
class Seen:
    """What stands before a thief tonight: ``columns`` float32[N, len(COLUMNS)] and the risk map's ``harm``."""

    harm: Floats
    often: Floats
    columns: Floats32
    beat: Ints


class Watch:
    """Everything that past plans show, kept up to date from shift to shift."""

    def __init__(self, beat_of_cell: Ints, k: int) -> None:
        self.k, self._beat = k, beat_of_cell
        n = len(beat_of_cell)
        self._beat_row = np.where(beat_of_cell >= 0, beat_of_cell, int(beat_of_cell.max()) + 1)
        size = np.bincount(self._beat_row).astype(np.float64)
        self._even = np.minimum(k / size[self._beat_row], 1.0)
        self._lately = np.repeat(self._even[:, None], len(_MEMORIES_SHIFTS), axis=1)
        self._times, self._slot_times = np.zeros(n), np.zeros((3, n))
        self._shifts, self._slot_shifts = 0, np.zeros(3)

    def seen(self, harm: Floats, minutes: Floats, days: Floats, *, slot: int) -> Seen:
        """Lay out tonight: the map, and of every cell when and how often it was visited."""
        total = np.bincount(self._beat_row, weights=harm)[self._beat_row]
        share = np.where(total > 0, harm / np.where(total > 0, total, 1.0), self._even)
        order = np.lexsort((-share, self._beat_row))
        rank = np.empty(len(harm))
        rank[order] = np.arange(len(harm)) - np.searchsorted(self._beat_row[order], self._beat_row[order])
        # A cell that was never seen visited is thought to be visited as often as the others: shrunk to the even share.
        often = (self._times + _PRIOR_SHIFTS * self._even) / (self._shifts + _PRIOR_SHIFTS)
        in_slot = self._slot_times[slot] + 20.0 * self._even
        columns = np.stack(
            [
                np.log(share + 1e-6),
                np.log1p(rank),
                np.log(self._even),
                np.minimum(days, 10.0),
                np.isinf(days),
                days < 0.5,
                days < 1.0,
                days < 2.0,
                minutes / 100.0,
                minutes > 432.0,
                *self._lately.T,
                np.log(often),
                np.log(in_slot / (self._slot_shifts[slot] + 20.0)),
            ],
            axis=1,
            dtype=np.float32,
        )
        return Seen(harm, often, columns, self._beat)

    def add(self, drawn: Bools, *, slot: int) -> None:
        """Take in the shift that is over."""
        fade = 0.5 ** (1.0 / _MEMORIES_SHIFTS)
        self._lately = self._lately * fade + (1.0 - fade) * drawn[:, None]
        self._times += drawn
        self._slot_times[slot] += drawn
        self._shifts += 1
        self._slot_shifts[slot] += 1


class Thief(ABC):
    """Scores every cell before the draw, and learns from it afterwards."""

    name: str

    @abstractmethod
    def score(self, seen: Seen, pi: Floats) -> Floats:
        """The higher, the likelier a visit. Only ``KnowsAll`` may look at ``pi``."""

    def learn(self, seen: Seen, drawn: Bools) -> None:
        """See what was drawn; most have nothing to learn that ``Watch`` does not keep."""
        return


class KnowsAll(Thief):
    """Works out every probability exactly: the policy, the forecast and all past plans in hand."""

    name = "knows every probability"

    def score(self, seen: Seen, pi: Floats) -> Floats:
        return pi


class ReadsMap(Thief):
    """Expects cars where the risk map is darkest."""

    name = "has the risk map"

    def score(self, seen: Seen, pi: Floats) -> Floats:
        return seen.harm


class CountsVisits(Thief):
    """Expects cars where they have been most often."""

    name = "counts past visits"

    def score(self, seen: Seen, pi: Floats) -> Floats:
        return seen.often


class LearnsOnline(Thief):
    """A conditional logit over each beat's cells, learnt after every shift by AdaGrad steps.

    Notes
    -----
    McFadden 1974 for the choice model; Duchi, Hazan and Singer 2011 for the steps.
    """

    name = "learns online (conditional logit)"

    def __init__(self, step: float = 0.1) -> None:
        self._step = step
        self._beta = np.zeros(len(COLUMNS))
        # Begins as a reader of the map, who goes by harm as it is.
        self._beta[0] = 1.0
        self._squares = np.full(len(COLUMNS), 1e-4)

    def score(self, seen: Seen, pi: Floats) -> Floats:
        found: Floats = seen.columns.astype(np.float64) @ self._beta
        return found

    def learn(self, seen: Seen, drawn: Bools) -> None:
        inside = np.flatnonzero(seen.beat >= 0)
        beat, columns = seen.beat[inside], seen.columns[inside].astype(np.float64)
        utility = columns @ self._beta
        top = np.full(int(beat.max()) + 1, -np.inf)
        np.maximum.at(top, beat, utility)
        weight = np.exp(utility - top[beat])
        chance = weight / np.bincount(beat, weights=weight)[beat]
        times = np.bincount(beat, weights=drawn[inside].astype(np.float64))
        slope = columns.T @ (drawn[inside] - times[beat] * chance) / max(float(drawn.sum()), 1.0)
        self._squares += slope**2
        self._beta += self._step * slope / np.sqrt(self._squares)


class LearnsByTrees(Thief):
    """Boosted trees on all that was seen, fitted anew every four weeks: finds rules that nobody told it of.

    Until the first fit it reads the map.
    """

    name = "learns by boosted trees"

    def __init__(self, *, every: int = 84, blanks: int = 8, most_rows: int = 250_000, seed: int = 0) -> None:
        self._every, self._blanks, self._most = every, blanks, most_rows
        self._rng = np.random.default_rng(seed)
        self._rows: list[Floats32] = []
        self._marks: list[Bools] = []
        self._weights: list[Floats] = []
        self._shifts = 0
        self._model: HistGradientBoostingClassifier | None = None

    def score(self, seen: Seen, pi: Floats) -> Floats:
        if self._model is None:
            return seen.harm
        found: Floats = self._model.predict_proba(seen.columns)[:, 1]
        return found

    def learn(self, seen: Seen, drawn: Bools) -> None:
        """Keep all drawn cells and a sample of the others, weighted back to all."""
        hit = np.flatnonzero(drawn)
        other = np.flatnonzero(~drawn & (seen.beat >= 0))
        some = self._rng.choice(other, min(len(other), self._blanks * max(len(hit), 1)), replace=False)
        rows = np.concatenate([hit, some])
        self._rows.append(seen.columns[rows])
        self._marks.append(drawn[rows])
        self._weights.append(np.repeat([1.0, len(other) / max(len(some), 1)], [len(hit), len(some)]))
        self._shifts += 1
        if self._shifts % self._every == 0:
            self._fit()

    def _fit(self) -> None:
        rows, marks, weights = (np.concatenate(part) for part in (self._rows, self._marks, self._weights))
        # The newest: rules that held half a year ago may not hold now.
        newest = slice(max(0, len(rows) - self._most), None)
        self._model = HistGradientBoostingClassifier(
            max_iter=120, max_leaf_nodes=15, learning_rate=0.08, min_samples_leaf=200, random_state=0,
            early_stopping=False,
        )  # fmt: skip
        self._model.fit(rows[newest], marks[newest], sample_weight=weights[newest])
