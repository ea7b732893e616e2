"""Scheduled events as they come in: what one is, and which rows of a table are none."""

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from agencies.engine.free_text import text_about_person
from agencies.engine.local_time import aware
from ingestion.engine.places import Boundary
from ingestion.engine.privacy import screen_columns, tidy_column
from ingestion.engine.records import QuarantinedValue
from ingestion.engine.rejections import Rejection, excerpt
from ingestion.engine.timestamps import DAY, EMPTY, READ, parse_times

USUAL_HOURS = 3.0
"""How long an event lasts where nobody says."""
MAX_NAME, MAX_KIND, MAX_ID = 120, 40, 200
FAR_FUTURE = timedelta(days=5 * 366)
LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class EventRow:
    """One event. Instants are aware UTC; ``announced_at`` None: known since it was imported. No place: the whole city."""

    row_number: int
    external_id: str
    name: str
    kind: str
    starts_at: datetime
    ends_at: datetime
    announced_at: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    attendance: int | None = None
    is_cancelled: bool = False


@dataclass(frozen=True)
class EventReading:
    """What events are read against. ``announced_days``: so many days ahead they are known where nothing says since when."""

    zone: str
    now: datetime
    boundary: Boundary | None = None
    kind: str = "event"
    announced_days: int = 0
    place_needed: bool = False
    """Whether an event without coordinates is kept aside; otherwise it is one of the whole city."""


EventItem = EventRow | QuarantinedValue


def kind_slug(text: str) -> str:
    """A kind as models name it; empty for text without letters.

    >>> kind_slug("Home Game!"), kind_slug("…")
    ('home-game', '')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.strip().lower()).strip("-")[:MAX_KIND].strip("-")


def event_name(text: str, kind: str) -> str:
    """The event's name as it may be stored; its kind where the name seems to tell of a person.

    >>> event_name("Street festival", "festival"), event_name("Call Ms. Roe 312-555-0100", "meeting")
    ('Street festival', 'meeting')
    """
    name = excerpt(" ".join(text.split()), MAX_NAME - 24)
    return kind if not name or text_about_person(name) else name


def event_or_reason(
    row: EventRow, reading: EventReading, values: Mapping[str, str], *, has_place_text: bool = False
) -> EventItem:
    """The event if it can be used, or why it is kept aside. Values are stored with the reason: mapped columns only."""
    rejection: Rejection | None = None
    if row.ends_at <= row.starts_at or row.ends_at - row.starts_at > LONGEST:
        rejection = Rejection(
            "end_before_start" if row.ends_at <= row.starts_at else "event_too_long", "ends_at"
        )
    elif row.starts_at.year < 1970:
        rejection = Rejection("implausible_past", "starts_at", values.get("starts_at", ""))
    elif row.starts_at > reading.now + FAR_FUTURE:
        rejection = Rejection("future_timestamp", "starts_at", values.get("starts_at", ""))
    elif screen_columns([row.kind.replace("-", " ")]):
        rejection = Rejection("event_about_persons", "kind", row.kind)
    else:
        rejection = _place_problem(row, reading)
    if rejection is not None:
        return QuarantinedValue(row.row_number, rejection, row.external_id, dict(values))
    return row


def _place_problem(row: EventRow, reading: EventReading) -> Rejection | None:
    if row.lon is None or row.lat is None:
        return Rejection("missing_coordinates", "lat") if reading.place_needed else None
    shown = f"{row.lat:.5f}, {row.lon:.5f}"
    if not (abs(row.lat) <= 90 and abs(row.lon) <= 180):
        return Rejection("coordinates_out_of_range", "lat", shown)
    if row.lat == 0 and row.lon == 0:
        return Rejection("zero_coordinates", "lat", shown)
    if reading.boundary is None:
        return None
    lon, lat = np.array([row.lon]), np.array([row.lat])
    if reading.boundary.contains(lon, lat)[0]:
        return None
    swapped = reading.boundary.contains(lat, lon)[0]
    return Rejection("swapped_coordinates" if swapped else "outside_boundary", "lat", shown)


def known_since(starts_at: datetime, reading: EventReading) -> datetime | None:
    """Since when an event is taken to be known where its source does not say; None: since it is imported."""
    if not reading.announced_days:
        return None
    return min(starts_at - timedelta(days=reading.announced_days), reading.now)


COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "uid", "external id", "event id"),
    "name": ("name", "title", "summary", "event", "event name"),
    "kind": ("kind", "type", "category", "event type"),
    "starts_at": ("starts at", "start", "from", "starts", "start time", "begin", "date", "start date"),
    "ends_at": ("ends at", "end", "to", "ends", "end time", "end date", "until"),
    "announced_at": ("announced at", "announced", "known at", "published", "published at"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "longitude"),
    "attendance": ("attendance", "expected attendance", "crowd"),
    "status": ("status", "cancelled", "canceled"),
}
"""The columns of a table of events by the names that they may have. Any other column is never read."""


class EventTableProblem(ValueError):
    """The table cannot be read at all; the message holds what is wrong, ``next_step`` what to do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


def read_events_csv(text: str, reading: EventReading) -> Iterator[EventItem]:
    """Read a table of events row by row: usable ones and those to keep aside, in the file's order.

    Raises ``EventTableProblem`` before the first row where the header does not say enough.
    """
    sample = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(",;\t|", key=sample.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [tidy_column(cell) for cell in next(table, [])]
    at = {
        name: next((header.index(word) for word in words if word in header), -1)
        for name, words in COLUMNS.items()
    }
    if at["starts_at"] < 0:
        raise EventTableProblem(
            "The table has no column that says when an event begins.",
            "name one of its columns starts_at; the others are ends_at, announced_at, id, name, kind, lat, lon, attendance, "
            "status.",
        )
    return _rows(table, len(header), at, reading)


def _rows(
    table: Iterator[list[str]], width: int, at: Mapping[str, int], reading: EventReading
) -> Iterator[EventItem]:
    for number, cells in enumerate(table, 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != width:
            yield QuarantinedValue(number, Rejection("wrong_column_count"), "", {})
            continue
        yield _item(number, {n: cells[i].strip() for n, i in at.items() if i >= 0}, reading)


def _item(number: int, values: dict[str, str], reading: EventReading) -> EventItem:
    stored = {name: excerpt(value) for name, value in values.items()}
    kind = kind_slug(values.get("kind", "")) or reading.kind
    stored["name"] = event_name(values.get("name", ""), kind)
    external_id = values.get("id", "") or _derived_id(values)

    def aside(code: str, field: str) -> QuarantinedValue:
        rejection = Rejection(code, field, excerpt(values.get(field, "")))
        return QuarantinedValue(number, rejection, external_id[:MAX_ID], stored)

    if len(external_id) > MAX_ID:
        return aside("field_too_long", "id")
    if any("\x00" in value for value in values.values()):
        return aside("nul_byte", "")
    names = ("starts_at", "ends_at", "announced_at")
    read = parse_times([values.get(name, "") for name in names], date_format="iso", zone=reading.zone)
    for index, name in enumerate(names):
        if read.status[index] == EMPTY and name == "starts_at":
            return aside("missing_timestamp", name)
        if read.status[index] not in (READ, EMPTY):
            return aside("bad_timestamp", name)
    starts = aware(read.utc[0])
    if read.status[1] == READ:
        # "Until 4 July" means until that day is over.
        ends = aware(read.end_utc[1]) + (timedelta(seconds=1) if read.precision[1] == DAY else timedelta())
    elif read.precision[0] == DAY:
        ends = aware(read.end_utc[0]) + timedelta(seconds=1)
    else:
        ends = starts + timedelta(hours=USUAL_HOURS)
    announced = aware(read.utc[2]) if read.status[2] == READ else known_since(starts, reading)
    numbers: dict[str, float | None] = {}
    for name in ("lon", "lat", "attendance"):
        try:
            numbers[name] = (
                float(values[name].replace(",", "") if name == "attendance" else values[name])
                if values.get(name)
                else None
            )
        except ValueError:
            return aside("bad_coordinates" if name != "attendance" else "bad_number", name)
        if numbers[name] is not None and not math.isfinite(numbers[name] or 0.0):
            return aside("bad_coordinates" if name != "attendance" else "bad_number", name)
    if (numbers["lon"] is None) != (numbers["lat"] is None):
        return aside("missing_coordinates", "lon" if numbers["lon"] is None else "lat")
    crowd = numbers["attendance"]
    if crowd is not None and not 0 <= crowd <= 10_000_000:
        return aside("bad_number", "attendance")
    row = EventRow(
        row_number=number,
        external_id=external_id,
        name=stored["name"],
        kind=kind,
        starts_at=starts,
        ends_at=ends,
        announced_at=min(announced, reading.now) if announced else None,
        lon=None if numbers["lon"] is None else round(numbers["lon"], 7),
        lat=None if numbers["lat"] is None else round(numbers["lat"], 7),
        attendance=None if crowd is None else round(crowd),
        is_cancelled=_says_cancelled(values.get("status", "")),
    )
    return event_or_reason(row, reading, stored)


def _says_cancelled(text: str) -> bool:
    return text.strip().lower() in ("cancelled", "canceled", "true", "yes", "1", "called off")


def _derived_id(values: Mapping[str, str]) -> str:
    parts = [values.get(name, "") for name in ("name", "kind", "starts_at", "lat", "lon")]
    return "row-" + hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
