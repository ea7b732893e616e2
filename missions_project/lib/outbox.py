"""Things that are to be sent: rows, each claimed by one worker at a time, tried again after a while, at last given up.

A row is written in the transaction of the event that it tells of, so that neither is ever without the other, and sent by a
worker that may be killed at any point.
"""

import datetime as dt
import random
from typing import Any

from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MAX_ATTEMPTS = 8
FIRST_WAIT = dt.timedelta(minutes=1)
LEASE = dt.timedelta(minutes=10)
"""A worker that took a row and has said nothing for this long was killed."""
MAX_SENT_AT_ONCE = 500


class AbstractDelivery(models.Model):
    """One message on its way: kept until it arrived or was given up."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        GIVEN_UP = "given_up", _("Given up")

    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True


def wait_after(attempt: int, *, chance: float | None = None) -> dt.timedelta:
    """How long to wait after a failed try, 1 and more: twice as long each time, less up to half by chance.

    The chance keeps a hundred messages to one server that was down from coming all at once. Eight tries take up to two hours.

    >>> [round(wait_after(n, chance=1.0).total_seconds() / 60) for n in (1, 2, 7)]
    [1, 2, 64]
    """
    share = random.random() if chance is None else chance
    return FIRST_WAIT * (2.0 ** (attempt - 1) * (0.5 + share / 2))


def claim(model: type[AbstractDelivery], *, now: dt.datetime) -> list[tuple[int, int]]:
    """Take the rows whose time has come, and return each with the number of its try, for a worker.

    Each is taken once until its lease ends: one whose worker was killed comes again, and after eight tries no more. One
    query where none is due.
    """
    rows: Any = model._default_manager
    due = rows.filter(state=AbstractDelivery.State.WAITING, next_at__lte=now)
    found = []
    for pk, attempts in due.order_by("next_at").values_list("pk", "attempts")[:MAX_SENT_AT_ONCE]:
        # Compare and swap: of two dispatchers one sends it.
        one = due.filter(pk=pk, attempts=attempts)
        if attempts >= MAX_ATTEMPTS:
            one.update(
                state=AbstractDelivery.State.GIVEN_UP,
                error="No worker finished sending it. Next step: see the worker's log.",
            )
        elif one.update(attempts=F("attempts") + 1, next_at=now + LEASE) == 1:
            found.append((pk, attempts + 1))
    return found


def settle(mine: Any, *, attempt: int, error: str) -> bool:
    """Write down how a try ended; return whether it arrived. ``mine`` is the query of that row in that try.

    What could not be sent is tried again after a growing, jittered wait; the eighth failure gives it up and keeps the error.
    """
    now = timezone.now()
    if not error:
        return bool(mine.update(state=AbstractDelivery.State.SENT, sent_at=now, error="") == 1)
    if attempt >= MAX_ATTEMPTS:
        mine.update(state=AbstractDelivery.State.GIVEN_UP, error=error)
    else:
        mine.update(error=error, next_at=now + wait_after(attempt))
    return False
