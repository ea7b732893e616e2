"""When each visit starts and how long it should last, for every box, sent or not.

Notes
-----
A beat's K boxes with V visits each share one timetable of K·V starts. Its order is round after round (box 1..K, again
box 1..K, ...); its times are sorted uniform numbers pushed apart by the least gap. Chosen boxes take its K places in
random order; every other box takes a place at random, "as if it had been sent instead of one of them". So a box's
clock has the same distribution whether or not it was drawn, and one unit never has to be in two boxes at once.

With u units, missions go to units by turns: in order of their starts (first visit, then second, ...), mission p to
unit p mod u. A round is padded to a multiple of u places, so that turns hold from one round to the next.
"""

from dataclasses import dataclass

import numpy as np

from patrols.engine.design import Bools, DesignPolicy, Floats


@dataclass(frozen=True)
class Timetable:
    """The shape of a beat's shift: how many visits per box fit, and how far apart starts are kept.

    ``visits`` >= 1; a round has ``places`` >= K places, of which the first K are used; the start at place j, counted
    over all rounds, is at least ``j * gap_numerator // gap_denominator`` minutes after the first (whole-number
    arithmetic: rounding must not shave a minute off a gap); ``slack_minutes`` is left to chance; ``is_tight`` when
    units must overlap even with one visit per box.
    """

    k: int
    places: int
    visits: int
    gap_numerator: int
    gap_denominator: int
    slack_minutes: int
    is_tight: bool


def timetable(*, k: int, units: int, shift_minutes: int, policy: DesignPolicy) -> Timetable | None:
    """Fit as many visits per box as the policy asks for and the units can do; None if not even one dose fits.

    Places u apart span at least the longest dose and a drive, so that no unit that takes its turns is in two boxes
    at once. Two visits to the same box are a round apart, which spans at least the policy's spacing.
    """
    usable = shift_minutes - policy.dose_max_minutes
    if usable < 0:
        return None
    busy = policy.dose_max_minutes + policy.travel_minutes
    # Never shorter than the dose and the drive: two units would stand in the same box.
    spacing = max(policy.min_spacing_minutes, busy)
    places = -(-k // units) * units
    for visits in range(policy.visits_per_cell, 0, -1):
        # The larger of busy / units and spacing / places, as a fraction.
        numerator, denominator = busy, units
        if visits > 1 and spacing * units > busy * places:
            numerator, denominator = spacing, places
        last = (visits - 1) * places + k - 1
        slack = usable - last * numerator // denominator
        if slack >= 0:
            return Timetable(k, places, visits, numerator, denominator, slack, is_tight=False)
    return Timetable(k, k, 1, usable, k - 1, 0, is_tight=True)


def start_minutes(
    *, drawn: Bools, table: Timetable, visits_per_cell: int, rng: np.random.Generator
) -> Floats:
    """Whole minutes after the start of the shift at which each visit to each box begins. float64[n, V].

    Rows ascend. Visits that do not fit in the shift (``table.visits`` < V) are NaN in the last columns: a number
    there would become a mission at an absurd time.
    """
    k, n = table.k, len(drawn)
    jitter = np.floor(np.sort(rng.random(k * table.visits)) * (table.slack_minutes + 1))
    at = (table.places * np.arange(table.visits)[:, None] + np.arange(k)[None, :]).ravel()
    starts = jitter + at * table.gap_numerator // table.gap_denominator
    # Every box consumes one number, drawn or not: its place in the order, or its place "as if".
    lot = rng.random(n)
    place = np.floor(lot * k).astype(np.int64)
    place[drawn] = np.argsort(np.argsort(lot[drawn], kind="stable"), kind="stable")
    result = np.full((n, visits_per_cell), np.nan)
    result[:, : table.visits] = starts[place[:, None] + k * np.arange(table.visits)[None, :]]
    return result


def dose_minutes(*, n: int, policy: DesignPolicy, rng: np.random.Generator) -> Floats:
    """Recommended minutes per visit, drawn evenly from the policy's whole minutes. float64[n]."""
    width = policy.dose_max_minutes - policy.dose_min_minutes + 1
    dose: Floats = policy.dose_min_minutes + np.floor(rng.random(n) * width)
    return dose
