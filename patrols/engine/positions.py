"""Make a fleet's positions fit to be counted: in order, each once, wrong clocks mended, impossible jumps left out.

Vehicles report late, twice, out of order and by clocks of their own. What is done here is done before anybody counts a
minute, so that none of it can change one.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from patrols.engine.design import Bools, Floats, Ints


@dataclass(frozen=True)
class PresenceRules:
    """What counts as presence. Metres and seconds; the defaults and their reasons stand in docs/dosage.md.

    ``enter_m``: this far inside a box a unit has arrived. ``leave_m``: this far outside it has left; less than half a
    box. ``gap_s``: the longest silence in which a moving unit's time is counted. ``parked_gap_s``: the longest silence
    counted where the unit was in the same box before and after. ``walk_m``: officers on foot are believed while their
    car stands this near to the box.
    """

    enter_m: float = 0.0
    leave_m: float = 30.0
    gap_s: float = 180.0
    parked_gap_s: float = 900.0
    skew_tolerance_s: float = 60.0
    skew_limit_s: float = 7200.0
    top_speed_m_s: float = 70.0
    walk_m: float = 400.0

    def __post_init__(self) -> None:
        if self.enter_m < 0 or self.leave_m < 0:
            raise ValueError("The margins at a box's edge must not be negative.")
        if not 0 <= self.gap_s <= self.parked_gap_s:
            raise ValueError("The gap of a moving unit must not be longer than that of a parked one.")


@dataclass(frozen=True)
class Pings:
    """Positions of units, one element each, in any order: ``unit`` int64 >= 0, ``at_s`` seconds since 1970 (UTC) by the
    unit's clock, ``x_m``, ``y_m`` in the grid's projection. ``received_s`` is when the server got it, where known."""

    unit: Ints
    at_s: Floats
    x_m: Floats
    y_m: Floats
    received_s: Floats | None = None

    def __post_init__(self) -> None:
        n = len(self.unit)
        columns = [self.at_s, self.x_m, self.y_m] + ([] if self.received_s is None else [self.received_s])
        if any(len(column) != n for column in columns):
            raise ValueError("Every column of the positions needs the same length.")

    def __len__(self) -> int:
        return len(self.unit)

    def take(self, rows: npt.NDArray[Any]) -> "Pings":
        """The positions at these places, or where this mask is true."""
        received = None if self.received_s is None else self.received_s[rows]
        return Pings(self.unit[rows], self.at_s[rows], self.x_m[rows], self.y_m[rows], received)


@dataclass(frozen=True)
class Cleaned:
    """Positions by (unit, time), each instant once, and what was done to them.

    ``skew_s``: seconds by which the clocks of these units ran ahead, taken off. ``unusable`` units' clocks are off by
    more than can be mended: their positions are left out.
    """

    pings: Pings
    duplicates: int = 0
    jumps: int = 0
    skew_s: dict[int, float] = field(default_factory=dict)
    unusable: tuple[int, ...] = ()


def clean_pings(pings: Pings, rules: PresenceRules) -> Cleaned:
    """Sort positions, drop repeats and impossible jumps, put wrong clocks right.

    The result does not depend on the order given. Of several places of one unit at one instant the most south-western
    stays: any fixed choice will do. Positions that are not finite are dropped. Costs one sort.
    """
    finite = np.isfinite(pings.x_m) & np.isfinite(pings.y_m) & np.isfinite(pings.at_s)
    pings = pings if finite.all() else pings.take(finite)
    # Before clocks are compared: one position sent a hundred times must not decide what a unit's lag is.
    pings, duplicates = _sorted_once(pings)
    pings, skew_s, unusable = _clocks_mended(pings, rules)
    pings, jumps = _without_jumps(pings, rules.top_speed_m_s)
    return Cleaned(pings, duplicates, jumps, skew_s, unusable)


def _sorted_once(pings: Pings) -> tuple[Pings, int]:
    if len(pings) == 0:
        return pings, 0
    span = pings.at_s.max() - pings.at_s.min() + 1.0
    # One key sorts three times faster than two; doubles hold it to a microsecond for any fleet of a day.
    order = np.argsort(pings.unit * span + (pings.at_s - pings.at_s.min()), kind="stable")
    unit, at_s = pings.unit[order], pings.at_s[order]
    again = (unit[1:] == unit[:-1]) & (at_s[1:] == at_s[:-1])
    if not again.any():
        return pings.take(order), 0
    # Only the repeated ones are sorted again: they are few, and which of them stays must not depend on the order given.
    repeated = np.append(False, again) | np.append(again, False)
    places = np.flatnonzero(repeated)
    some = order[places]
    columns = [pings.y_m[some], pings.x_m[some], pings.at_s[some], pings.unit[some]]
    if pings.received_s is not None:
        columns.insert(0, pings.received_s[some])
    order[places] = some[np.lexsort(tuple(columns))]
    first = np.append(True, ~again)
    return pings.take(order[first]), int(again.sum())


def _clocks_mended(pings: Pings, rules: PresenceRules) -> tuple[Pings, dict[int, float], tuple[int, ...]]:
    """Take off what a unit's clock is ahead of or behind the rest of the fleet.

    A clock is wrong where the lag from a unit's instant to the server's is *steady* and unlike the fleet's; a lag that
    varies is a modem that sends in batches, and says nothing about the clock.
    """
    if pings.received_s is None or len(pings) == 0:
        return pings, {}, ()
    lag = pings.received_s - pings.at_s
    starts = np.flatnonzero(np.append(True, pings.unit[1:] != pings.unit[:-1]))
    ends = np.append(starts[1:], len(pings))
    units = pings.unit[starts]
    middle, spread = np.full(len(units), np.nan), np.full(len(units), np.inf)
    for at, (lo, hi) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        known = lag[lo:hi][np.isfinite(lag[lo:hi])]
        if len(known):
            low, middle[at], high = np.percentile(known, [10, 50, 90])
            spread[at] = high - low
    steady = np.isfinite(middle) & (spread <= rules.skew_tolerance_s)
    if not steady.any():
        return pings, {}, ()
    # Half of the fleet with wrong clocks would pass for the right time: never trust a usual lag below nought.
    usual = max(0.0, float(np.median(middle[steady])))
    ahead = np.where(steady, usual - middle, 0.0)
    is_off = np.abs(ahead) > rules.skew_tolerance_s
    is_lost = np.abs(ahead) > rules.skew_limit_s
    shift = np.repeat(np.where(is_off & ~is_lost, ahead, 0.0), ends - starts)
    mended = Pings(pings.unit, pings.at_s - shift, pings.x_m, pings.y_m, pings.received_s)
    if is_lost.any():
        mended = mended.take(np.repeat(~is_lost, ends - starts))
    skew = {int(units[at]): float(ahead[at]) for at in np.flatnonzero(is_off & ~is_lost).tolist()}
    return mended, skew, tuple(int(unit) for unit in units[is_lost])


def _without_jumps(pings: Pings, top_speed_m_s: float) -> tuple[Pings, int]:
    """Drop single positions that no car can reach and come back from: reflections between tall buildings."""
    if len(pings) < 3:
        return pings, 0
    same: Bools = pings.unit[1:] == pings.unit[:-1]
    reach = top_speed_m_s * (pings.at_s[1:] - pings.at_s[:-1])
    too_far = same & (
        (pings.x_m[1:] - pings.x_m[:-1]) ** 2 + (pings.y_m[1:] - pings.y_m[:-1]) ** 2 > reach**2
    )
    jumps = too_far[:-1] & too_far[1:]
    if not jumps.any():
        return pings, 0
    keep = np.ones(len(pings), dtype=np.bool_)
    keep[1:-1] = ~jumps
    # Where two in a row are far from both neighbours, the first alone goes: the rest may be the true track.
    keep[2:-1] |= jumps[1:] & jumps[:-1]
    return pings.take(keep), int(len(keep) - keep.sum())
