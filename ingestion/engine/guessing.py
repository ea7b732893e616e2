"""Propose a mapping for a file that nobody has seen before; a person confirms it in the wizard."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ingestion.engine.mapping import WGS84_EPSG, FeedMapping, RecordKind
from ingestion.engine.privacy import screen_columns, tidy_column
from ingestion.engine.profiles import match_profile
from ingestion.engine.timestamps import EPOCH_MILLISECONDS, EPOCH_SECONDS, ISO, READ, parse_times

# Field → words of a tidied column name, the surest first.
_NAMES: tuple[tuple[str, str], ...] = (
    (
        "external_id",
        r"(?:incident|event|record|case|report|offense|offence|call|alert|crime)? ?(?:id|identifier|number|no|num|key)",
    ),
    (
        "external_id",
        r"(?:object|row|unique|global|master)(?: ?(?:incident|event))? ?(?:id|key)|rin|incident|dr ?(?:no|number)|ccn",
    ),
    ("datasource", r"data ?source|source system"),
    ("nibrs_code", r"(?:nibrs|ibr)(?: ?(?:code|offen[cs]e code|class))?"),
    ("ucr_code", r"(?:fbi|ucr)(?: ?(?:code|number|no|part|class))?"),
    (
        "code",
        r"(?:iucr|(?:offen[cs]e|crime|call|nature|event|incident|charge|statute)(?: ?type)? code|code|class|nature|crm cd)",
    ),
    (
        "code",
        r"(?:offen[cs]e|crime|call|incident|event)(?: ?(?:type|category))|(?:initial|final)(?: call)? type|category|type",
    ),
    (
        "description",
        r"(?:(?:offen[cs]e|crime|call|nature|code|nibrs|primary|incident|event) ?(?:description|desc|type|name)|description)",
    ),
    (
        "occurred_from",
        r"(?:occurred?(?:nce|ence)?|occ|incident|event|offen[cs]e|crime|start|begin|from|datetime ?from|date ?time)"
        r"(?: ?(?:at|on|from|start|begin|date|datetime|date ?time|timestamp|time))*",
    ),
    (
        "occurred_from",
        r"date|datetime|timestamp|time ?stamp|date ?(?:occ\w*|of (?:occurrence|incident|offen[cs]e))|(?:alert|detection|call|create|created) ?(?:date|time|datetime|date time)",
    ),
    (
        "occurred_to",
        r"(?:occurred?|occurr?ence|occ|incident|event|offen[cs]e|to|end|datetime ?to)(?: ?(?:to|end|until|thru|through|date|datetime|time))*",
    ),
    (
        "reported_at",
        r"(?:date |time )?(?:report|reported|rptd|received|recd)(?: ?(?:at|on|date|datetime|time|timestamp))*",
    ),
    ("last_updated", r"(?:last ?)?(?:updated?|modified|edited|changed)(?: ?(?:at|on|date|datetime|time))*"),
    ("lon", r"lon|long|lng|longitude|(?:geo )?lon(?:gitude)?"),
    ("lat", r"lat|latitude|(?:geo )?lat(?:itude)?"),
    ("x", r"(?:point ?)?x(?: ?(?:coord(?:inate)?|cord))?|easting|geo ?x|coord x"),
    ("y", r"(?:point ?)?y(?: ?(?:coord(?:inate)?|cord))?|northing|geo ?y|coord y"),
    (
        "discovery",
        r"discovery|(?:call )?(?:source|origin)|how (?:received|reported)|officer initiated(?: flag)?|self initiated",
    ),
)
_PATTERNS = tuple((name, re.compile(pattern)) for name, pattern in _NAMES)

_DATE_FORMATS: tuple[str, ...] = (
    ISO,
    *(
        f"{day}{time}"
        for day in (
            "%m/%d/%Y",
            "%d/%m/%Y",
            "%m/%d/%y",
            "%d/%m/%y",
            "%d.%m.%Y",
            "%m-%d-%Y",
            "%d-%m-%Y",
            "%d-%b-%Y",
            "%Y/%m/%d",
        )
        for time in (" %I:%M:%S %p", " %I:%M %p", " %H:%M:%S", " %H:%M", "")
    ),
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    EPOCH_SECONDS,
    EPOCH_MILLISECONDS,
)


@dataclass(frozen=True)
class MappingGuess:
    """A proposed mapping, the profile it came from (empty if guessed), and what a person must look at."""

    mapping: FeedMapping
    profile: str
    notes: tuple[str, ...]


def _day_first(date_format: str) -> str:
    return date_format.replace("%m/%d", "%d/%m").replace("%m-%d", "%d-%m")


def guess_date_format(texts: Sequence[str]) -> tuple[str, bool]:
    """The first known format that reads every text, and whether day and month could be exchanged as well.

    An empty string where none does, or where there is nothing to read.
    """
    values = [text.strip() for text in texts if text.strip()][:200]
    if not values:
        return "", False
    for date_format in _DATE_FORMATS:
        if not _plausible(values, date_format):
            continue
        twin = _day_first(date_format)
        return date_format, twin != date_format and _plausible(values, twin)
    return "", False


def _plausible(values: Sequence[str], date_format: str) -> bool:
    # Without separators strptime makes do with too few digits: "20170131" would be a time of day.
    digits = {"%Y%m%d": 8, "%Y%m%d%H%M%S": 14}.get(date_format)
    if digits and not all(len(value) == digits for value in values):
        return False
    parsed = parse_times(values, date_format=date_format, zone="UTC")
    if not (parsed.status == READ).all():
        return False
    if date_format != ISO and (parse_times(values[:1], date_format=ISO, zone="UTC").status == READ).all():
        return False
    years = parsed.utc.astype("datetime64[Y]").astype(np.int64) + 1970
    return bool(((years >= 1970) & (years <= 2100)).all())


def _guess_columns(header: Sequence[str]) -> dict[str, str]:
    barred = {violation.column for violation in screen_columns(header)}
    free = [column for column in header if column and column not in barred and header.count(column) == 1]
    columns: dict[str, str] = {}
    for name, pattern in _PATTERNS:
        if name in columns:
            continue
        match = next((column for column in free if pattern.fullmatch(tidy_column(column))), None)
        if match is not None:
            columns[name] = match
            free.remove(match)
    return columns


def guess_mapping(
    header: Sequence[str], sample_rows: Sequence[Mapping[str, str]], record_kind: RecordKind = "incidents"
) -> MappingGuess:
    """A mapping to start the wizard with: a ready-made profile if the header is known, else a guess by names and values.

    The guess may be incomplete (``mapping.problems()`` says what is missing); it never names a column about persons.
    """
    profile = match_profile(header)
    if profile is not None:
        mapping = profile.mapping_for(header).replaced(record_kind=record_kind)
        return MappingGuess(mapping, profile.key, (profile.note,))
    notes: list[str] = []
    columns = _guess_columns(header)
    crs = WGS84_EPSG
    if "lon" in columns and "lat" in columns:
        columns.pop("x", None)
        columns.pop("y", None)
    elif "x" in columns and "y" in columns:
        columns.pop("lon", None)
        columns.pop("lat", None)
        if _are_degrees(sample_rows, columns["x"], columns["y"]):
            columns["lon"], columns["lat"] = columns.pop("x"), columns.pop("y")
        else:
            notes.append("x and y are not degrees: enter the EPSG code of their coordinate system.")
    date_format = ISO
    if "occurred_from" in columns:
        found, exchangeable = guess_date_format(
            [row.get(columns["occurred_from"], "") for row in sample_rows]
        )
        date_format = found or ISO
        if not found:
            notes.append(
                f"The times in {columns['occurred_from']!r} have no form that we know: enter their date format."
            )
        elif exchangeable:
            notes.append(
                f"In the sample day and month could be exchanged: {found} is taken. Look at a row whose date you know."
            )
    mapping = FeedMapping(record_kind=record_kind, columns=columns, date_format=date_format, crs=crs)
    notes += [str(problem) for problem in mapping.problems()]
    return MappingGuess(mapping, "", tuple(notes))


def _are_degrees(rows: Sequence[Mapping[str, str]], x: str, y: str) -> bool:
    pairs = []
    for row in rows:
        try:
            pairs.append((float(row.get(x, "")), float(row.get(y, ""))))
        except ValueError:
            continue
    return bool(pairs) and all(abs(lon) <= 180 and abs(lat) <= 90 for lon, lat in pairs)
