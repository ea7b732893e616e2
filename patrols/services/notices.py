"""Notices about plans: written beside what they tell of, sent afterwards, until they arrive or are given up.

A notice is a row (an outbox): it is stored in the same transaction as the event, so that neither is ever without the other,
and sent by a worker that may be killed at any point. One row for each event, person and way.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from agencies.access import SEES_PLANS
from agencies.models import Agency
from missions_project.lib.outbox import claim, settle
from missions_project.lib.runs import RunStatus
from patrols.models import MissionPlan, NoticeChoice, NoticeDelivery, ShiftPlanning
from patrols.services.notice_sending import deliver

Event = NoticeDelivery.Event
State = NoticeDelivery.State
CHANGED_WITHIN = dt.timedelta(minutes=5)
"""Changes of one plan within this time are one notice: a supervisor who moves ten missions sends one message, not ten."""
FAILURES_WITHIN = dt.timedelta(hours=1)
MAX_TOLD = 20
_WHEN = {Event.PUBLISHED: "when_published", Event.CHANGED: "when_changed", Event.FAILED: "when_failed"}


def notice_record(*, plan: MissionPlan, event: NoticeDelivery.Event | str, what: str) -> int:
    """Write the notices that an event of a plan gives, to whoever chose to be told. Returns how many are on their way.

    Call it in the transaction of the event. ``what`` says in a few words what changed or why there is no plan: about
    places and missions, never persons. Changes are told of published plans only, and those within five minutes in one
    notice. One query where nobody is to be told.
    """
    event = Event(event)
    now, key, at = timezone.now(), f"{event.value}:{plan.pk}", None
    if event == Event.CHANGED:
        if plan.state != MissionPlan.State.PUBLISHED:
            return 0
        window = int(now.timestamp() // CHANGED_WITHIN.total_seconds())
        key = f"{key}:{window}"
        at = dt.datetime.fromtimestamp((window + 1) * CHANGED_WITHIN.total_seconds(), dt.UTC)
    return _record(plan, plan, event, what, key, at or now)


def planning_failed_record(*, planning: ShiftPlanning, why: str) -> int:
    """Write the notices that a shift could not be planned by schedule: once for each round, however often it is tried."""
    key = f"{Event.FAILED.value}:planning:{planning.pk}"
    return _record(planning, planning.plan, Event.FAILED, why, key, timezone.now())


def failures_record(*, now: dt.datetime) -> int:
    """Write the notices of plan runs that failed, however they ended: a worker that was killed writes none itself.

    Those of a schedule's round are told with the round. One query where there are none.
    """
    told = NoticeDelivery.objects.filter(plan=OuterRef("pk"), event=Event.FAILED)
    wanted = _reachable(NoticeChoice.objects.filter(agency=OuterRef("agency"), when_failed=True))
    rows = MissionPlan.objects.filter(
        ~Exists(told),
        Exists(wanted),
        status=RunStatus.FAILED,
        finished_at__gt=now - FAILURES_WITHIN,
        finished_at__lte=now,
    ).exclude(trigger=MissionPlan.Trigger.SCHEDULE)
    return sum(
        notice_record(plan=plan, event=Event.FAILED, what=plan.error)
        for plan in rows.select_related("agency", "shift").defer("design", "agency__boundary")
    )


def _reachable(choices: Any) -> Any:
    return choices.filter(
        Q(by_email=True, membership__user__email__gt="") | Q(webhook_url__gt=""),
        # A person whose role no longer sees plans is told nothing of them either.
        membership__role__in=SEES_PLANS,
        membership__user__is_active=True,
    )


@transaction.atomic
def _record(
    about: MissionPlan | ShiftPlanning,
    plan: MissionPlan | None,
    event: NoticeDelivery.Event,
    what: str,
    key: str,
    at: dt.datetime,
) -> int:
    wanted = _reachable(NoticeChoice.objects.filter(agency=about.agency_id, **{_WHEN[event]: True}))
    choices = list(wanted.select_related("membership__user"))
    if not choices:
        return 0
    agency, shift = about.agency, about.shift
    payload: dict[str, Any] = {
        "event": event.value,
        "agency": agency.slug,
        "agency_name": agency.name,
        "shift": shift.slug,
        "shift_name": shift.name,
        "on": about.on.isoformat(),
        "plan": plan.pk if plan else None,
        "decision": plan.decision if plan else 0,
        "what": [],
    }
    rows = [
        NoticeDelivery(
            agency=agency,
            choice=choice,
            event=event,
            channel=channel,
            plan=plan,
            key=key,
            payload=payload,
            next_at=at,
        )
        for choice in choices
        for channel in _channels(choice)
    ]
    # The constraint decides: an event that is told twice, or by two workers, is one notice.
    NoticeDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    if what:
        _tell(agency, key, what)
    return len(rows)


def _channels(choice: NoticeChoice) -> Sequence[NoticeDelivery.Channel]:
    found = []
    if choice.by_email and choice.membership.user.email:
        found.append(NoticeDelivery.Channel.EMAIL)
    if choice.webhook_url:
        found.append(NoticeDelivery.Channel.WEBHOOK)
    return found


def _tell(agency: Agency, key: str, what: str) -> None:
    """Add what happened to the notices of this key that are still to be sent."""
    rows = NoticeDelivery.objects.filter(agency=agency, key=key, state=State.WAITING, attempts=0)
    told = list(rows.select_for_update())
    for row in told:
        if what[:300] not in row.payload["what"] and len(row.payload["what"]) < MAX_TOLD:
            row.payload["what"].append(what[:300])
    NoticeDelivery.objects.bulk_update(told, ["payload"])


def notices_claim(*, now: dt.datetime) -> list[tuple[int, int]]:
    """Take the notices whose time has come, and return each with the number of its try, for a worker (``outbox.claim``)."""
    return claim(NoticeDelivery, now=now)


def notice_send(*, pk: int, attempt: int) -> bool:
    """Send one notice; return whether it arrived. Does nothing where another worker has taken it since."""
    mine = NoticeDelivery.objects.filter(pk=pk, state=State.WAITING, attempts=attempt)
    row = mine.select_related("agency", "choice__membership__user").defer("agency__boundary").first()
    return row is not None and settle(mine, attempt=attempt, error=deliver(row))
