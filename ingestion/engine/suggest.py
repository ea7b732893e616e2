"""Guess how to read a file from its header and first rows. A person confirms each guess in the wizard."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ingestion.engine.mapping import CLOCK_FIELDS, WGS84_EPSG, FeedMapping, RecordKind
from ingestion.engine.privacy import screen_columns, tidy_column
from ingestion.engine.profiles import match_profile
from ingestion.engine.split_times import clock_seconds
from ingestion.engine.timestamps import EPOCH_MILLISECONDS, EPOCH_SECONDS, ISO, READ, parse_times

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "external_id": r"(?:incident|event|record|report|case|call|alert|offense|offence|cad|rms|object|dr)? ?"
        r"(?:id|number|no|num|nbr|key)|id|gid|cfs|incident|guid|uuid",
        "nibrs_code": r"nibrs(?: ?(?:code|class|offense code))?",
        "ucr_code": r"(?:fbi|ucr)(?: ?(?:code|class|number))?",
        "code": r"(?:offense|offence|crime|call|incident|event|nature|charge|final)? ?(?:code|type code|type|category)|iucr|nature|"
        r"class|type|call type(?: final)?|natur(?:e)? ?code|stage|crm cd",
        "description": r"(?:offense|offence|crime|primary|incident|call)? ?(?:description|desc|type description)|primary type|crm cd desc|"
        r"offen[sc]e|category",
        "occurred_from": r"(?:occurred|occur|incident|event|offense|offence|crime|from|start|begin|received|detected|call|created|"
        r"dispatch|date ?time|timestamp)(?: ?(?:on|at|from|start|begin))?(?: ?(?:date|time|datetime|date ?time|dt))*"
        r"(?: ?(?:from|start))?|(?:first )?occur\w* ?(?:date|time|date time)|date occ|date(?: ?(?:time|from|occ|occurred|of occurrence))*|date time from|datetimefrom",
        "occurred_to": r"(?:occurred|occur|incident|event|to|end)(?: ?(?:to|end|through))(?: ?(?:date|time|datetime))*|"
        r"datetimeto|end(?:ed)?(?: ?(?:date|time|datetime|at))*",
        "reported_at": r"(?:date ?)?(?:reported|report|rptd|rpt)(?: ?(?:date|time|datetime|at|dt|on))*|date rptd",
        "last_updated": r"(?:last )?(?:updated|modified|edited|update)(?: ?(?:on|at|date|time))*|last (?:edited )?date",
        "lon": r"(?:geo )?(?:lon|lng|long|longitude)|point ?x ?wgs84",
        "lat": r"(?:geo )?(?:lat|latitude)|point ?y ?wgs84",
        "x": r"x|(?:point|geo|map|state plane)? ?x(?: ?(?:coord|coordinate|coordinates))?|easting",
        "y": r"y|(?:point|geo|map|state plane)? ?y(?: ?(?:coord|coordinate|coordinates))?|northing",
        "unit": r"(?:primary |assigned |responding |first )?unit(?: ?(?:id|code|number|no|call ?sign))?|call ?sign",
        "discovery": r"discovery|(?:call )?(?:source|origin|initiated by)|how (?:received|discovered)",
    }
)
_PATTERNS = {name: re.compile(pattern) for name, pattern in _NAMES.items()}
_ORDER = (
    "external_id",
    "nibrs_code",
    "ucr_code",
    "description",
    "code",
    "last_updated",
    "reported_at",
    "occurred_to",
    "occurred_from",
    "lon",
    "lat",
    "x",
    "y",
    "unit",
    "discovery",
)
"""Narrow meanings first: "offense description" is taken before "offense" may become the code."""

DATE_FORMATS: tuple[tuple[str, str], ...] = (
    (ISO, "2026-03-14 18:05:00 (ISO 8601, also with an offset)"),
    ("%m/%d/%Y %I:%M:%S %p", "03/14/2026 06:05:00 PM"),
    ("%m/%d/%Y %I:%M %p", "03/14/2026 06:05 PM"),
    ("%m/%d/%Y %H:%M:%S", "03/14/2026 18:05:00"),
    ("%m/%d/%Y %H:%M", "03/14/2026 18:05"),
    ("%m/%d/%Y", "03/14/2026"),
    ("%m/%d/%y %H:%M", "03/14/26 18:05"),
    ("%d/%m/%Y %H:%M:%S", "14/03/2026 18:05:00 (day first)"),
    ("%d/%m/%Y %H:%M", "14/03/2026 18:05 (day first)"),
    ("%d/%m/%Y", "14/03/2026 (day first)"),
    ("%d.%m.%Y %H:%M:%S", "14.03.2026 18:05:00"),
    ("%d.%m.%Y %H:%M", "14.03.2026 18:05"),
    ("%Y/%m/%d %H:%M:%S", "2026/03/14 18:05:00"),
    ("%Y/%m/%d %H:%M", "2026/03/14 18:05"),
    (EPOCH_SECONDS, "1773511500 (seconds since 1970)"),
    (EPOCH_MILLISECONDS, "1773511500000 (milliseconds since 1970)"),
    ("%Y%m%d", "20260314"),
    ("%Y%m%d%H%M", "202603141805"),
    ("%Y%m%d%H%M%S", "20260314180500"),
    ("%d-%b-%Y %H:%M", "14-Mar-2026 18:05"),
)
"""What the wizard offers, in the order in which it guesses: month first before day first, as in the United States."""

_DIGITS = {"%Y%m%d": 8, "%Y%m%d%H%M": 12, "%Y%m%d%H%M%S": 14, EPOCH_SECONDS: 10, EPOCH_MILLISECONDS: 13}
_DISMISSED = ("dismissed", "Dismissed", "DISMISSED", "false_positive", "fireworks")


def suggest_columns(header: Sequence[str]) -> dict[str, str]:
    """Field → column for the names that speak for themselves. Columns about persons are never suggested.

    >>> suggest_columns(["Incident Number", "Call Type", "Received", "Longitude", "Latitude", "Caller Phone"])
    {'external_id': 'Incident Number', 'code': 'Call Type', 'occurred_from': 'Received', 'lon': 'Longitude', 'lat': 'Latitude'}
    """
    refused = {violation.column for violation in screen_columns(header)}
    free = {column: tidy_column(column) for column in header if column and column not in refused}
    found: dict[str, str] = {}
    for name in _ORDER:
        for column, words in free.items():
            if _PATTERNS[name].fullmatch(words):
                found[name] = column
                del free[column]
                break
    _pair_clocks(found, free)
    if {"lon", "lat"} <= found.keys():
        found.pop("x", None)
        found.pop("y", None)
    elif {"x", "y"} <= found.keys():
        found.pop("lon", None)
        found.pop("lat", None)
    else:
        # Half a pair is no place, and a mapping with one of the other would be refused for it.
        for name in ("x", "y"):
            found.pop(name, None)
    return found


def _pair_clocks(found: dict[str, str], free: dict[str, str]) -> None:
    """Give each date the column of its time of day: "Report Date" and "Report Time", whichever stands first."""
    for name, clock in CLOCK_FIELDS.items():
        if name not in found:
            continue
        words = tidy_column(found[name])
        if re.search(r"\b(?:time|tm)\b", words) and not re.search(r"\bda?te?\b", words):
            for column, other in free.items():
                if other in _twins(words, r"\b(?:time|tm)\b", ("date", "dt")):
                    found[name], found[clock] = column, found[name]
                    del free[column]
                    break
            continue
        for column, other in free.items():
            if other in _twins(words, r"\b(?:date|dt)\b", ("time", "tm")):
                found[clock] = column
                del free[column]
                break


def _twins(words: str, pattern: str, others: Sequence[str]) -> set[str]:
    """The same words with another one in place of the pattern; none where it is not among them."""
    return {re.sub(pattern, other, words) for other in others} - {words}


def _without_odd_clocks(columns: dict[str, str], sample: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The columns, without times of day that the sample shows to be something else."""
    kept = dict(columns)
    for clock in CLOCK_FIELDS.values():
        if clock in kept:
            clocks = [text for row in sample if (text := row.get(kept[clock], "").strip())]
            if any(clock_seconds(text) is None for text in clocks):
                del kept[clock]
    return kept


@dataclass(frozen=True)
class MappingGuess:
    """A proposed mapping, the key of the profile it came from (empty if guessed), and what a person must look at."""

    mapping: FeedMapping
    profile: str
    notes: tuple[str, ...]


def guess_date_format(values: Sequence[str]) -> tuple[str, bool]:
    """The first known format that reads every value, and whether day and month could be exchanged as well.

    An empty string where none does, or where there is nothing to read.
    """
    texts = [value.strip() for value in values if value.strip()][:200]
    for date_format, _ in DATE_FORMATS:
        if texts and _reads_all(texts, date_format):
            twin = date_format.replace("%m/%d", "%d/%m")
            return date_format, twin != date_format and _reads_all(texts, twin)
    return "", False


def _reads_all(texts: Sequence[str], date_format: str) -> bool:
    # Without separators strptime makes do with too few digits: "20170131" would be a time of day.
    digits = _DIGITS.get(date_format)
    if digits and not all(text.isdigit() and len(text) == digits for text in texts):
        return False
    # ISO is understood under any declared format; it must not make another format look right.
    if date_format != ISO and (parse_times(texts[:1], date_format=ISO, zone="UTC").status == READ).all():
        return False
    parsed = parse_times(texts, date_format=date_format, zone="UTC")
    years = parsed.utc.astype("datetime64[Y]").astype(np.int64) + 1970
    return bool(((parsed.status == READ) & (years >= 1970) & (years <= 2100)).all())


def guess_mapping(
    header: Sequence[str], sample: Sequence[Mapping[str, str]], record_kind: RecordKind = "incidents"
) -> MappingGuess:
    """A mapping to start the wizard with: the ready-made profile of this header, or a guess column by column.

    It may still have problems to mend (``notes`` names them), and it never reads a column about persons.
    """
    profile = match_profile(header)
    if profile is not None:
        return MappingGuess(
            profile.mapping_for(header).replaced(record_kind=record_kind), profile.key, (profile.note,)
        )
    columns = _without_odd_clocks(suggest_columns(header), sample)
    if record_kind != "calls":
        columns.pop("unit", None)
    notes: list[str] = []
    times = [row.get(columns.get("occurred_from", ""), "") for row in sample]
    date_format, exchangeable = guess_date_format(times)
    if any(time.strip() for time in times) and not date_format:
        notes.append(
            f"The times in {columns['occurred_from']!r} have no form that we know: enter their date format."
        )
    if exchangeable:
        notes.append(
            f"In the sample day and month could be exchanged: {date_format} is taken. Look at a row whose date you know."
        )
    if "x" in columns and not _are_degrees(sample, columns["x"], columns["y"]):
        notes.append("x and y are not degrees: enter the EPSG code of their coordinate system.")
    ignored = _DISMISSED if record_kind == "gunfire" and "code" in columns else ()
    mapping = FeedMapping(
        record_kind=record_kind,
        columns=columns,
        date_format=date_format or ISO,
        crs=WGS84_EPSG,
        ignored_codes=ignored,
    )
    notes += [str(problem) for problem in mapping.problems()]
    return MappingGuess(mapping, "", tuple(notes))


def _are_degrees(rows: Sequence[Mapping[str, str]], x: str, y: str) -> bool:
    pairs = []
    for row in rows:
        try:
            pairs.append((float(row.get(x, "")), float(row.get(y, ""))))
        except ValueError:
            continue
    return all(abs(lon) <= 180 and abs(lat) <= 90 for lon, lat in pairs)


def suggest_mapping(
    header: Sequence[str], sample: Sequence[Mapping[str, str]], record_kind: RecordKind = "incidents"
) -> FeedMapping:
    """The mapping of ``guess_mapping`` without its notes."""
    return guess_mapping(header, sample, record_kind).mapping
