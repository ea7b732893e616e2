"""Write scheduled events and weather: new rows, changed ones, and nothing for those that are as stored."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from ingestion.engine.events import EventRow
from ingestion.engine.weather import FIGURES, WeatherRow
from ingestion.models import Feed, ScheduledEvent, WeatherHour
from ingestion.services.facts import UpsertCounts

FORMER = "\u2190 "
"""Begins the identifiers of what an event was before it was changed: no calendar writes such ones."""
_EVENT_FIELDS = ("name", "kind", "starts_at", "ends_at", "lon", "lat", "attendance")


def events_upsert(*, feed: Feed, rows: Sequence[EventRow], now: datetime) -> UpsertCounts:
    """Store the events under (feed, external id), and keep of an event that changed beforehand what was known until now.

    An event that is moved, or comes back after it was called off, is known anew since ``now``; what it was before stays as a
    row of its own that was called off then. Corrections after its end, and of its name, change the row alone. Of several
    rows of one event the last stands, the others count as unchanged. At most three queries.
    """
    last = {row.external_id: row for row in rows}
    stored = {
        event.external_id: event
        for event in ScheduledEvent.objects.filter(feed=feed, external_id__in=list(last))
    }
    new: list[ScheduledEvent] = []
    changed: list[ScheduledEvent] = []
    former: list[ScheduledEvent] = []
    for key, row in last.items():
        event = stored.get(key)
        if event is None:
            event = ScheduledEvent(
                agency_id=feed.agency_id,
                feed=feed,
                external_id=key,
                announced_at=row.announced_at or now,
                imported_at=now,
            )
            new.append(event)
        elif _is_same(event, row):
            continue
        else:
            changed.append(event)
            if _was_otherwise(event, row, now):
                former.append(_former(event, now))
                event.announced_at, event.cancelled_at = now, None
        for name in _EVENT_FIELDS:
            setattr(event, name, getattr(row, name))
        event.cancelled_at = (event.cancelled_at or now) if row.is_cancelled else None
    with transaction.atomic():
        ScheduledEvent.objects.bulk_create([*new, *former], batch_size=500)
        ScheduledEvent.objects.bulk_update(
            changed, [*_EVENT_FIELDS, "announced_at", "cancelled_at"], batch_size=200
        )
    return UpsertCounts(len(new), len(changed), len(rows) - len(new) - len(changed))


def _is_same(event: ScheduledEvent, row: EventRow) -> bool:
    same = all(getattr(event, name) == getattr(row, name) for name in _EVENT_FIELDS)
    return same and (event.cancelled_at is not None) == row.is_cancelled


def _was_otherwise(event: ScheduledEvent, row: EventRow, now: datetime) -> bool:
    """Whether forecasts until now reckoned with something that the new row would take away from their tests."""
    if event.announced_at >= now or event.ends_at <= now:
        return False
    if event.cancelled_at is not None:
        # One that was called off comes back: for a while nobody reckoned with it.
        return not row.is_cancelled and event.cancelled_at > event.announced_at
    return any(getattr(event, name) != getattr(row, name) for name in _EVENT_FIELDS if name != "name")


def _former(event: ScheduledEvent, now: datetime) -> ScheduledEvent:
    """What was known of the event until now, under a name of its own: nothing will ever be imported into it."""
    mark = hashlib.sha256(f"{event.external_id}\n{now.isoformat()}".encode()).hexdigest()[:32]
    held = {name: getattr(event, name) for name in _EVENT_FIELDS}
    return ScheduledEvent(
        agency_id=event.agency_id,
        feed_id=event.feed_id,
        external_id=f"{FORMER}{mark}",
        announced_at=event.announced_at,
        cancelled_at=event.cancelled_at or now,
        imported_at=event.imported_at,
        **held,
    )


def events_missing_cancel(
    *, feed: Feed, named: Iterable[str], now: datetime, unread: tuple[str, ...] = ()
) -> int:
    """Mark the feed's future events that a whole file no longer names as cancelled; how many. Two queries.

    Events whose identifier begins with one of ``unread`` are left as they are.
    """
    future = ScheduledEvent.objects.filter(feed=feed, starts_at__gt=now, cancelled_at=None)
    known = set(named)
    gone = [
        pk
        for pk, key in future.values_list("pk", "external_id")
        if key not in known and not key.startswith(unread or ("\n",))
    ]
    for first in range(0, len(gone), 500):
        ScheduledEvent.objects.filter(pk__in=gone[first : first + 500]).update(cancelled_at=now)
    return len(gone)


def weather_store(*, feed: Feed, rows: Sequence[WeatherRow]) -> UpsertCounts:
    """Store weather under (feed, hour, issue time). At most three queries.

    An issue that says of an hour what the one before it said is not stored again and counts as unchanged: whoever asks
    for the newest issue before an instant reads the same.
    """
    last = {(row.valid_at, row.issued_at): row for row in rows}
    if not last:
        return UpsertCounts()
    times = [valid_at for valid_at, _ in last]
    stored: dict[datetime, dict[datetime, WeatherHour]] = {}
    for hour in WeatherHour.objects.filter(feed=feed, valid_at__gte=min(times), valid_at__lte=max(times)):
        stored.setdefault(hour.valid_at, {})[hour.issued_at] = hour
    new: list[WeatherHour] = []
    changed: list[WeatherHour] = []
    for (valid_at, issued_at), row in sorted(last.items()):
        issues = stored.setdefault(valid_at, {})
        own = issues.get(issued_at)
        before = max((at for at in issues if at <= issued_at), default=None)
        if before is not None and _says(issues[before]) == (row.length_hours, *row.figures):
            continue
        hour = own or WeatherHour(agency_id=feed.agency_id, feed=feed, valid_at=valid_at, issued_at=issued_at)
        hour.length_hours, hour.is_forecast = row.length_hours, row.is_forecast
        for name, value in zip(FIGURES, row.figures, strict=True):
            setattr(hour, name, value)
        issues[issued_at] = hour
        (new if own is None else changed).append(hour)
    with transaction.atomic():
        WeatherHour.objects.bulk_create(new, batch_size=500)
        WeatherHour.objects.bulk_update(changed, [*FIGURES, "length_hours", "is_forecast"], batch_size=200)
    return UpsertCounts(len(new), len(changed), len(rows) - len(new) - len(changed))


def _says(hour: WeatherHour) -> tuple[float | None, ...]:
    return (hour.length_hours, *(getattr(hour, name) for name in FIGURES))
