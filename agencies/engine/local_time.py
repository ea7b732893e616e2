"""Turn what the clock on the wall said into an instant, and back, in bulk and through summer time.

The rule for both odd hours of the year, everywhere in the product: a wall time that happens twice means
its first occurrence; one that never happens means the first moment after the gap.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.datetime64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FIRST_YEAR, LAST_YEAR = 1900, 2100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_S, _LATEST_S = (
    int((day - _EPOCH).total_seconds())
    for day in (datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC))
)


@dataclass(frozen=True)
class LocalTimes:
    """The instants of wall-clock times: UTC (first occurrence), the second occurrence, and two marks."""

    utc: Times
    later_utc: Times
    """Equal to ``utc`` except in the repeated hour, where it is the second occurrence."""
    ambiguous: Bools
    shifted: Bools
    """The wall time did not exist (spring gap) and was moved to the first moment that did."""


def _offset_s(zone: ZoneInfo, second: int) -> int:
    offset = zone.utcoffset((_EPOCH + timedelta(seconds=second)).astimezone(zone))
    return int(offset.total_seconds()) if offset is not None else 0


@lru_cache(maxsize=64)
def _transitions(zone_name: str) -> tuple[Ints, Ints]:
    """The seconds (UTC) at which the zone's offset changes, and the offset from each on, in seconds.

    The first entry is the beginning of time. Found by daily samples and bisection, since zoneinfo has
    no public table: two changes within one day would be seen as their sum.
    """
    zone = ZoneInfo(zone_name)
    day = 86_400
    first = int((datetime(FIRST_YEAR, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
    last = int((datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
    starts, offsets = [np.iinfo(np.int64).min // 4], [_offset_s(zone, first)]
    for left in range(first, last, day):
        after = _offset_s(zone, left + day)
        if after == offsets[-1]:
            continue
        low, high = left, left + day
        while high - low > 1:
            middle = (low + high) // 2
            if _offset_s(zone, middle) == offsets[-1]:
                low = middle
            else:
                high = middle
        starts.append(high)
        offsets.append(after)
    return np.array(starts, dtype=np.int64), np.array(offsets, dtype=np.int64)


def local_to_utc(local: Times, zone_name: str) -> LocalTimes:
    """The instants of these wall-clock times (naive, any resolution, cut to seconds); NaT stays NaT."""
    seconds = local.astype("datetime64[s]")
    missing = np.isnat(seconds)
    wall = np.where(missing, 0, seconds.astype(np.int64))
    starts, offsets = _transitions(zone_name)
    # A change happens when the OLD clock reaches it; until then the old offset holds: the first occurrence.
    old_clock = starts[1:] + offsets[:-1]
    index = np.searchsorted(old_clock, wall, side="right")
    raw = wall - offsets[index]
    # In the gap the new clock's reading lies before the change itself: move it to the change.
    utc = np.maximum(raw, starts[index])
    shifted = (utc != raw) & ~missing
    following = np.minimum(index + 1, len(starts) - 1)
    later = wall - offsets[following]
    ambiguous = (index + 1 < len(starts)) & (later >= starts[following]) & ~missing
    nat = np.datetime64("NaT", "s")
    return LocalTimes(
        utc=np.where(missing, nat, utc.astype("datetime64[s]")),
        later_utc=np.where(missing, nat, np.where(ambiguous, later, utc).astype("datetime64[s]")),
        ambiguous=ambiguous,
        shifted=shifted,
    )


def utc_to_local(utc: Times, zone_name: str) -> Times:
    """What the wall clock in the zone shows at these instants (naive ``datetime64[s]``); NaT stays NaT."""
    seconds = utc.astype("datetime64[s]")
    missing = np.isnat(seconds)
    instants = np.where(missing, 0, seconds.astype(np.int64))
    starts, offsets = _transitions(zone_name)
    index = np.searchsorted(starts, instants, side="right") - 1
    local = (instants + offsets[index]).astype("datetime64[s]")
    return np.where(missing, np.datetime64("NaT", "s"), local)


def aware(instant: np.datetime64) -> datetime:
    """An instant as Python's, to the second. What lies outside of its years is the nearest day that any time zone can still show.

    "31 December 9999" is how many systems write "without an end".

    >>> aware(np.datetime64("2026-03-01T12:00")), aware(np.datetime64("10000-01-01T05:00")).date()
    (datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc), datetime.date(9999, 12, 29))
    """
    second = int(instant.astype("datetime64[s]").astype(np.int64))
    return datetime.fromtimestamp(min(max(second, _EARLIEST_S), _LATEST_S), tz=UTC)
