"""Read the times in somebody's file, whatever their form, into instants; say how precise they are.

Rules. A time with an offset (also ``-5:00`` and ``Z``) is that instant. A time without one is the wall
clock in the feed's zone: in the repeated hour of autumn it means the first occurrence (precision ``ambiguous``), in the
gap of spring the first moment after it (``shifted``). A date alone covers its whole day (``day``).
Parts of a second are cut off.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agencies.engine.local_time import local_to_utc
from ingestion.engine.fixed_times import read_fixed

Times = npt.NDArray[np.datetime64]
Codes = npt.NDArray[np.int8]

TIME_PRECISIONS = ("second", "minute", "day", "ambiguous", "shifted")
SECOND, MINUTE, DAY, AMBIGUOUS, SHIFTED = range(5)
READ, EMPTY, UNREADABLE = range(3)

ISO = "iso"
EPOCH_SECONDS = "epoch"
EPOCH_MILLISECONDS = "epoch_ms"

_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?(?:[.,]\d+)?)?\s*(Z|z|UTC|[+-]\d{1,2}(?::?\d{2})?)?",
    re.ASCII,
)
_OFFSET_AT_END = re.compile(r"\s*(Z|z|UTC|[+-]\d{1,2}(?::?\d{2})?)$", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?", re.ASCII)
_NAT = np.datetime64("NaT", "s")
_MAX_OFFSET_S = 18 * 3600


@dataclass(frozen=True)
class ParsedTimes:
    """One element a value; ``datetime64[s]`` in UTC, NaT unless ``status`` is READ.

    ``end_utc`` is the last second of the day for a date alone and equals ``utc`` otherwise. ``later_utc``
    is the second occurrence of a wall time in the repeated hour and equals ``utc`` otherwise.
    """

    utc: Times
    end_utc: Times
    later_utc: Times
    precision: Codes
    status: Codes

    @classmethod
    def empty(cls, n: int) -> "ParsedTimes":
        """So many values, none of them told."""
        nat = np.full(n, _NAT)
        return cls(nat, nat, nat, np.zeros(n, np.int8), np.full(n, EMPTY, np.int8))


def format_problem(date_format: str) -> str:
    """What is wrong with a declared date format, or an empty string.

    >>> format_problem("%m/%d/%Y %I:%M:%S %p"), format_problem("%Y-%m")
    ('', 'it names no day (%d or %j)')
    """
    if date_format in (ISO, EPOCH_SECONDS, EPOCH_MILLISECONDS):
        return ""
    directives = set(re.findall(r"%(.)", date_format))
    unknown = directives - set("YymdbBjHIMSpfzaA%")
    if unknown:
        return f"the directive %{min(unknown)} is not supported"
    if not directives & {"Y", "y"}:
        return "it names no year (%Y)"
    if not directives & {"d", "j"}:
        return "it names no day (%d or %j)"
    if not directives & {"m", "b", "B", "j"}:
        return "it names no month (%m or %b)"
    if "I" in directives and "p" not in directives:
        return "a twelve-hour clock (%I) needs %p, or afternoons become mornings"
    return ""


def _offset_seconds(text: str) -> int | None:
    """Seconds east of Greenwich; nothing if the text is no possible offset."""
    if text in ("Z", "z", "UTC"):
        return 0
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    if seconds > _MAX_OFFSET_S or int(match[3] or 0) > 59:
        return None
    return -seconds if match[1] == "-" else seconds


def _strptime(values: Sequence[str], date_format: str) -> Times:
    times = read_fixed(values, date_format)
    rest = np.flatnonzero(np.isnat(times))
    if rest.size:
        # Here, not above: loading it takes a third of a second, for which every command would wait.
        import pandas as pd

        others = pd.Series([values[index] for index in rest.tolist()], dtype=object)
        parsed = pd.to_datetime(others, format=date_format, errors="coerce")
        times[rest] = parsed.to_numpy().astype("datetime64[s]")
    return times


@dataclass
class _Wall:
    """What a value says before a zone is applied: wall clock, own offset if any, precision."""

    local: Times
    offset_s: npt.NDArray[np.int64]
    has_offset: npt.NDArray[np.bool_]
    precision: Codes

    @classmethod
    def unread(cls, n: int) -> "_Wall":
        return cls(np.full(n, _NAT), np.zeros(n, np.int64), np.zeros(n, np.bool_), np.zeros(n, np.int8))


def _iso_times(texts: Sequence[str]) -> Times:
    """``YYYY-MM-DDTHH:MM:SS`` as times; a day that does not exist is NaT."""
    try:
        # A fifth of the time, and for a single alert a twentieth; but one bad text among them spoils all.
        return np.array(texts, dtype="datetime64[s]")
    except ValueError:
        return _strptime(texts, "%Y-%m-%dT%H:%M:%S")


def _read_iso(values: Sequence[str], wall: _Wall, where: npt.NDArray[np.int64]) -> None:
    texts: list[str] = []
    hits: list[int] = []
    for index in where:
        match = _ISO.fullmatch(values[index])
        if match is None:
            continue
        day, minute, second, offset = match.groups()
        if offset:
            seconds = _offset_seconds(offset)
            if seconds is None:
                continue
            wall.offset_s[index] = seconds
            wall.has_offset[index] = True
        wall.precision[index] = DAY if minute is None else SECOND if second else MINUTE
        texts.append(f"{day}T{minute or '00:00'}{second or ':00'}")
        hits.append(int(index))
    if hits:
        wall.local[hits] = _iso_times(texts)


def _format_precision(date_format: str) -> int:
    if "%S" in date_format:
        return SECOND
    return MINUTE if "%M" in date_format or "%H" in date_format or "%I" in date_format else DAY


def _read_declared(
    values: Sequence[str], date_format: str, wall: _Wall, where: npt.NDArray[np.int64]
) -> None:
    texts = [values[index] for index in where]
    if date_format.rstrip().endswith("%z"):
        # pandas reads one offset a column and not "-5:00": the offsets are taken off and read by hand.
        date_format = date_format.rstrip()[:-2].rstrip()
        for position, index in enumerate(where):
            match = _OFFSET_AT_END.search(texts[position])
            seconds = _offset_seconds(match[1]) if match else None
            if match is None or seconds is None:
                texts[position] = ""
                continue
            texts[position] = texts[position][: match.start()]
            wall.offset_s[index] = seconds
            wall.has_offset[index] = True
    wall.local[where] = _strptime(texts, date_format)
    wall.precision[where] = _format_precision(date_format)


def _read_epoch(values: Sequence[str], per_second: int, wall: _Wall, where: npt.NDArray[np.int64]) -> None:
    import pandas as pd

    numbers = pd.to_numeric(pd.Series([values[index] for index in where], dtype=object), errors="coerce")
    seconds = np.floor(numbers.to_numpy(dtype=np.float64) / per_second)
    # Beyond year 9999 a number is not a time; casting it would wrap around to a plausible one.
    good = np.isfinite(seconds) & (np.abs(seconds) < 253_402_300_800)
    wall.local[where[good]] = seconds[good].astype(np.int64).astype("datetime64[s]")
    wall.has_offset[where[good]] = True


def _read(values: Sequence[str], date_format: str) -> _Wall:
    wall = _Wall.unread(len(values))
    everything = np.arange(len(values))
    if date_format in (EPOCH_SECONDS, EPOCH_MILLISECONDS):
        _read_epoch(values, 1 if date_format == EPOCH_SECONDS else 1000, wall, everything)
    elif date_format != ISO:
        _read_declared(values, date_format, wall, everything)
        # Some rows of a file carry the date alone; its order is the declared one, so nothing is guessed.
        day_format = re.split(r"[ T,]*%[HI]", date_format)[0]
        rest = np.flatnonzero(np.isnat(wall.local))
        if rest.size and day_format and day_format != date_format and not format_problem(day_format):
            wall.has_offset[rest] = False
            _read_declared(values, day_format, wall, rest)
    rest = np.flatnonzero(np.isnat(wall.local))
    if rest.size:
        # ISO is unambiguous, so it is read whatever was declared.
        wall.has_offset[rest] = False
        _read_iso(values, wall, rest)
    return wall


def wall_clocks(values: Sequence[str], *, date_format: str) -> tuple[Times, npt.NDArray[np.bool_]]:
    """What the clock of each text shows (NaT where unreadable), and whether the text says in which offset."""
    wall = _read(values, date_format)
    return wall.local, wall.has_offset


def parse_times(values: Sequence[str], *, date_format: str, zone: str) -> ParsedTimes:
    """Read texts (already stripped) as times in the declared format; ISO 8601 is always understood besides.

    ``date_format`` is "iso", "epoch", "epoch_ms" or a strptime format; ``zone`` an IANA name. Returns arrays
    of the same length. Unreadable text is a status, never an exception.
    """
    import pandas as pd

    codes, uniques = pd.factorize(np.asarray(values, dtype=object))
    texts: list[str] = [str(text) for text in uniques]
    wall = _read(texts, date_format)
    empty = np.array([text == "" for text in texts], dtype=np.bool_)
    readable = ~np.isnat(wall.local) & ~empty
    years = wall.local.astype("datetime64[Y]").astype(np.int64) + 1970
    readable &= (years >= 1) & (years <= 9999)
    local = np.where(readable, wall.local, _NAT)

    in_zone = local_to_utc(local, zone)
    own = (local.astype(np.int64) - wall.offset_s).astype("datetime64[s]")
    utc = np.where(wall.has_offset & readable, own, in_zone.utc)
    later = np.where(wall.has_offset & readable, own, in_zone.later_utc)

    precision = wall.precision.copy()
    naive = readable & ~wall.has_offset & (precision != DAY)
    precision[naive & in_zone.ambiguous] = AMBIGUOUS
    precision[naive & in_zone.shifted] = SHIFTED

    end = later.copy()
    days = np.flatnonzero(readable & (precision == DAY))
    if days.size:
        next_local = (local[days].astype(np.int64) + 86_400).astype("datetime64[s]")
        next_own = (next_local.astype(np.int64) - wall.offset_s[days]).astype("datetime64[s]")
        next_utc = np.where(wall.has_offset[days], next_own, local_to_utc(next_local, zone).utc)
        end[days] = next_utc - np.timedelta64(1, "s")
    end = np.where(precision == DAY, end, utc)

    status = np.where(empty, EMPTY, np.where(readable, READ, UNREADABLE)).astype(np.int8)
    return ParsedTimes(
        utc=utc[codes],
        end_utc=end[codes],
        later_utc=later[codes],
        precision=precision[codes],
        status=status[codes],
    )
