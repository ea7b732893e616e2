"""Signs of life, and a lease that only one may hold: rows, because processes on several machines share nothing else for sure."""

import os
import socket
import uuid
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from missions_project.operations.models import Pulse

DISPATCH = "dispatch"
"""Written by the worker each minute: scheduler, broker and worker all live."""
BEAT = "beat"
LEASE = timedelta(seconds=90)


def new_holder() -> str:
    """A name for this process that no other has, and that tells the operator where to look."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def pulse_write(*, name: str, now: datetime, holder: str = "") -> None:
    """Say that something lives. One or two queries."""
    Pulse.objects.update_or_create(name=name, defaults={"at": now, "holder": holder})


def pulse_age(name: str, *, now: datetime) -> timedelta | None:
    """How long ago it was said; None where it never was. One query."""
    at = Pulse.objects.filter(name=name).values_list("at", flat=True).first()
    return None if at is None else now - at


def lease_hold(*, name: str, holder: str, now: datetime, lease: timedelta = LEASE) -> bool:
    """Take or keep what one alone may hold; return whether it is ours until ``lease`` from now. One or two queries.

    Whoever dies is followed once the lease is over: nobody has to clear anything.
    """
    # One from the future was written before the clock was put back: nobody may wait until then.
    free = Q(holder=holder) | Q(at__lte=now - lease) | Q(at__gt=now + lease)
    # Compare and swap: of two that come at once, one finds the row changed.
    if Pulse.objects.filter(free, name=name).update(holder=holder, at=now) == 1:
        return True
    if Pulse.objects.filter(name=name).exists():
        return False
    try:
        with transaction.atomic():
            Pulse.objects.create(name=name, holder=holder, at=now)
    except IntegrityError:
        return False
    return True


def lease_drop(*, name: str, holder: str, now: datetime, lease: timedelta = LEASE) -> None:
    """Give it back at an orderly end, so that the next need not wait. One query."""
    Pulse.objects.filter(name=name, holder=holder).update(at=now - lease)
