"""Telling later rooms what was written: once an import, replay or push, and never row by row."""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from ingestion.models import Feed
from ingestion.signals import facts_stored

_SECOND = timedelta(seconds=1)


class Written:
    """The hours in which what an import wrote happens now, and happened before, gathered chunk by chunk."""

    def __init__(self) -> None:
        self.hours: set[int] | None = set()
        self.hours_before: set[int] = set()

    def add(self, hours: frozenset[int], hours_before: frozenset[int]) -> None:
        """Add one chunk's."""
        if self.hours is not None:
            self.hours |= hours
        self.hours_before |= hours_before

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
        tell(feed, since, written.hours, written.hours_before)


def tell(feed: Feed, since: datetime, hours: Set[int] | None, hours_before: Set[int] = frozenset()) -> None:
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
            hours_before=frozenset(hours_before),
        )
    )
