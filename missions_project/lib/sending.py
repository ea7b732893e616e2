"""Sending for work from a page: a broker that is away for a moment delays what has a row, and breaks no page.

And doing it at a worker, where the audit store is out of reach.
"""

import logging
from functools import partial
from typing import Any

from celery.contrib.django.task import DjangoTask
from django.db import transaction
from kombu.exceptions import OperationalError

from missions_project.lib import walls

logger = logging.getLogger(__name__)


class RowTask(DjangoTask):
    """What ``shared_task`` makes here."""

    sent_again = False
    """Its row waits in the database, and the dispatcher sends for it again where its message is lost."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work. A message that came twice is no error: Redis delivers a dead worker's again, hours after its run was done."""
        # Models, which there are none of yet when this class is made.
        from missions_project.lib.runs import RunNotClaimed

        try:
            # Forecasts and plans are made here: no task may come upon a demographic figure, however it asks.
            with walls.within(walls.scope().with_audit_store(False)):
                return self.run(*args, **kwargs)
        except RunNotClaimed as exc:
            if not self.sent_again:
                raise
            logger.info("Nothing left to do for this message: %s", exc)
            return None

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """Send for the work once its row is stored. Raises only for work that nobody would send for again."""
        transaction.on_commit(partial(self._send, *args, **kwargs))

    def _send(self, *args: Any, **kwargs: Any) -> None:
        try:
            self.delay(*args, **kwargs)
        except (OperationalError, OSError) as exc:
            # The row is stored already: "something broke" would have the person ask for it twice.
            if not self.sent_again:
                raise
            logger.warning(
                "%s waits for the broker (%s); it is sent for again.", self.name, type(exc).__name__
            )
