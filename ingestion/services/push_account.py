"""The account of a day's pushes, in parts that server threads add to side by side."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from secrets import randbelow

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Max

from ingestion.models import Feed, ImportRun, PushDay, PushTally
from ingestion.push_models import COUNTS
from ingestion.services.tally import MAX_CODES_A_RULE, OTHER_CODES, Tally
from missions_project.lib.runs import RunStatus

SLOTS = 32
FOLD_EVERY = timedelta(seconds=1)
_thread = threading.local()
_folded_at: dict[int, float] = {}


def _slot() -> int:
    if not hasattr(_thread, "slot"):
        _thread.slot = randbelow(SLOTS)
    return int(_thread.slot)


def _day(feed: Feed, on: date) -> PushDay:
    """The feed's day, made with its run row where this is the day's first push."""
    found = PushDay.objects.filter(feed=feed, on=on).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            run = ImportRun.objects.create(
                agency_id=feed.agency_id,
                feed=feed,
                file_name=f"Pushed on {on:%Y-%m-%d} (UTC)",
                status=RunStatus.SUCCEEDED,
                counts=dict.fromkeys(COUNTS, 0),
            )
            return PushDay.objects.create(agency_id=feed.agency_id, feed=feed, on=on, run=run)
    except IntegrityError:
        # Two first pushes at once: the other one has just made it.
        return PushDay.objects.get(feed=feed, on=on)


@dataclass(frozen=True)
class _Part:
    """One thread's part of a feed's day, and until when it is taken to be there without looking."""

    pk: int
    day_id: int
    run_id: int
    until: float


def _part(feed: Feed, on: date, *, look: bool) -> _Part:
    known: dict[tuple[int, date], _Part] = _thread.__dict__.setdefault("parts", {})
    part = known.get((feed.pk, on))
    if part is not None and not look and part.until > time.monotonic():
        return part
    slot = _slot()
    found = (
        PushTally.objects.filter(day__feed=feed, day__on=on, slot=slot)
        .values_list("pk", "day_id", "day__run_id")
        .first()
    )
    if found is None:
        day = _day(feed, on)
        made, _ = PushTally.objects.get_or_create(day=day, slot=slot, defaults={"agency_id": feed.agency_id})
        found = (made.pk, day.pk, day.run_id)
    known.clear()
    known[feed.pk, on] = part = _Part(*found, time.monotonic() + settings.PUSH_CONTEXT_SECONDS)
    return part


@contextmanager
def push_account(feed: Feed, now: datetime, tally: Tally, *, look: bool = False) -> Iterator[ImportRun]:
    """Give the day's run for the block, then add the batch to this thread's part. Within the caller's transaction.

    One query for a batch without faults, after the thread's first in some seconds; ``look`` reads the day anew, as rows
    that are to hang from it need. The run row follows within a second or, after the last push, within a minute.
    """
    part = _part(feed, now.date(), look=look)
    yield ImportRun(pk=part.run_id, feed=feed, agency_id=feed.agency_id, file_name=f"push {now.isoformat()}")
    if not _add(part.pk, now, tally):
        # Deleted, or made in a transaction that was undone.
        part = _part(feed, now.date(), look=True)
        _add(part.pk, now, tally)
    day_id = part.day_id
    if time.monotonic() - _folded_at.get(day_id, -10.0) >= FOLD_EVERY.total_seconds():
        _folded_at[day_id] = time.monotonic()
        transaction.on_commit(lambda: push_day_fold(day_id=day_id))


def _add(pk: int, now: datetime, tally: Tally) -> bool:
    if tally.rejections or tally.refusals:
        mine = PushTally.objects.select_for_update().filter(pk=pk).first()
        if mine is None:
            return False
        mine.rejections = _sum_codes(mine.rejections, tally.rejections)
        mine.refusals = _sum_rules(mine.refusals, tally.refusals)
        mine.save(update_fields=["rejections", "refusals"])
    quote = connection.ops.quote_name
    sums = ", ".join(f"{quote(name)} = {quote(name)} + %s" for name in ("batches", *COUNTS))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quote(PushTally._meta.db_table)} SET {sums}, last_at = %s WHERE id = %s",  # nosec B608 - names are ours, values go by parameters
            [1, *(tally.counts[name] for name in COUNTS), connection.ops.adapt_datetimefield_value(now), pk],
        )
        return bool(cursor.rowcount == 1)


def _sum_codes(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    summed = Counter(one)
    for code, number in other.items():
        known = code in summed or len(summed) < MAX_CODES_A_RULE
        summed[code if known else OTHER_CODES] += number
    return dict(sorted(summed.items()))


def _sum_rules(one: dict[str, dict[str, int]], other: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {rule: _sum_codes(one.get(rule, {}), other.get(rule, {})) for rule in sorted({*one, *other})}


def push_day_fold(*, day_id: int) -> None:
    """Bring the day's run row up to the sum of the day's parts. Three queries; doing it twice changes nothing."""
    day = PushDay.objects.filter(pk=day_id).first()
    if day is None:
        return
    counts: Counter[str] = Counter()
    refusals: dict[str, dict[str, int]] = {}
    rejections: dict[str, int] = {}
    last: datetime | None = None
    for part in PushTally.objects.filter(day=day):
        counts.update({name: getattr(part, name) for name in COUNTS})
        refusals = _sum_rules(refusals, {rule: Counter(codes) for rule, codes in part.refusals.items()})
        rejections = _sum_codes(rejections, part.rejections)
        last = max(part.last_at, last or part.last_at)
    ImportRun.objects.filter(pk=day.run_id).update(
        counts={name: counts[name] for name in COUNTS},
        refusals=refusals,
        rejections=rejections,
        finished_at=last,
        heartbeat_at=last,
    )


def push_days_fold(*, now: datetime) -> int:
    """Bring the run rows of today and yesterday up to date where they fell behind. Returns how many. One query if none."""
    recent = PushDay.objects.filter(on__gte=now.date() - timedelta(days=1))
    behind = recent.annotate(last_at=Max("tallies__last_at")).exclude(run__finished_at=F("last_at"))
    found = list(behind.values_list("pk", flat=True))
    for pk in found:
        push_day_fold(day_id=pk)
    return len(found)
