"""The account of a day's pushes, in parts that server threads add to side by side."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from secrets import randbelow

from django.db import IntegrityError, transaction
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


@contextmanager
def push_account(feed: Feed, now: datetime, tally: Tally) -> Iterator[ImportRun]:
    """Give the day's run for the block, then add the batch to this thread's part. Within the caller's transaction.

    Two queries for a batch without faults, after the thread's first of the day. The run row follows within a second or,
    after the last push, within a minute.
    """
    on, slot = now.date(), _slot()
    part = (
        PushTally.objects.filter(day__feed=feed, day__on=on, slot=slot)
        .values_list("pk", "day_id", "day__run_id")
        .first()
    )
    if part is None:
        day = _day(feed, on)
        made, _ = PushTally.objects.get_or_create(day=day, slot=slot, defaults={"agency_id": feed.agency_id})
        part = (made.pk, day.pk, day.run_id)
    pk, day_id, run_id = part
    yield ImportRun(pk=run_id, feed=feed, agency_id=feed.agency_id, file_name=f"push {now.isoformat()}")
    rows = PushTally.objects.filter(pk=pk)
    added = {name: F(name) + tally.counts[name] for name in COUNTS}
    by_code = {}
    if tally.rejections or tally.refusals:
        mine = rows.select_for_update().get()
        by_code = {
            "rejections": _sum_codes(mine.rejections, tally.rejections),
            "refusals": _sum_rules(mine.refusals, tally.refusals),
        }
    rows.update(batches=F("batches") + 1, last_at=now, **added, **by_code)
    if time.monotonic() - _folded_at.get(day_id, -10.0) >= FOLD_EVERY.total_seconds():
        _folded_at[day_id] = time.monotonic()
        transaction.on_commit(lambda: push_day_fold(day_id=day_id))


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
