"""The draw of a recommended tactic: chances from preferences, and one tactic for each mission from its own random number."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STREAM = 0x7AC71C
"""Keeps these random numbers apart from the ones that drew the plan from the same seed."""


def draw_stream(seed: int) -> np.random.Generator:
    """The stream of random numbers of one plan's tactics; the same seed gives the same stream."""
    return np.random.default_rng(np.random.SeedSequence([seed, STREAM]))


def cell_uniforms(rng: np.random.Generator, n_cells: int, position: Ints) -> Floats:
    """The random number of each mission, by its box's position in the grid: float64[n] in [0, 1).

    One number is drawn for every cell of the grid, chosen or not, so that a mission's number does not depend on how many
    others there are, or in which order they are read.
    """
    return rng.random(n_cells)[position]


def weight_chances(weights: Floats) -> Floats:
    """Chances in proportion to the preferences: float64[n, A], rows sum to 1; a row without any weight is all 0.

    >>> weight_chances(np.array([[3.0, 1.0, 0.0]])).tolist()
    [[0.75, 0.25, 0.0]]
    """
    weights = np.asarray(weights, dtype=np.float64)
    total = weights.sum(axis=-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def choose(chances: Floats, uniforms: Floats) -> Ints:
    """The tactic that each mission's random number falls on: int64[n], -1 where none is allowed.

    ``chances`` float64[n, A]; ``uniforms`` float64[n]. Tactic a is chosen for numbers from the sum of the chances before
    it up to, not including, that sum with its own. A sum that rounding leaves below 1 is made up by the last allowed one.

    >>> choose(np.array([[0.75, 0.25, 0.0], [0.0, 0.0, 0.0]]), np.array([0.75, 0.5])).tolist()
    [1, -1]
    """
    allowed = chances > 0
    last = chances.shape[1] - 1 - np.argmax(allowed[:, ::-1], axis=1)
    found = (uniforms[:, None] >= np.cumsum(chances, axis=1)).sum(axis=1)
    return np.where(allowed.any(axis=1), np.minimum(found, last), -1).astype(np.int64)
