"""Keeping who did what, to what, and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils import translation

from agencies.models import Agency, AuditEvent, User
from agencies.models_audit import chain_of

_waiting: ContextVar[list[AuditEvent] | None] = ContextVar("audit_rows_waiting", default=None)


def audit_subject(about: str | Model) -> str:
    """What an event is about, as the log keeps it: in English, whoever reads or changes. Pages say it again to each reader."""
    with translation.override("en"):
        return str(about)[:200]


def audit_record(
    *,
    agency: Agency | None,
    actor: User | None,
    action: str,
    subject: str | Model,
    detail: dict[str, Any] | None = None,
    why: str = "",
    row: Model | None = None,
) -> AuditEvent:
    """Keep who did what, to what, and why. Three queries. ``row``: whose history the event belongs to, beside the agency's.

    A row as ``subject`` is named in English: by its own text it would be named in the language of whoever changes it.

    Within ``audit_last`` the row is written at that block's end.
    """
    event = AuditEvent(
        agency=agency,
        actor=actor,
        action=action,
        subject=audit_subject(subject),
        why=why,
        model=row._meta.label_lower if row is not None else "",
        row_id=row.pk if row is not None else None,
        detail=detail or {},
    )
    # Without a person (a command) and without detail the event is still a fact.
    event.clean_fields(exclude=["agency", "actor", "detail", "chain", "sequence", "previous", "hash", "seal"])
    if (waiting := _waiting.get()) is not None:
        waiting.append(event)
    else:
        event.save()
    return event


@contextmanager
def audit_last() -> Iterator[None]:
    """Write the audit rows of a block at its end, in the block's own transaction; none where it fails. Also a decorator.

    Whoever writes an audit row holds its chain's lock until the commit. A change that then waits for a row that somebody else
    holds, who waits for the chain, waits for ever: so a change of several steps takes the chain's lock last. Put it within
    the transaction: below ``@transaction.atomic``. What fails in it and is caught needs a block of its own.
    """
    outer = _waiting.get()
    if outer is not None:
        # Part of a larger change. What failed in this part did not happen, even where the larger one goes on.
        before = len(outer)
        try:
            yield
        except BaseException:
            del outer[before:]
            raise
        return
    own: list[AuditEvent] = []
    token = _waiting.set(own)
    try:
        yield
    finally:
        _waiting.reset(token)
    with transaction.atomic(savepoint=False):
        # Of several chains in one order: two orders could wait for each other.
        for event in sorted(own, key=lambda event: chain_of(event.agency_id)):
            event.save()
