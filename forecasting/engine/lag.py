"""Incidents reach an agency hours to weeks late: how much of the last days is known yet, and what is still to come.

A source's ``ReportingLag`` says which share of its incidents is known so many days after they happened. It is
measured from what was known at an instant, or said by an analyst where a feed has no report times. From it follows
how incomplete each decayed count is, and by how much it is raised.

Notes
-----
Delays seen so far are short ones: a report that takes three weeks cannot be seen after two. Reverse-time
product-limit estimate for right-truncated delays: Lagakos, Barraj & De Gruttola, Biometrika 75 (1988); Lawless,
Canadian Journal of Statistics 22 (1994).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HORIZON_DAYS = 365.0
"""What is not reported within a year is never counted as missing."""
WINDOW_DAYS = 1_095.0
RECENCY_HALF_LIFE_DAYS = 180.0
NEEDS_INCIDENTS = 50
LOWEST_SHARE = 0.05
"""No count is raised more than twentyfold, however little is known."""
TRUST_INCIDENTS = 1.0
_KNOTS = (0.0, *np.geomspace(1 / 24, HORIZON_DAYS, 64).tolist())
_FINE = np.concatenate([[0.0], np.geomspace(1 / 96, HORIZON_DAYS, 600)])


@dataclass(frozen=True)
class ReportingLag:
    """Which share of a source's incidents is known ``days`` after they happened; between them a straight line.

    ``days`` ascend from 0 on, ``share`` never falls and ends with 1. ``origin``: "measured" (from ``incidents``
    incidents), "set" by an analyst, or "none" (all is known at once).
    """

    days: tuple[float, ...]
    share: tuple[float, ...]
    origin: str = "set"
    incidents: int = 0

    def __post_init__(self) -> None:
        days, share = np.asarray(self.days), np.asarray(self.share)
        if len(days) != len(share) or len(days) == 0:
            raise ValueError("A reporting lag needs as many shares as days, and at least one.")
        if not (np.isfinite(days).all() and np.isfinite(share).all()):
            raise ValueError("A reporting lag holds a value that is no number.")
        if days[0] < 0 or (np.diff(days) <= 0).any():
            raise ValueError("The days of a reporting lag must ascend from zero or later.")
        if share[0] < 0 or share[-1] != 1 or (np.diff(share) < 0).any():
            raise ValueError("The shares of a reporting lag must not fall, and must end with 1.")

    @classmethod
    def none(cls) -> Self:
        """Everything is known the moment it happens."""
        return cls((0.0,), (1.0,), "none")

    @classmethod
    def from_quantiles(cls, median_hours: float, p90_hours: float) -> Self:
        """Half are known after the first, nine in ten after the second number of hours; log-normal.

        ``ValueError`` unless 0 < median <= p90.
        """
        if not 0 < median_hours <= p90_hours or not math.isfinite(p90_hours):
            raise ValueError("The median lag must be above zero and not longer than the 90 % lag.")
        width = max(math.log(p90_hours / median_hours) / NormalDist().inv_cdf(0.9), 1e-6)
        bell = NormalDist(math.log(median_hours / 24.0), width)
        share = [0.0, *(bell.cdf(math.log(day)) for day in _KNOTS[1:])]
        return cls(_KNOTS, (*(min(value, 1.0) for value in share[:-1]), 1.0))

    @classmethod
    def from_table(cls, rows: Iterable[tuple[float, float]]) -> Self:
        """From (days, share known by then), ascending; the last share must be 1."""
        days, share = zip(*rows, strict=True)
        return cls(tuple(map(float, days)), tuple(map(float, share)))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """What ``as_dict`` made."""
        return cls(tuple(record["days"]), tuple(record["share"]), record["origin"], record["incidents"])

    @classmethod
    def mixture(cls, parts: Sequence[tuple["ReportingLag", float]]) -> Self:
        """Several feeds as one source: each lag with its share of the incidents (need not sum to one)."""
        days = np.unique(np.concatenate([lag.days for lag, _ in parts]))
        total = sum(part for _, part in parts)
        share = sum(np.asarray(lag.known(days)) * (part / total) for lag, part in parts)
        return cls(*_table(days, np.asarray(share)), "set")

    @property
    def is_complete(self) -> bool:
        return self.share[0] == 1.0 and self.days[0] == 0.0

    def known(self, age_days: npt.ArrayLike) -> Floats:
        """Share known at these ages: 0 before the incident, between 0 and 1 after."""
        age = np.asarray(age_days, dtype=np.float64)
        share: Floats = np.interp(age, self.days, self.share, left=0.0)
        return share

    def quantile_hours(self, share: float) -> float:
        """Hours until this share is known; 0 where it is known at once."""
        at = int(np.searchsorted(self.share, share))
        if at == 0:
            return 24.0 * self.days[0]
        part = (share - self.share[at - 1]) / (self.share[at] - self.share[at - 1])
        return 24.0 * (self.days[at - 1] + part * (self.days[at] - self.days[at - 1]))

    def with_said(self, said: "ReportingLag | None") -> "ReportingLag":
        """This lag and another that comes on top: known only when both have passed."""
        if said is None or said.is_complete:
            return self
        if self.is_complete:
            return said
        days = np.unique(np.concatenate([self.days, said.days]))
        return ReportingLag(*_table(days, self.known(days) * said.known(days)), "set", self.incidents)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the table, and what a person reads of it."""
        return {
            "origin": self.origin,
            "incidents": self.incidents,
            "median_hours": self.quantile_hours(0.5),
            "p90_hours": self.quantile_hours(0.9),
            "known_after_days": {f"{day:g}": float(self.known(day)) for day in (1.0, 3.0, 7.0, 14.0, 30.0)},
            "days": list(self.days),
            "share": list(self.share),
        }


def _table(days: Floats, share: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mend rounding: shares that never fall, none above 1, the last exactly 1."""
    mended = np.minimum(np.maximum.accumulate(share), 1.0)
    mended[-1] = 1.0
    return tuple(days.tolist()), tuple(mended.tolist())


def lag_measure(
    occurred_days: Floats, known_days: Floats, as_of_days: float, weight: Floats | None = None
) -> ReportingLag:
    """Estimate one source's lag from what was known before an instant; later knowledge changes nothing.

    Arrays [n] in days; ``weight`` is how much of an incident each row is (one each if None). Incidents of the last
    three years count, the newer the more (half-life 180 days). Delays beyond a year, or longer than any that enough
    incidents had the time for, are left out. Fewer than fifty incidents say nothing: all is then taken as known.
    """
    span = as_of_days - occurred_days
    use = np.flatnonzero((known_days < as_of_days) & (span < WINDOW_DAYS))
    mass = np.ones(len(use)) if weight is None else weight[use]
    delay, span = np.maximum(known_days[use] - occurred_days[use], 0.0), span[use]
    if mass.sum() < NEEDS_INCIDENTS:
        return ReportingLag.none()
    delay = np.where(delay < 1e-9, 0.0, delay)
    if not delay.any():
        return ReportingLag((0.0,), (1.0,), "measured", round(float(mass.sum())))
    x = np.unique(delay)
    horizon = _horizon(x, delay, span, mass)
    inside = np.flatnonzero(delay <= horizon)
    delay, span, mass = delay[inside], span[inside], mass[inside]
    recent = mass * np.exp2(-span / RECENCY_HALF_LIFE_DAYS)
    x, number = np.unique(delay, return_inverse=True)
    here = np.bincount(number, recent)
    at_risk = _at_risk(x, delay, span, recent)
    # Going back in time from the longest delay: of those known by x, how many became known exactly then.
    keeps = 1.0 - np.minimum(here / np.maximum(at_risk, 1e-300), 1.0)
    share = np.append(np.cumprod(keeps[:0:-1])[::-1], 1.0)
    at = np.searchsorted(x, _KNOTS, side="right") - 1
    known = np.where(at >= 0, share[np.maximum(at, 0)], 0.0)
    return ReportingLag(*_table(np.asarray(_KNOTS), known), "measured", round(float(mass.sum())))


def _at_risk(x: Floats, delay: Floats, span: Floats, mass: Floats) -> Floats:
    """Incidents with a delay of at most x that could have been seen with a delay of x: [len(x)]."""
    by_delay, by_span = np.argsort(delay), np.argsort(span)
    seen = np.concatenate([[0.0], np.cumsum(mass[by_delay])])
    young = np.concatenate([[0.0], np.cumsum(mass[by_span])])
    # A delay is never longer than the time there was: the young ones are all among the seen.
    up_to = seen[np.searchsorted(delay[by_delay], x, side="right")]
    result: Floats = up_to - young[np.searchsorted(span[by_span], x, side="left")]
    return result


def _horizon(x: Floats, delay: Floats, span: Floats, mass: Floats) -> float:
    """The longest delay that may be trusted: beyond it too few incidents are old enough to compare with."""
    enough = np.flatnonzero((_at_risk(x, delay, span, mass) >= 0.5 * NEEDS_INCIDENTS) & (x <= HORIZON_DAYS))
    return float(x[enough[-1]]) if len(enough) else 0.0


def lags_measured(
    source: Ints, occurred_days: Floats, known_days: Floats, weight: Floats, n_sources: int, as_of_days: float
) -> tuple[ReportingLag, ...]:
    """``lag_measure`` for every source."""
    found = []
    for one in range(n_sources):
        at = np.flatnonzero(source == one)
        found.append(lag_measure(occurred_days[at], known_days[at], as_of_days, weight[at]))
    return tuple(found)


class CompletenessBook:
    """How much of each decayed count is known at one instant, for all sources and half-lives; walks forward.

    R = (sum of decay x share known) / (sum of decay), over the time since the source's first known incident. What
    happened between the issue of a forecast and the instant it is for is not known at all (counted in whole hours).
    """

    def __init__(self, lags: Sequence[ReportingLag], half_lives_days: Sequence[float]) -> None:
        self._half = np.asarray(half_lives_days, dtype=np.float64)
        self.shares = np.ones((len(lags), len(self._half)))
        decay = np.exp2(-_FINE[:, None] / self._half)
        steps = np.diff(_FINE)[:, None]
        self._missing = np.zeros((len(_FINE), len(lags), len(self._half)))
        for number, lag in enumerate(lags):
            unknown = decay * (1.0 - lag.known(_FINE))[:, None]
            self._missing[1:, number] = np.cumsum(0.5 * steps * (unknown[1:] + unknown[:-1]), axis=0)

    @property
    def complete(self) -> bool:
        """Nothing is missing anywhere: every factor is exactly one."""
        return bool((self.shares == 1.0).all())

    def move_to(self, now_days: float, issued_days: float, first_days: Floats) -> None:
        """Say what the time is, when the forecast is issued (not later), and when each source's incidents began.

        ``first_days`` [sources]: the earliest of its known incidents, infinite where there is none.
        """
        age = np.where(np.isfinite(first_days), now_days - first_days, 0.0)
        gap = max(now_days - issued_days, 0.0)
        # Whole hours: two forecasts issued minutes apart from the same incidents should be the same.
        gap = math.floor(gap * 24.0 + 1e-6) / 24.0
        x = np.clip(age - gap, 0.0, _FINE[-1])
        low = np.minimum(np.searchsorted(_FINE, x, side="right") - 1, len(_FINE) - 2)
        part = ((x - _FINE[low]) / (_FINE[low + 1] - _FINE[low]))[:, None]
        at = np.arange(len(age))
        missing = (1.0 - part) * self._missing[low, at] + part * self._missing[low + 1, at]
        missing = missing * np.exp2(-gap / self._half) + self._passed(np.minimum(gap, age))
        whole = self._passed(age)
        share = 1.0 - np.divide(missing, whole, out=np.zeros_like(missing), where=whole > 0)
        self.shares = np.clip(share, LOWEST_SHARE, 1.0)

    def _passed(self, days: Floats) -> Floats:
        """Days passed, counted with decay: [sources, half-lives]."""
        infinite = np.isinf(self._half)
        scale = np.where(infinite, 1.0, self._half) / math.log(2.0)
        decayed = scale * -np.expm1(-days[:, None] / scale)
        result: Floats = np.where(infinite, days[:, None], decayed)
        return result

    def factors(self, totals: Floats, columns: Any = slice(None)) -> Floats:
        """What to multiply counts by, [sources, half-lives]: 1 / R, believed as far as there are incidents.

        ``totals``: the known decayed counts of the city. With one incident half of the correction is made, with
        twenty 95 %: a single early report must not count as twenty.
        """
        more = 1.0 / self.shares[:, columns] - 1.0
        result: Floats = 1.0 + more * (totals / (totals + TRUST_INCIDENTS))
        return result
