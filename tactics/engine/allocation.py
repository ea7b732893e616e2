"""Adaptive draws: tactics that were followed by fewer crimes than forecast come up more often, none below the floor.

Notes
-----
Thompson sampling (Thompson 1933) with a floor: the chance of a tactic is floor + (1 - k floor) x the probability that its
rate is the lowest of the k in the draw. Rates (crimes per crime forecast) have Gamma posteriors, conjugate to Poisson
counts, around 1: before any count every tactic is believed to be followed by what was forecast. Updates come in batches
(Perchet et al. 2016), after late reports are in. The probability of being lowest is integrated on a grid of the rates'
logarithms, not simulated: the same counts give the same chances on every machine.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_POINTS = 256
_SPREADS = 8.0


@dataclass(frozen=True)
class Allocation:
    """How adaptive draws move: ``floor`` is the least chance of a tactic, ``prior_crimes`` how firmly they start at 1."""

    floor: float = 0.2
    prior_crimes: float = 10.0


def effective_floor(floor: float, allowed: npt.ArrayLike) -> Floats:
    """The least chance where so many tactics are allowed: the floor, but never more than an even share.

    >>> effective_floor(0.2, [1, 3, 5, 8]).tolist()
    [0.2, 0.2, 0.2, 0.125]
    """
    return np.minimum(floor, 1.0 / np.maximum(np.asarray(allowed, dtype=np.float64), 1.0))


def chance_of_lowest(crimes: Floats, expected: Floats, allowed: Bools, *, prior_crimes: float) -> Floats:
    """How probable it is that each tactic's rate is the lowest of those allowed: float64[..., A], rows sum to 1.

    ``crimes``, ``expected`` float64[..., A]: counted and forecast crimes after each tactic; ``allowed`` bool[..., A], with
    which they are broadcast. A row without an allowed tactic is all 0.
    """
    crimes, expected, allowed = np.broadcast_arrays(crimes, expected, allowed)
    shape, rate = prior_crimes + crimes, prior_crimes + expected
    centre, spread = np.log(shape / rate), _SPREADS / np.sqrt(shape)
    low = np.where(allowed, centre - spread, np.inf).min(axis=-1)
    high = np.where(allowed, centre + spread, -np.inf).max(axis=-1)
    some = allowed.any(axis=-1)
    low, high = np.where(some, low, -1.0), np.where(some, high, 1.0)
    at = low[..., None] + (high - low)[..., None] * (np.arange(_POINTS) + 0.5) / _POINTS
    log_density = shape[..., None] * at[..., None, :] - rate[..., None] * np.exp(at)[..., None, :]
    density = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    density /= density.sum(axis=-1, keepdims=True)
    higher = np.clip(1.0 - np.cumsum(density, axis=-1) + 0.5 * density, 1e-300, None)
    log_higher = np.where(allowed[..., None], np.log(higher), 0.0)
    # A tactic is the lowest at a point where all the others lie higher.
    others = np.exp(log_higher.sum(axis=-2, keepdims=True) - log_higher)
    found = np.where(allowed, (density * others).sum(axis=-1), 0.0)
    total = found.sum(axis=-1, keepdims=True)
    return np.divide(found, total, out=np.zeros_like(found), where=total > 0)


def thompson_chances(crimes: Floats, expected: Floats, allowed: Bools, policy: Allocation) -> Floats:
    """The chances of an adaptive draw: float64[..., A], rows sum to 1, none of the allowed below the effective floor."""
    lowest = chance_of_lowest(crimes, expected, allowed, prior_crimes=policy.prior_crimes)
    k = np.broadcast_to(allowed, lowest.shape).sum(axis=-1, keepdims=True)
    floor = effective_floor(policy.floor, k)
    return np.where(allowed, floor + (1.0 - k * floor) * lowest, 0.0)
