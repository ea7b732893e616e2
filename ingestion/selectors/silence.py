"""Feeds that have gone quiet: rows used to come at some pace, and have stopped."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from django.db.models import Q

from agencies.models import Agency
from ingestion.models import ImportRun

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
    runs = (
        ImportRun.objects.filter(agency=agency, queued_at__gte=now - LOOK_BACK)
        .filter(Q(counts__inserted__gt=0) | Q(counts__updated__gt=0))
        .order_by("queued_at")
        .values_list("feed", "queued_at")
    )
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
        return f"{max(1, round(minutes))} minutes"
    hours = minutes / 60
    return f"{round(hours)} hours" if hours < 48 else f"{round(hours / 24)} days"


Silences = Mapping[int, tuple[datetime, timedelta]]


def silences(agency: Agency, *, now: datetime) -> Silences:
    """Return the agency's silent feeds: when rows came last, and the usual gap. One query."""
    judged = {feed: silent_since(times, now=now) for feed, times in arrivals(agency, now=now).items()}
    return {feed: silence for feed, silence in judged.items() if silence is not None}
