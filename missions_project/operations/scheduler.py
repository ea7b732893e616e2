"""The scheduler, of which one alone works: a second one on another machine waits until the first is gone."""

import logging
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler

from missions_project.operations.pulses import BEAT, LEASE, lease_drop, lease_hold, new_holder

logger = logging.getLogger(__name__)
WAIT_SECONDS = 15.0
AWAY = DatabaseError, InterfaceError
"""What a database that restarts may raise. It must not end the scheduler: nobody starts one that runs inside a worker again."""


class SingleScheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat ships no types
    """django-celery-beat's scheduler behind a lease in the database."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._holder, self._mine, self._is_set_up = new_holder(), False, False
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Write the settings' entries and read the schedule; where the database is away, the first look that finds it does so."""
        try:
            self._set_up()
        except AWAY:
            logger.exception("The schedule could not be set up")

    def update_from_dict(self, mapping: dict[str, Any]) -> None:
        """Write entries. Raises what the database raises: django-celery-beat's own goes on without the entry, until it is started again."""
        entries = {
            name: self.Entry.from_entry(name, app=self.app, **fields) for name, fields in mapping.items()
        }
        self.schedule.update({name: entry for name, entry in entries.items() if entry.model.enabled})

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, if it is ours to send. Returns the seconds until the next look."""
        mine = self._hold()
        if mine != self._mine:
            logger.warning("This scheduler %s.", "works now" if mine else "waits: another one works")
            self._mine = mine
        if not mine:
            return WAIT_SECONDS
        try:
            if not self._is_set_up:
                self._set_up()
            self._follow_a_clock_put_back()
            # Looks again well within the lease, however far off the next task is.
            return min(float(super().tick(*args, **kwargs)), WAIT_SECONDS)
        except AWAY:
            logger.exception("The schedule could not be read")
            # An entry that was being sent may be in it no more: made anew at the next look.
            self._heap = None
            return WAIT_SECONDS

    def _set_up(self) -> None:
        # Set back by a reading that failed, too: else there would be no schedule to add to.
        self._initial_read = True
        super().setup_schedule()
        self._is_set_up = True

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
        except AWAY:
            # What is due is sent when it is back.
            logger.exception("The scheduler's lease could not be read")
            return False

    def close(self) -> None:
        super().close()
        try:
            lease_drop(name=BEAT, holder=self._holder, now=timezone.now())
        except AWAY:
            logger.warning("The scheduler's lease could not be given back; it ends by itself.")
