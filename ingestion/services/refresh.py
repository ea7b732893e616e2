"""One forecast refresh at a time and agency, asked for at most once a second, however many alerts arrive."""

import time
from datetime import datetime, timedelta

from django.db.models import F, Q

from ingestion.models import ForecastRefresh

EVERY = timedelta(seconds=1)
LOST_AFTER = timedelta(minutes=15)
"""A refresh that has run longer was killed: the next one may begin."""
_asked: dict[int, float] = {}


def refresh_ask(*, agency_id: int, now: datetime) -> bool:
    """Ask for the agency's next forecast to be made anew. True for the one caller in a second who is to send for it.

    Whoever is told False may leave: the refresh that was sent for begins a second after it was asked for, and so sees
    what all of them stored. One query for the first in a second and process, none for the others.
    """
    if time.monotonic() - _asked.get(agency_id, -10.0) < EVERY.total_seconds():
        return False
    rows = ForecastRefresh.objects.filter(agency_id=agency_id)
    due = Q(asked_at=None) | Q(asked_at__lte=now - EVERY)
    won = rows.filter(due).update(asked_at=now) == 1
    if not won and not rows.exists():
        _, won = ForecastRefresh.objects.get_or_create(agency_id=agency_id, defaults={"asked_at": now})
    if won:
        _asked[agency_id] = time.monotonic()
    return won


def refresh_begin(*, agency_id: int, now: datetime) -> bool:
    """Claim the refresh. False while another one runs: it will be told by ``refresh_end`` to go again. One query."""
    free = Q(is_running=False) | Q(begun_at__lt=now - LOST_AFTER)
    rows = ForecastRefresh.objects.filter(free, agency_id=agency_id)
    return rows.update(is_running=True, begun_at=now) == 1


def refresh_end(*, agency_id: int) -> bool:
    """Give the claim back. True if it was asked for again meanwhile. Two queries."""
    rows = ForecastRefresh.objects.filter(agency_id=agency_id)
    rows.update(is_running=False)
    return rows.filter(asked_at__gt=F("begun_at")).exists()
