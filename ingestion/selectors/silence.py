"""Feeds that have gone quiet: rows used to come at some pace, and have stopped."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from django.db.models import Max, Q, QuerySet
from django.utils.translation import ngettext

from agencies.models import Agency
from ingestion.models import Feed, ImportRun, RecordKind

LOOK_BACK = timedelta(days=60)
MIN_ARRIVALS = 5
TOLERANCE = 1.5
SHORTEST = timedelta(hours=6)
"""Nights are quiet: a feed that brings rows each minute by day is not silent after an hour without."""
USUAL_QUANTILE = 0.9
LONGEST_USUAL = timedelta(days=8)
"""A feed that somebody uploads now and then has no pace that could be broken."""


def arrivals(agency: Agency, *, now: datetime) -> dict[int, list[datetime]]:
    """Return by feed when rows that were new or changed came, oldest first, within sixty days. One query."""
    found: dict[int, list[datetime]] = defaultdict(list)
    runs = _bringing(now).filter(agency=agency).order_by("queued_at").values_list("feed", "queued_at")
    for feed, at in runs:
        found[feed].append(at)
    return found


def usual_gap(times: list[datetime]) -> timedelta | None:
    """The time between two arrivals that nine in ten do not exceed; None where there is no pace.

    Arrivals within a minute of each other are one: a backlog that is imported file by file is no pace.
    """
    kept = times[:1]
    for at in times[1:]:
        if at - kept[-1] >= timedelta(minutes=1):
            kept.append(at)
    if len(kept) < MIN_ARRIVALS:
        return None
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(kept)]
    usual = timedelta(seconds=float(np.quantile(gaps, USUAL_QUANTILE)))
    return usual if usual <= LONGEST_USUAL else None


def silent_since(times: list[datetime], *, now: datetime) -> tuple[datetime, timedelta] | None:
    """When the last rows came and what gap is usual, if more than one and a half usual gaps have passed; else None."""
    usual = usual_gap(times)
    if usual is None or now - times[-1] <= max(usual * TOLERANCE, SHORTEST):
        return None
    return times[-1], usual


def spoken_gap(gap: timedelta) -> str:
    """A duration as people say it.

    >>> spoken_gap(timedelta(hours=24)), spoken_gap(timedelta(minutes=5)), spoken_gap(timedelta(hours=50))
    ('24 hours', '5 minutes', '2 days')
    """
    minutes = gap.total_seconds() / 60
    if minutes < 90:
        number = max(1, round(minutes))
        return ngettext("%(number)s minute", "%(number)s minutes", number) % {"number": number}
    hours = minutes / 60
    if hours < 48:
        return ngettext("%(number)s hour", "%(number)s hours", round(hours)) % {"number": round(hours)}
    days = round(hours / 24)
    return ngettext("%(number)s day", "%(number)s days", days) % {"number": days}


Silences = Mapping[int, tuple[datetime, timedelta]]
PUSHED_HOURS = {
    RecordKind.POSITIONS: 2,
    RecordKind.CALLS: 12,
    RecordKind.INCIDENTS: 72,
    RecordKind.GUNFIRE: 72,
}
"""Cars move at all hours and people call at all hours; a quiet district may have no shot for days."""


def silent_after(feed: Feed) -> timedelta | None:
    """After how long without rows the feed counts as silent: what was set, or for pushes what its kind of record suggests."""
    hours = feed.silent_after_hours
    if hours is None and feed.kind == "push":
        hours = PUSHED_HOURS.get(RecordKind(feed.record_kind))
    return None if hours is None else timedelta(hours=hours)


def silences(agency: Agency, feeds: Iterable[Feed], *, now: datetime) -> Silences:
    """Return the silent ones of these feeds: when rows came last, and the gap that is usual or was set. One query.

    A feed with hours of its own is judged by them alone, and one that never brought a row is not silent but new. Days of
    pushes are not judged here: they keep the moment of their last batch themselves.
    """
    return _judged(feeds, arrivals(agency, now=now), now)


def silences_everywhere(feeds: Iterable[Feed], *, now: datetime) -> Silences:
    """The same for feeds of whichever agencies, for the operator. Two queries, however many agencies there are.

    Sixty days of imports are read only of feeds that were quiet for as long as any may be: of most, the last is enough.
    """
    feeds = list(feeds)
    if not feeds:
        return {}
    last = dict(_bringing(now).order_by().values_list("feed").annotate(last=Max("queued_at")))
    quiet = (
        _bringing(now)
        .order_by()
        .values("feed")
        .annotate(last=Max("queued_at"))
        .filter(last__lt=now - SHORTEST)
    )
    came: dict[int, list[datetime]] = defaultdict(list)
    rows = _bringing(now).filter(feed__in=quiet.values("feed")).order_by("feed", "queued_at")
    for feed, at in rows.values_list("feed", "queued_at").iterator(chunk_size=10_000):
        came[feed].append(at)
    return _judged(feeds, {feed: [at] for feed, at in last.items()} | came, now)


def _bringing(now: datetime) -> QuerySet[ImportRun]:
    """Imports within sixty days that brought something new."""
    return ImportRun.objects.filter(queued_at__gte=now - LOOK_BACK).filter(
        Q(counts__inserted__gt=0) | Q(counts__updated__gt=0)
    )


def _judged(feeds: Iterable[Feed], came: Mapping[int, list[datetime]], now: datetime) -> Silences:
    found = {}
    for feed in feeds:
        times = came.get(feed.pk, [])
        if feed.silent_after_hours is None:
            judged = silent_since(times, now=now) if times else None
        else:
            limit = timedelta(hours=feed.silent_after_hours)
            last = times[-1] if times else now - LOOK_BACK
            judged = (last, limit) if now - last > limit else None
        if judged is not None:
            found[feed.pk] = judged
    return found
