"""Does the model in service beat the plain count it was approved against? A test that may be read after every shift.

Forecasts are sealed before their shifts and scored after them, so the comparison needs no held-out data; but it is looked at
all the time, and an ordinary p-value that is looked at all the time is wrong sooner or later. Here the evidence is an e-value
and the interval a confidence sequence: both hold at every moment at once, whenever somebody looks or stops.

Notes
-----
For shift i let d_i be the Poisson log score of the model less that of the plain count, Δ_i its expectation given everything
up to the shift, and c_i > 0 a bound computed from the two sealed surfaces alone, so known before the shift. d_i is clipped to
±c_i; x_i = d_i / c_i. For x ≥ -1 and 0 ≤ λ < 1, exp(λx - ψ(λ)x²) ≤ 1 + λx with ψ(λ) = -log(1 - λ) - λ (Fan, Grama & Liu,
Electron. J. Probab. 20, 2015), so the product of exp(λ(x_i - Δ_i/c_i) - ψ(λ)x_i²) is a supermartingale, and so is a mixture
over λ. By Ville's inequality it exceeds 1/α ever with probability at most α. Put at Δ = 0 it is an e-process for "on
average over the shifts so far the model was no better than the plain count" (averages weighted by 1/c_i), without a
stationary, independent or Poisson world; solved for the mean it is a confidence sequence (Howard, Ramdas, McAuliffe & Sekhon,
Ann. Stat. 49, 2021; Choe & Ramdas, Oper. Res. 72, 2024, "Comparing sequential forecasters"; the bets of Waudby-Smith &
Ramdas, JRSS-B 86, 2024, are sharper but ask about each single shift).
Assumed: the sealed order; that scores are complete when they enter (a fixed wait after the shift); and the clipping: one shift
counts for at most ±c_i nats. How many shifts were clipped is counted and shown.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ALPHA = 0.05
THRESHOLD = 1.0 / ALPHA
"""From this e-value on the record says that one forecasts better than the other."""
STANDARD_DEVIATIONS = 4.0
LARGEST_SHARE = 0.999
"""A single crime's log ratio enters the bound at this quantile: one odd cell must not make every shift weigh nothing."""
BETS = np.geomspace(0.01, 0.95, 32)
_FLOOR = 1e-12
_HALVINGS = 40


@dataclass(frozen=True)
class Evidence:
    """The record after each shift, in the order of the shifts: arrays [S].

    ``log_e_model``: natural logarithm of the e-value against "the model is no better"; ``log_e_plain`` the same against "the
    plain count is no better". ``skill``, ``low``, ``high``: nats per crime by which the model is ahead, with a 95 % confidence
    sequence; NaN while no crime has happened. ``clipped``: shifts that counted for less than they were worth.
    """

    log_e_model: Floats
    log_e_plain: Floats
    skill: Floats
    low: Floats
    high: Floats
    clipped: Bools

    def __len__(self) -> int:
        return len(self.skill)

    @property
    def verdict(self) -> str:
        """ "model", "plain" or "" after the last shift: who forecasts better, as far as is shown.

        Evidence that once passed the threshold stays: the guarantee is for ever having passed it.
        """
        top = np.log(THRESHOLD)
        model, plain = bool((self.log_e_model >= top).any()), bool((self.log_e_plain >= top).any())
        # Both at different times: the world has changed, and neither word is true of all of it.
        return "model" if model and not plain else "plain" if plain and not model else ""


def largest_gain(expected: npt.ArrayLike, plain: npt.ArrayLike) -> float:
    """Nats for which one shift counts at most, from the two forecasts alone: their mean difference, four standard deviations
    and one crime, whichever of the two is true.

    ``expected``, ``plain``: expected counts per cell [N]. Two equal forecasts give 0.

    >>> round(largest_gain([1.0, 0.0, 0.5], [0.5, 0.5, 0.5]), 2) > 1
    True
    >>> largest_gain([0.2, 0.1], [0.2, 0.1])
    0.0
    """
    model = np.maximum(np.asarray(expected, dtype=np.float64), _FLOOR)
    count = np.maximum(np.asarray(plain, dtype=np.float64), _FLOOR)
    ratio = np.log(model / count)
    level = model.sum() - count.sum()
    means = [abs(float(rate @ ratio) - level) for rate in (model, count)]
    spread = np.sqrt(max(float(rate @ ratio**2) for rate in (model, count)))
    weight = model + count
    size = np.abs(ratio)
    order = np.argsort(size)
    reached = np.cumsum(weight[order]) >= LARGEST_SHARE * weight.sum()
    one_crime = float(size[order][int(np.argmax(reached))]) if len(size) else 0.0
    return float(max(means, default=0.0) + STANDARD_DEVIATIONS * spread + one_crime)


def evidence(
    gain: npt.ArrayLike, largest: npt.ArrayLike, crimes: npt.ArrayLike, alpha: float = ALPHA
) -> Evidence:
    """The e-values and the confidence sequence after each shift.

    ``gain`` [S]: the model's log score less the plain count's; ``largest`` [S]: ``largest_gain`` of the same shift;
    ``crimes`` [S]: crimes in it. Order of the shifts. A shift with two equal forecasts (``largest`` 0) changes nothing. No
    shifts give empty arrays. Memory: shifts × 32 numbers.

    >>> found = evidence([0.0, 0.0], [1.0, 1.0], [1, 0])
    >>> found.log_e_model.tolist(), bool(found.low[1] < 0 < found.high[1])
    ([0.0, 0.0], True)
    """
    gains, bounds = np.asarray(gain, dtype=np.float64), np.asarray(largest, dtype=np.float64)
    there = bounds > 0
    safe = np.where(there, bounds, 1.0)
    raw = np.where(there, gains / safe, 0.0)
    x = np.clip(raw, -1.0, 1.0)
    total, squares = np.cumsum(x), np.cumsum(x**2)
    weighted = np.cumsum(np.where(there, np.asarray(crimes, dtype=np.float64) / safe, 0.0))
    half = np.log(2.0 / alpha)
    low = _lowest_total(total, squares, half)
    high = -_lowest_total(-total, squares, half)
    with np.errstate(divide="ignore", invalid="ignore"):
        skill, lower, upper = (np.where(weighted > 0, part / weighted, np.nan) for part in (total, low, high))
    return Evidence(
        log_e_model=log_e(total, squares),
        log_e_plain=log_e(-total, squares),
        skill=skill,
        low=lower,
        high=upper,
        clipped=np.asarray(np.abs(raw) > 1.0),
    )


def log_e(total: Floats, squares: Floats) -> Floats:
    """Logarithm of the mixture's e-value at sums Σx and Σx²: [...]. Zero sums give 0, which is e = 1."""
    # One column a bet: log E is convex in the sum, so a mixture over bets needs no guess of the skill's size.
    cost = -np.log1p(-BETS) - BETS
    exponent = np.multiply.outer(total, BETS) - np.multiply.outer(squares, cost)
    found: Floats = special.logsumexp(exponent, axis=-1) - np.log(len(BETS))
    return found


def _lowest_total(total: Floats, squares: Floats, height: float) -> Floats:
    """The smallest sum of conditional means that the data do not contradict: where log E of the rest is ``height``."""
    # The smallest bet alone reaches the height by here, whatever the squares are.
    cost = -np.log1p(-BETS[0]) - BETS[0]
    low, high = np.zeros_like(total), (height + np.log(len(BETS)) + squares * cost) / BETS[0]
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        over = log_e(middle, squares) >= height
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return np.asarray(total - high, dtype=np.float64)
