"""Take out of a fetched file what is never read, before it is written down anywhere: a spool must not hold persons."""

import csv
import io
from collections.abc import Collection, Mapping
from typing import Any

from ingestion.engine.privacy import tidy_column

_CALENDAR_LINES = frozenset(
    b"BEGIN END VERSION PRODID CALSCALE METHOD X-WR-TIMEZONE UID DTSTART DTEND DTSTAMP DURATION RRULE RDATE EXDATE EXRULE "
    b"RECURRENCE-ID CREATED LAST-MODIFIED SEQUENCE CATEGORIES GEO SUMMARY STATUS TRANSP CLASS TZID TZNAME TZOFFSETFROM "
    b"TZOFFSETTO X-LIC-LOCATION".split()
)


def slim_calendar(data: bytes) -> bytes:
    r"""An iCalendar file without the lines that are never read: descriptions, places' texts, organisers, attendees.

    A folded line goes or stays as a whole. What is no calendar comes back without lines, and is then refused as such.

    >>> slim_calendar(b"BEGIN:VEVENT\r\nATTENDEE;CN=Jane\r\n  Roe:mailto:j@x\r\nUID:1\r\nEND:VEVENT\r\n")
    b'BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n'
    """
    kept: list[bytes] = []
    keeps = False
    for line in data.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True):
        if not line.startswith((b" ", b"\t")):
            name = line.partition(b":")[0].partition(b";")[0].strip().upper()
            keeps = name in _CALENDAR_LINES
        if keeps:
            kept.append(line)
    return b"".join(kept)


def slim_table(text: str, words: Mapping[str, Collection[str]]) -> str:
    r"""A CSV table with the known columns only. A row of another length keeps its length and loses its text.

    Raises ``csv.Error`` for text that is no table.

    >>> slim_table("date,officer,prcp\n2024-01-01,Roe,1\n2024-01-02,Roe\n", {"at": ["date"], "rain": ["prcp"]})
    'date,prcp\r\n2024-01-01,1\r\n?,,\r\n'
    """
    first = text[: text.find("\n")] if "\n" in text else text
    table = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t|", key=first.count))
    header = next(table, [])
    known = {word for names in words.values() for word in names}
    places = [place for place, cell in enumerate(header) if tidy_column(cell) in known]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([header[place] for place in places])
    for cells in table:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) == len(header):
            writer.writerow([cells[place] for place in places])
        else:
            # One cell more than the header: it is kept aside as a row of another length, and nothing of it is read.
            writer.writerow(["?", *[""] * len(places)])
    return out.getvalue()


_HOURLY = ("time", "temperature_2m", "precipitation", "snowfall", "wind_speed_10m")
_GRID = ("updateTime", "temperature", "quantitativePrecipitation", "snowfallAmount", "windSpeed")
_OBSERVED = ("timestamp", "temperature", "precipitationLastHour", "windSpeed")
_TOP = ("error", "reason", "utc_offset_seconds", "type")


def slim_weather(document: Any) -> Any:
    """A weather document with what is read of it; one of another shape keeps nothing and is then refused as such."""
    if not isinstance(document, Mapping):
        return None
    kept = _picked(document, _TOP)
    if isinstance(document.get("hourly"), Mapping):
        kept["hourly"] = _picked(document["hourly"], _HOURLY)
        kept["hourly_units"] = _picked(document.get("hourly_units"), _HOURLY)
    if isinstance(document.get("properties"), Mapping):
        kept["properties"] = _picked(document["properties"], _GRID)
    if isinstance(document.get("features"), list):
        kept["features"] = [
            {"properties": _picked(one.get("properties"), _OBSERVED)}
            for one in document["features"]
            if isinstance(one, Mapping)
        ]
    return kept


def _picked(values: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values} if isinstance(values, Mapping) else {}
