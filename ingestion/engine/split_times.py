"""Join a date and a time of day that stand in two columns into one text that is read like any other time.

Rules. The time column may be empty: the record then covers its whole day (precision ``day``), unless its date cell tells
a time besides midnight, which counts then. A date cell's own midnight is no time: exports write dates so. ``24:00`` and
``2400`` are the next midnight.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agencies.engine.local_time import utc_to_local
from ingestion.engine.timestamps import DAY, READ, parse_times, wall_clocks

Bools = npt.NDArray[np.bool_]

_CLOCK = re.compile(
    # A time cell of a workbook or database may carry the day on which its clock began.
    r"(?:\d{4}-\d{2}-\d{2}[T ])?(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?(?:\s*([AaPp])(?:\.?[Mm]\.?)?)?",
    re.ASCII,
)
_DIGITS = re.compile(r"(\d{1,6})\s*(?:h|hrs?\.?|hours)?", re.ASCII | re.IGNORECASE)
_FRACTION = re.compile(r"0?\.\d+", re.ASCII)
_DAY_S = 86_400


def clock_seconds(text: str) -> int | None:
    """Seconds after midnight of a time of day as people and systems write it; None if it is none.

    >>> [clock_seconds(text) for text in ("21:30", "9:30 PM", "2130", "930", "00:00:05.7", "24:00", "0.5")]
    [77400, 77400, 77400, 34200, 5, 86400, 43200]
    >>> [clock_seconds(text) for text in ("25:00", "21:60", "13:00 PM", "unknown", "9999")]
    [None, None, None, None, None]
    """
    text = text.strip()
    if _FRACTION.fullmatch(text):
        # Excel's fraction of a day, to the second: it carries an error of microseconds.
        return round(float(text) * _DAY_S)
    if match := _CLOCK.fullmatch(text):
        hour, minute, second, half = (
            int(match[1]),
            int(match[2]),
            int(match[3] or 0),
            (match[4] or "").lower(),
        )
        if half:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + 12 * (half == "p")
    else:
        number = _DIGITS.fullmatch(text)
        if number is None:
            return None
        # Up to four digits are hours and minutes ("5" is 00:05, as a number column drops the zeros), more have seconds.
        digits = number[1].zfill(4) + "00" if len(number[1]) <= 4 else number[1].zfill(6)
        hour, minute, second = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    seconds = hour * 3600 + minute * 60 + second
    return seconds if minute < 60 and second < 60 and (hour < 24 or seconds == _DAY_S) else None


def join_dates_and_clocks(
    dates: Sequence[str], clocks: Sequence[str], *, date_format: str, zone: str
) -> tuple[list[str], Bools]:
    """One text a row that ``parse_times`` reads, and where the time of day cannot be read.

    ``dates`` and ``clocks`` are stripped texts of equal length. A date that cannot be read, and the date beside a
    time that cannot, come back as they are: the row is told so.

    >>> join_dates_and_clocks(["03/14/2026", "03/15/2026"], ["9:30 PM", ""], date_format="%m/%d/%Y", zone="UTC")[0]
    ['2026-03-14T21:30:00', '2026-03-15']
    """
    days, is_midnight = _days(dates, date_format=date_format, zone=zone)
    known = {text: clock_seconds(text) for text in set(clocks)}
    joined: list[str] = []
    unreadable = np.zeros(len(dates), dtype=np.bool_)
    for row, (date, clock) in enumerate(zip(dates, clocks, strict=True)):
        day = days.get(date)
        seconds = known[clock]
        if clock and seconds is None:
            unreadable[row] = True
        if day is None or (clock and seconds is None) or (not clock and not is_midnight[date]):
            joined.append(date)
        elif seconds is None or not clock:
            joined.append(str(day))
        else:
            joined.append(str(day.astype("datetime64[s]") + np.timedelta64(seconds, "s")))
    return joined, unreadable


def _days(
    dates: Sequence[str], *, date_format: str, zone: str
) -> tuple[dict[str, np.datetime64], dict[str, bool]]:
    """The day of each different readable date text, and whether it tells no time but midnight."""
    texts = list(dict.fromkeys(dates))
    local, has_offset = wall_clocks(texts, date_format=date_format)
    read = parse_times(texts, date_format=date_format, zone=zone)
    in_zone = utc_to_local(read.utc, zone).astype("datetime64[D]")
    own = local.astype("datetime64[D]")
    midnight = local == own.astype("datetime64[s]")
    # A portal's "date" is midnight UTC in milliseconds: in the agency's zone that would be the day before.
    day = np.where(has_offset & ~midnight, in_zone, own)
    # Local midnight told as an instant is a date as well.
    zone_midnight = utc_to_local(read.utc, zone) == in_zone.astype("datetime64[s]")
    plain = midnight | (has_offset & zone_midnight) | (read.precision == DAY)
    good = read.status == READ
    return (
        {text: day[i] for i, text in enumerate(texts) if good[i]},
        {text: bool(plain[i]) for i, text in enumerate(texts)},
    )
