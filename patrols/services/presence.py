"""After each shift: how long units were in which box, from all sources, written once and replaced when counted again."""

import datetime as dt
from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from agencies.models import Unit
from missions_project.lib.runs import RunStatus
from patrols.engine.positions import PresenceRules
from patrols.engine.presence import Spans, VehiclePresence, vehicle_presence
from patrols.engine.reconcile import SOURCES, UNKNOWN, Account, Claims, reconcile
from patrols.engine.reconcile import Presence as Stretch
from patrols.models import Mission, MissionPlan, Presence, PresenceAccount
from patrols.presence_inputs import (
    ShiftBoxes,
    claims_kept,
    claims_of,
    newest_records,
    pings_of,
    shift_boxes,
)

SETTLE = dt.timedelta(minutes=30)
"""After the shift's end: positions and records that are a little late are there by then."""
AGAIN = dt.timedelta(hours=26)
"""After the shift's end it is counted a second time: phones out of reach and dispatch exports come in the next day."""
RECOUNT_AFTER = dt.timedelta(minutes=5)
LOOK_BACK = dt.timedelta(days=14)
LEASE = dt.timedelta(hours=1)
MOST_ATTEMPTS = 8
MOST_AT_ONCE = 50
SHORT_MINUTES = 1.0
CAD = SOURCES.index("cad")
SECOND = dt.timedelta(seconds=1)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def presence_due(*, now: dt.datetime) -> list[int]:
    """Claim the shift instances whose presence is to be counted; return their accounts' keys. Two queries where none is.

    A claim is a lease of an hour: the account of a worker that was killed comes up again, eight times at most.
    """
    known = PresenceAccount.objects.filter(
        agency=OuterRef("agency"), shift=OuterRef("shift"), on=OuterRef("on")
    )
    ended = MissionPlan.objects.filter(
        ~Exists(known),
        state=MissionPlan.State.PUBLISHED,
        status=RunStatus.SUCCEEDED,
        decision=0,
        period_to__range=(now - LOOK_BACK, now - SETTLE),
    ).values_list("agency_id", "shift_id", "on", "period_to")
    fresh = [
        PresenceAccount(agency_id=agency, shift_id=shift, on=on, period_to=period_to, next_at=now)
        for agency, shift, on, period_to in ended[:MOST_AT_ONCE]
    ]
    if fresh:
        PresenceAccount.objects.bulk_create(fresh, ignore_conflicts=True)
    due = PresenceAccount.objects.filter(next_at__lte=now, attempts__lt=MOST_ATTEMPTS)
    return [
        pk
        for pk, next_at, attempts in list(
            # Those never counted first: an import of a year of records must not keep last night's page empty.
            due.order_by(F("done_at").asc(nulls_first=True), "next_at").values_list(
                "pk", "next_at", "attempts"
            )[:MOST_AT_ONCE]
        )
        # Two dispatchers at once: the one that moves the date has it.
        if PresenceAccount.objects.filter(pk=pk, next_at=next_at).update(
            next_at=now + LEASE, attempts=attempts + 1
        )
        == 1
    ]


def presence_recount(*, mission: Mission, now: dt.datetime | None = None) -> int:
    """Have a shift counted once more after a record of it came in late; returns how many accounts. One query.

    A few minutes later, so that several entries of one person are counted at once.
    """
    now = now or timezone.now()
    plan = mission.plan
    mine = accounts_done().filter(agency=mission.agency_id, shift=plan.shift_id, on=plan.on)
    return mine.update(next_at=now + RECOUNT_AFTER, attempts=0)


def accounts_done() -> QuerySet[PresenceAccount]:
    """The accounts that would not see a record that comes in now: those that are done with, and those being counted.

    One that is still to be counted will see it then; one that somebody counts just now may have read its records already.
    """
    return PresenceAccount.objects.filter(Q(next_at__isnull=True, done_at__isnull=False) | Q(attempts__gt=0))


def presence_count(*, account: PresenceAccount, rules: PresenceRules | None = None) -> PresenceAccount:
    """Count the presence of one shift instance and replace what was counted before.

    About twenty queries, the rows a thousand at a time. Counted twice from the same records it is the same. A shift
    without a published plan has no boxes: its earlier rows go. Where positions have been deleted since the last time, the visits
    counted from them then are put together with the records as they are now.
    """
    where = shift_boxes(account.agency, account.shift, account.on)
    rows: list[Presence] = []
    counts: dict[str, Any] = {}
    if where is not None:
        rules = rules or PresenceRules()
        from_s, to_s = where.period_from.timestamp(), where.period_to.timestamp()
        pings, newest = pings_of(account.agency, where), newest_records(account.agency, where)
        put_together = partial(reconcile, boxes=where.boxes, from_s=from_s, to_s=to_s, rules=rules)
        if len(pings) < account.counts.get("positions", 0):
            # A short retention of positions must not empty what was counted from them.
            claims = claims_kept(account, where)
            nowhere = pings.take(np.zeros(0, dtype=np.int64))
            found = put_together(visits=_visits_kept(account), claims=claims, pings=nowhere)
            rows = _rows(account, where, found) + _sums_kept(account)
            counts = _counts_kept(account, len(claims), rows)
        else:
            claims = claims_of(account.agency, where)
            seen = vehicle_presence(pings, where.boxes, from_s=from_s, to_s=to_s, rules=rules)
            found = put_together(visits=seen.visits, claims=claims, pings=seen.cleaned.pings)
            rows = _rows(account, where, found)
            counts = _counts(account, len(pings), claims, seen, found)
        counts |= newest
    with transaction.atomic():
        # Two workers with one account: the second waits here, and replaces what the first wrote.
        locked = PresenceAccount.objects.select_for_update().get(pk=account.pk)
        Presence.objects.filter(account=locked).delete()
        Presence.objects.bulk_create(rows, batch_size=1000)
        now = timezone.now()
        again = locked.period_to + AGAIN
        locked.counts, locked.done_at = counts, now
        if locked.next_at == account.next_at:
            locked.next_at, locked.attempts = again if now < again else None, 0
        # Else somebody had it counted again meanwhile, for a record that this count may not have seen: it stays due.
        locked.full_clean()
        locked.save()
    return locked


def _visits_kept(account: PresenceAccount) -> Spans:
    """The vehicles' visits of the last count, where the positions themselves are gone. One query."""
    rows = list(
        Presence.objects.filter(account=account, source=Presence.Source.AVL, unit__isnull=False, visits=1)
        .order_by("unit", "arrived_at")
        .values_list("unit", "cell_id", "arrived_at", "left_at")
    )
    return Spans(
        unit=np.array([row[0] for row in rows], dtype=np.int64),
        box=np.array([row[1] for row in rows], dtype=np.int64),
        start_s=np.array([row[2].timestamp() for row in rows], dtype=np.float64),
        end_s=np.array([row[3].timestamp() for row in rows], dtype=np.float64),
    )


def _sums_kept(account: PresenceAccount) -> list[Presence]:
    """The short stays of the last count, summed without units. One query."""
    summed = Q(source=Presence.Source.AVL, unit__isnull=True) | Q(visits__gt=1)
    rows = list(Presence.objects.filter(summed, account=account))
    for row in rows:
        row.pk = None
    return rows


def _counts_kept(account: PresenceAccount, records: int, rows: list[Presence]) -> dict[str, Any]:
    """What the last count said of the positions, with the minutes as they are now."""
    minutes: dict[str, float] = dict.fromkeys(SOURCES, 0.0)
    for row in rows:
        minutes[row.source] += row.minutes
    told = {source: round(value, 2) for source, value in minutes.items()}
    return {**account.counts, "records": records, "minutes": told, "kept": True}


def _counts(
    account: PresenceAccount, positions: int, claims: Claims, seen: VehiclePresence, found: Account
) -> dict[str, Any]:
    signs = dict(Unit.objects.filter(agency=account.agency_id).values_list("pk", "call_sign"))
    cleaned = seen.cleaned
    return {
        "positions": positions,
        "repeated": cleaned.duplicates,
        "jumps": cleaned.jumps,
        "clocks_ahead_s": {signs.get(unit, "?"): round(ahead) for unit, ahead in cleaned.skew_s.items()},
        "clocks_unusable": [signs.get(unit, "?") for unit in cleaned.unusable],
        "records": len(claims),
        "dispatch_records": int((claims.source == CAD).sum()),
        "dispatch_without_unit": int(((claims.source == CAD) & (claims.unit == UNKNOWN)).sum()),
        "known_minutes": round(float(seen.known.minutes.sum()), 2),
        "minutes": {source: round(minutes, 2) for source, minutes in found.minutes_by_source().items()},
        "contradicted_minutes": {s: round(minutes, 2) for s, minutes in found.contradicted_minutes.items()},
    }


def _rows(account: PresenceAccount, where: ShiftBoxes, found: Account) -> list[Presence]:
    by_cell: dict[int, list[Mission]] = defaultdict(list)
    for mission in where.missions:
        if mission.withdrawn_at is None:
            by_cell[mission.cell_id].append(mission)
    plan_of = {mission.pk: mission.plan_id for mission in where.missions}
    rows: list[Presence] = []
    short: dict[tuple[int, int], Presence] = {}
    for one in _with_missions(found.spans, by_cell):
        row = Presence(
            agency_id=account.agency_id,
            account=account,
            unit_id=None if one.unit == UNKNOWN else one.unit,
            mission_id=None if one.mission == UNKNOWN else one.mission,
            plan_id=plan_of.get(one.mission, where.plans[0].pk),
            grid=where.grid,
            beat_id=where.beat_of_box.get(one.box),
            cell_id=one.box,
            arrived_at=_instant(one.start_s),
            left_at=_instant(one.end_s),
            source=SOURCES[one.source],
            minutes=one.minutes,
        )
        if one.mission != UNKNOWN or one.minutes >= SHORT_MINUTES:
            rows.append(row)
        elif (summed := short.get((one.box, one.source))) is None:
            # Whoever drives through town crosses a box a minute: summed, that is neither thousands of rows nor a track.
            row.unit_id = None
            short[one.box, one.source] = row
        else:
            summed.arrived_at = min(summed.arrived_at, row.arrived_at)
            summed.left_at = max(summed.left_at, row.left_at)
            summed.minutes += row.minutes
            summed.visits += 1
    return rows + list(short.values())


def _with_missions(spans: list[Stretch], by_cell: dict[int, list[Mission]]) -> list[Stretch]:
    """Give each stretch the mission of its box: the one that its record names, else the last decided before it."""
    found: list[Stretch] = []
    last: dict[tuple[int, int], int] = {}
    for one in spans:
        there = by_cell.get(one.box, [])
        if one.mission == UNKNOWN and there:
            begun = [mission for mission in there if mission.plan.period_from.timestamp() <= one.start_s]
            one = replace(one, mission=(begun[-1] if begun else there[0]).pk)
        at = last.get((one.unit, one.box))
        before = found[at] if at is not None else None
        # One visit that the timer began in the middle of is still one visit.
        if before and (before.source, before.mission, before.end_s) == (one.source, one.mission, one.start_s):
            found[at or 0] = replace(before, end_s=one.end_s)
            continue
        last[one.unit, one.box] = len(found)
        found.append(one)
    return found


def _instant(seconds: float) -> dt.datetime:
    return EPOCH + seconds * SECOND
