"""Telling later rooms what was written: once an import, replay or push, and never row by row."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from ingestion.models import Feed
from ingestion.signals import facts_stored

_SECOND = timedelta(seconds=1)


class Written:
    """The hours in which what an import wrote happened, gathered chunk by chunk."""

    def __init__(self) -> None:
        self.hours: set[int] | None = set()

    def add(self, hours: frozenset[int]) -> None:
        """Add one chunk's."""
        if self.hours is not None:
            self.hours |= hours

    def forget(self) -> None:
        """Some of it was written by a process that is gone: all hours have to count."""
        self.hours = None


@contextmanager
def told(feed: Feed, since: datetime) -> Iterator[Written]:
    """Tell when the body is through, also where it failed in the end: chunks that were stored stay stored."""
    written = Written()
    try:
        yield written
    finally:
        tell(feed, since, written.hours)


def tell(feed: Feed, since: datetime, hours: set[int] | frozenset[int] | None) -> None:
    """Send ``facts_stored`` once the transaction around it, if any, is through; nothing where nothing was written."""
    if hours is not None and not hours:
        return
    transaction.on_commit(
        partial(
            facts_stored.send_robust,
            sender=Feed,
            agency_id=feed.agency_id,
            record_kind=str(feed.record_kind),
            # Rows are stamped in whole seconds.
            since=since - _SECOND,
            hours=None if hours is None else frozenset(hours),
        )
    )
