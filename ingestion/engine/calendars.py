"""iCalendar files (RFC 5545): recurring events written out one by one, in the zones that the calendar names."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ingestion.engine.events import (
    MAX_ID,
    USUAL_HOURS,
    EventItem,
    EventReading,
    EventRow,
    EventTableProblem,
    event_name,
    event_or_reason,
    kind_slug,
    known_since,
)
from ingestion.engine.records import QuarantinedValue
from ingestion.engine.rejections import Rejection, excerpt

MAX_EVENTS = 50_000
"""Occurrences that are written out; more is no calendar of a city."""
MAX_OCCURRENCES = 2_000
"""Of one event: five years of every day."""
_TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})


@dataclass(frozen=True)
class CalendarReading:
    """How far a calendar is written out: an event that recurs for ever has no last one."""

    past_days: int = 5 * 366
    horizon_days: int = 400
    use_created: bool = True
    """Whether CREATED says since when an event is known. Some calendars write the moment of the export there."""


def read_calendar(data: bytes, reading: EventReading, how: CalendarReading) -> Iterator[EventItem]:
    """Read an iCalendar file: each occurrence an event, or kept aside with the reason. In order of the file's events.

    RRULE, RDATE, EXDATE, moved and cancelled occurrences, TZID (also of VTIMEZONE and Outlook's names), floating times
    (the reading's zone), days without times, DURATION, STATUS, GEO, CATEGORIES. Descriptions, organisers, attendees and
    the text of places are never read. Raises ``EventTableProblem`` for what is no calendar.
    """
    # The parser takes half a calendar for a whole one, and what the other half held would be called off.
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].upper() == b"BEGIN:VCALENDAR" and not data.rstrip(
        b" \t\r\n\x00"
    ).upper().endswith(b"END:VCALENDAR"):
        raise EventTableProblem(
            "The calendar is cut off: its end (END:VCALENDAR) is missing.",
            "export it again; nothing was changed.",
        )
    # Here and not above: it takes longer to open than all else that a reader of tables needs of this project.
    import icalendar

    try:
        calendars = icalendar.Calendar.from_ical(data, multiple=True)
    # A zone's name that is longer than a file's may be, or given twice, brings the parser down.
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as exc:
        raise EventTableProblem(
            f"This is no iCalendar file ({excerpt(str(exc), 120)}).",
            "export the calendar as .ics; it begins with BEGIN:VCALENDAR.",
        ) from exc
    groups: dict[str, list[Any]] = {}
    for component in (one for calendar in calendars for one in calendar.walk("VEVENT")):
        groups.setdefault(str(component.get("UID", "")), []).append(component)
    if not groups:
        raise EventTableProblem("The calendar holds no events.", "check that the export ran.")
    return _items(groups, reading, how)


def _items(groups: dict[str, list[Any]], reading: EventReading, how: CalendarReading) -> Iterator[EventItem]:
    number = found = 0
    for uid, components in groups.items():
        if (rejection := _fault(uid, components)) is not None:
            # One for the whole group: what cannot be read cannot be counted either.
            number += 1
            yield QuarantinedValue(number, rejection, uid[:MAX_ID], _shown(components[0]))
            continue
        try:
            occurrences = _occurrences(components, reading, how)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
            number += 1
            reason = Rejection("bad_recurrence", "RRULE", excerpt(str(exc)))
            yield QuarantinedValue(number, reason, uid[:MAX_ID], _shown(components[0]))
            continue
        is_series = any(name in one for one in components for name in ("RRULE", "RDATE", "RECURRENCE-ID"))
        for one in occurrences:
            number, found = number + 1, found + 1
            if found > MAX_EVENTS:
                raise EventTableProblem(
                    f"The calendar holds more than {MAX_EVENTS:,} occurrences.",
                    "lower the days that are written out.",
                )
            yield _item(number, uid, one, is_series, reading, how)


def _fault(uid: str, components: list[Any]) -> Rejection | None:
    if not uid:
        return Rejection("missing_id", "UID")
    if "\x00" in uid:
        return Rejection("nul_byte", "UID")
    if len(uid) > MAX_ID - 24:
        return Rejection("field_too_long", "UID", excerpt(uid))
    for component in components:
        broken = {str(name) for name, _ in component.errors}
        for name in ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID"):
            if name in broken:
                return Rejection("bad_timestamp", name)
            value = component.get(name)
            if name == "DURATION" or value is None:
                continue
            if isinstance(value, list):
                return Rejection("bad_timestamp", name)
            moment = value.dt
            # A duration or a time of day where a moment belongs, and moments at the calendar's ends.
            if not isinstance(moment, date) or not 1900 <= moment.year <= 9000:
                return Rejection("bad_timestamp", name)
            # A name that nobody knows leaves the time without a zone: to take our own would move the event.
            if isinstance(moment, datetime) and moment.tzinfo is None and value.params.get("TZID"):
                return Rejection("unknown_time_zone", name, excerpt(str(value.params["TZID"])))
        if component.get("DTSTART") is None:
            return Rejection("missing_timestamp", "DTSTART")
        if "GEO" in broken:
            return Rejection("bad_coordinates", "GEO")
        if broken & {"RRULE", "RDATE", "EXDATE"}:
            return Rejection("bad_recurrence", "RRULE")
        begin, end = component["DTSTART"].dt, component.get("DTEND")
        # Read here: the library would exchange the two or drop the event.
        if end is not None and _instant(end.dt, "UTC") < _instant(begin, "UTC"):
            return Rejection("end_before_start", "DTEND")
        rules = component.get("RRULE", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            if {str(text).upper() for text in rule.get("FREQ", [])} & _TOO_OFTEN:
                return Rejection("bad_recurrence", "RRULE", str(rule.get("FREQ", [""])[0]))
    return None


def _occurrences(components: list[Any], reading: EventReading, how: CalendarReading) -> list[Any]:
    import icalendar
    import recurring_ical_events

    calendar = icalendar.Calendar()
    for component in components:
        calendar.add_component(component)
    first = reading.now - timedelta(days=how.past_days)
    last = reading.now + timedelta(days=how.horizon_days)
    found = list(recurring_ical_events.of(calendar, skip_bad_series=False).between(first, last))
    if len(found) > MAX_OCCURRENCES:
        raise ValueError(f"{len(found):,} occurrences")
    return sorted(
        found, key=lambda one: (_instant(one["DTSTART"].dt, reading.zone), str(one.get("RECURRENCE-ID", "")))
    )


def _item(
    number: int, uid: str, one: Any, is_series: bool, reading: EventReading, how: CalendarReading
) -> EventItem:
    begin = one["DTSTART"].dt
    starts = _instant(begin, reading.zone)
    end = one.get("DTEND")
    if end is not None and end.dt != begin:
        ends = _instant(end.dt, reading.zone)
    elif not isinstance(begin, datetime):
        ends = _instant(begin + timedelta(days=1), reading.zone)
    else:
        ends = starts + timedelta(hours=USUAL_HOURS)
    external_id = uid
    if is_series:
        mark = one["RECURRENCE-ID"].dt if "RECURRENCE-ID" in one else begin
        external_id = f"{uid}@{_mark(mark, reading.zone)}"
    categories = _categories(one)
    kind = next((slug for text in categories if (slug := kind_slug(text))), reading.kind)
    announced = known_since(starts, reading)
    if how.use_created and (created := _created(one)) is not None:
        announced = min(created, reading.now)
    lon, lat = _place(one)
    row = EventRow(
        row_number=number,
        external_id=external_id,
        name=event_name(str(one.get("SUMMARY", "")), kind),
        kind=kind,
        starts_at=starts,
        ends_at=ends,
        announced_at=announced,
        lon=lon,
        lat=lat,
        is_cancelled=str(one.get("STATUS", "")).upper() == "CANCELLED",
    )
    values = {"starts_at": starts.isoformat(), "ends_at": ends.isoformat(), "name": row.name, "kind": kind}
    return event_or_reason(row, reading, values)


def _created(one: Any) -> datetime | None:
    """When the entry was made; None where it does not say, or not so that one can read it: that spoils no event."""
    try:
        moment = getattr(one.get("CREATED"), "dt", None)
    except ValueError:
        return None
    return _instant(moment, "UTC") if isinstance(moment, datetime) and moment.year > 1900 else None


def _instant(moment: date | datetime, zone: str) -> datetime:
    """The instant in UTC; a day begins at midnight of the zone, and a time without a zone is the zone's wall clock."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(UTC)


def _mark(moment: date | datetime, zone: str) -> str:
    if not isinstance(moment, datetime):
        return moment.isoformat()
    return _instant(moment, zone).strftime("%Y%m%dT%H%M%SZ")


def _categories(one: Any) -> list[str]:
    found = one.get("CATEGORIES")
    if found is None:
        return []
    parts = found if isinstance(found, list) else [found]
    return [str(text) for part in parts for text in getattr(part, "cats", [part])]


def _place(one: Any) -> tuple[float | None, float | None]:
    geo = one.get("GEO")
    lat, lon = getattr(geo, "latitude", None), getattr(geo, "longitude", None)
    if lat is None or lon is None:
        return None, None
    return round(float(lon), 7), round(float(lat), 7)


def _shown(component: Any) -> dict[str, str]:
    """What may be kept of an event that cannot be read: its times as they stand there, nothing else."""
    out = {}
    for name in ("DTSTART", "DTEND", "RRULE"):
        value = component.get(name)
        try:
            text = value.to_ical().decode("utf-8", "replace") if value is not None else ""
        except (AttributeError, ValueError):
            text = ""
        if text:
            out[name] = excerpt(text)
    return out
