"""How many minutes cars really stood in each box, from the times at which officers said that they arrived and left.

Only engagements with an arrival and a departure are counted; positions from vehicles are not used here.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from patrols.engine.design import Floats, Ints

Times = npt.NDArray[np.datetime64]
Codes = npt.NDArray[np.int8]

PresenceCode = Literal["counted", "still_open", "left_before_arrival", "outside_shift", "covered_by_another"]
PRESENCE_CODES: tuple[PresenceCode, ...] = (
    "counted",
    "still_open",
    "left_before_arrival",
    "outside_shift",
    "covered_by_another",
)


@dataclass(frozen=True)
class Presence:
    """Minutes of presence of each engagement, in the order given, and why one counts for nothing.

    ``minutes`` float64[n] >= 0; ``code`` int8[n] indexes ``PRESENCE_CODES``; ``minutes`` is 0 unless it is "counted".
    """

    minutes: Floats
    code: Codes


def presence_minutes(
    *,
    unit: Ints,
    mission: Ints,
    arrived_utc: Times,
    left_utc: Times,
    shift_from_utc: np.datetime64,
    shift_to_utc: np.datetime64,
) -> Presence:
    """Count the minutes that each engagement adds, none of a unit's minutes twice.

    Arrays have shape [n], times are ``datetime64[s]``. Engagements are clipped to the shift. Where one unit's overlap:
    at the same mission they are merged (the later one counts from where the earlier ended); at different missions,
    arriving at the second ends the first, since a car is in one place. Different units at one mission both count:
    these are unit-minutes. A missing departure (NaT) is "still_open" and counts 0, for nobody knows how long; a
    departure before the arrival counts 0 as well. Ties of arrival: the earlier departure first, then input order.
    Raises ``ValueError`` if the shift ends before it starts or an arrival is missing.
    """
    if shift_to_utc < shift_from_utc:
        raise ValueError("The shift ends before it starts; check its start and length.")
    if np.isnat(arrived_utc).any():
        raise ValueError(
            "An engagement has no arrival time; only those that a unit has begun can be counted."
        )
    second = np.timedelta64(1, "s")
    length_s = float((shift_to_utc - shift_from_utc) / second)
    start_s: Floats = (arrived_utc - shift_from_utc) / second
    is_open = np.isnat(left_utc)
    end_s: Floats = np.where(is_open, start_s, (left_utc - shift_from_utc) / second)
    is_reversed = end_s < start_s
    # One that is over before the shift, or begins after it, must not cut short one inside.
    is_outside = (start_s >= length_s) | (~is_open & (end_s <= 0.0))
    begin, stop = np.clip(start_s, 0.0, length_s), np.clip(end_s, 0.0, length_s)

    kept = np.flatnonzero(~is_outside & ~is_reversed)
    kept = kept[np.lexsort((kept, stop[kept], begin[kept], unit[kept]))]
    # A run is one unit's consecutive engagements at one mission; the next run's first arrival ends it.
    same_unit = unit[kept][1:] == unit[kept][:-1]
    limit = np.full(len(kept), length_s)
    for at in range(len(kept) - 2, -1, -1):
        if same_unit[at]:
            same_place = mission[kept[at]] == mission[kept[at + 1]]
            limit[at] = limit[at + 1] if same_place else begin[kept[at + 1]]
    seconds = np.zeros(len(unit))
    covered_to = 0.0
    for at, row in enumerate(kept.tolist()):
        if at == 0 or not same_unit[at - 1] or mission[kept[at - 1]] != mission[row]:
            covered_to = 0.0
        start, end = max(float(begin[row]), covered_to), min(float(stop[row]), float(limit[at]))
        seconds[row] = max(0.0, end - start)
        covered_to = max(covered_to, end)

    code = np.full(len(unit), PRESENCE_CODES.index("counted"), dtype=np.int8)
    code[(seconds == 0) & (stop > begin)] = PRESENCE_CODES.index("covered_by_another")
    code[is_outside] = PRESENCE_CODES.index("outside_shift")
    code[is_reversed] = PRESENCE_CODES.index("left_before_arrival")
    code[is_open] = PRESENCE_CODES.index("still_open")
    return Presence(seconds / 60.0, code)
