"""The scheduler, of which one alone works: a second one on another machine waits until the first is gone."""

import logging
from typing import Any

from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler

from missions_project.operations.pulses import BEAT, LEASE, lease_drop, lease_hold, new_holder

logger = logging.getLogger(__name__)
WAIT_SECONDS = 15.0


class SingleScheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat ships no types
    """django-celery-beat's scheduler behind a lease in the database."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._holder, self._mine = new_holder(), False
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, if it is ours to send. Returns the seconds until the next look."""
        mine = self._hold()
        if mine != self._mine:
            logger.warning("This scheduler %s.", "works now" if mine else "waits: another one works")
            self._mine = mine
        if not mine:
            return WAIT_SECONDS
        self._follow_a_clock_put_back()
        # Looks again well within the lease, however far off the next task is.
        return min(float(super().tick(*args, **kwargs)), WAIT_SECONDS)

    def _follow_a_clock_put_back(self) -> None:
        """Let entries that were sent in what is now the future come again: by themselves they would wait until then."""
        now = timezone.now()
        ahead = [row for row in self.schedule.values() if row.last_run_at and row.last_run_at > now + LEASE]
        for row in ahead:
            row.last_run_at = now
        if ahead:
            logger.warning("The clock was put back; %s entries of the schedule follow it.", len(ahead))
            # The order in which they come was worked out by the old clock.
            self._heap = None

    def _hold(self) -> bool:
        try:
            close_old_connections()
            return lease_hold(name=BEAT, holder=self._holder, now=timezone.now())
        except DatabaseError:
            # A database that restarts must not end the scheduler; what is due is sent when it is back.
            logger.exception("The scheduler's lease could not be read")
            return False

    def close(self) -> None:
        super().close()
        try:
            lease_drop(name=BEAT, holder=self._holder, now=timezone.now())
        except DatabaseError:
            logger.warning("The scheduler's lease could not be given back; it ends by itself.")
