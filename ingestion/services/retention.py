"""Deleting and making coarse what is older than the agency wants to keep, and saying what was done."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from agencies.models import Agency
from ingestion.models import RecordKind, RetentionPolicy
from ingestion.services.position_months import position_months_drop
from ingestion.services.retention_kinds import RetentionKind, retention_kind, retention_notices
from ingestion.services.retention_log import retention_record
from missions_project.lib.progress import Progress, no_progress

BATCH_ROWS = 2_000
YIELD_SECONDS = 0.005
NIGHT_HOUR = 3
"""The agency's hour from which the nightly work may begin: after the evening's shift, before the morning's forecast."""


@dataclass(frozen=True)
class RetentionPlan:
    """What a policy would do now: rows to delete, rows to make coarse, and what the rooms say about it."""

    policy: RetentionPolicy
    kind: RetentionKind
    deleted: int
    coarsened: int
    notices: tuple[str, ...] = ()


def retention_plan(*, policy: RetentionPolicy, now: datetime | None = None) -> RetentionPlan:
    """Count what the policy would do. Changes nothing. At most three queries."""
    kind, now = retention_kind(policy.kind), now or timezone.now()
    gone, fine = _gone(policy, kind, now), _fine(policy, kind, now)
    notices = retention_notices(
        policy.agency,
        policy.kind,
        coarsen_after_days=policy.coarsen_after_days,
        delete_after_days=policy.delete_after_days,
    )
    return RetentionPlan(
        policy,
        kind,
        deleted=gone.count() if gone is not None else 0,
        coarsened=fine.count() if fine is not None else 0,
        notices=tuple(notices),
    )


def retention_claim_due(*, now: datetime | None = None) -> list[int]:
    """Take the policies whose night it is and return their keys: each once a day of its agency, whoever asks how often.

    One query where none is due.
    """
    now = now or timezone.now()
    active = Q(delete_after_days__isnull=False) | Q(coarsen_after_days__isnull=False)
    taken = []
    for policy in RetentionPolicy.objects.filter(active).select_related("agency"):
        local = now.astimezone(ZoneInfo(policy.agency.time_zone))
        if local.hour < NIGHT_HOUR or policy.claimed_on == local.date():
            continue
        if _claim(policy.pk, local.date()):
            taken.append(policy.pk)
    return taken


def _claim(pk: int, on: date) -> bool:
    not_yet = Q(claimed_on__isnull=True) | Q(claimed_on__lt=on)
    return RetentionPolicy.objects.filter(not_yet, pk=pk).update(claimed_on=on) == 1


def retention_run(
    *, policy: RetentionPolicy, now: datetime | None = None, progress: Progress = no_progress
) -> RetentionPlan:
    """Do what the policy says, 2,000 rows a transaction (positions on PostgreSQL: whole months where that is possible), and write into the audit log what was done.

    Killed at any moment it loses no count: the batch's number is stored with the batch, and the next run logs it.
    """
    kind, now = retention_kind(policy.kind), now or timezone.now()
    _log(policy)
    # What goes in one piece goes first: nothing of it is deleted row by row.
    whole = 0
    if policy.kind == RecordKind.POSITIONS and policy.delete_after_days is not None:
        whole = position_months_drop(policy=policy, now=now)
    planned = retention_plan(policy=policy, now=now)
    done = 0
    for action, rows, work in (
        ("deleted", _gone(policy, kind, now), kind.delete or _delete_of(kind, policy.agency, now)),
        ("coarsened", _fine(policy, kind, now), kind.coarsen),
    ):
        if rows is None or work is None:
            continue
        after = 0
        while keys := _batch(policy, action, rows, work, after):
            after, done = keys[-1], done + len(keys)
            progress(done, planned.deleted + planned.coarsened, f"{kind.label}: {action}")
            if connection.vendor == "sqlite":
                # Without a pause the next transaction begins before any page that waits has looked again.
                time.sleep(YIELD_SECONDS)
    counts = _log(policy)
    RetentionPolicy.objects.filter(pk=policy.pk).update(finished_at=timezone.now())
    return RetentionPlan(
        policy, kind, whole + counts.get("deleted", 0), counts.get("coarsened", 0), planned.notices
    )


def _batch(
    policy: RetentionPolicy,
    action: str,
    rows: QuerySet[Any],
    work: Callable[[Sequence[int]], int],
    after: int,
) -> list[int]:
    """Treat the next rows with keys above ``after``; returns their keys."""
    with transaction.atomic():
        # Going on by key: a kind whose work does not take its rows out of the list would be treated for ever.
        keys: list[int] = list(
            rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH_ROWS]
        )
        if not keys:
            return []
        # Before the work: that of the audit log itself locks the log, and whoever logs a policy's counts locks it after the policy.
        held = RetentionPolicy.objects.select_for_update().get(pk=policy.pk)
        work(keys)
        held.unlogged = held.unlogged | {action: held.unlogged.get(action, 0) + len(keys)}
        held.save(update_fields=["unlogged"])
    return keys


def _log(policy: RetentionPolicy) -> dict[str, int]:
    """Move the counts that are not in the audit log yet into it; returns them. Nothing done, nothing logged."""
    with transaction.atomic():
        held = RetentionPolicy.objects.select_for_update().get(pk=policy.pk)
        counts: dict[str, int] = held.unlogged
        if not counts:
            return {}
        retention_record(
            agency=policy.agency,
            kind=policy.kind,
            counts=counts,
            delete_after_days=policy.delete_after_days,
            coarsen_after_days=policy.coarsen_after_days,
        )
        RetentionPolicy.objects.filter(pk=policy.pk).update(unlogged={})
    return counts


def _gone(policy: RetentionPolicy, kind: RetentionKind, now: datetime) -> QuerySet[Any] | None:
    if policy.delete_after_days is None:
        return None
    # A row of the admin cannot be shorter; one that was written around it must not delete a year's audit log either.
    days = max(policy.delete_after_days, kind.minimum_days)
    return kind.old(policy.agency, now - timedelta(days=days))


def _fine(policy: RetentionPolicy, kind: RetentionKind, now: datetime) -> QuerySet[Any] | None:
    if policy.coarsen_after_days is None or kind.coarse is None:
        return None
    return kind.coarse(policy.agency, now - timedelta(days=policy.coarsen_after_days))


def _delete_of(kind: RetentionKind, agency: Agency, now: datetime) -> Callable[[Sequence[int]], int]:
    model = kind.old(agency, now).model
    return lambda keys: model._default_manager.filter(pk__in=keys).delete()[0]
