"""Reading when each agency's models are due to be trained anew."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Max, Q

from forecasting.engine.refit import Schedule
from forecasting.models import ModelPolicy, TrainingRun
from missions_project.lib.runs import RunStatus

WAITS_FOR = dt.timedelta(days=1)
"""A training that has stood in the queue longer than this does not hold up the schedule: nobody will ever start it."""


@dataclass(frozen=True)
class Refit:
    """``due_at``: the instant that is due and not served yet. ``next_at``: the one after now. None: there is none."""

    due_at: dt.datetime | None
    next_at: dt.datetime | None


def schedule_of(policy: ModelPolicy) -> Schedule:
    """The policy's schedule, on the agency's clock. No query where the agency was read with the policy."""
    return Schedule(policy.refit_days, policy.refit_time, policy.agency.time_zone)


def refits_of(policies: Iterable[ModelPolicy], *, now: dt.datetime) -> dict[int, Refit]:
    """Return what is due and what comes next, by agency id. One query, for any number of policies read with their agencies.

    Counted from the last scheduled training, whatever became of it, or from the last one by hand that succeeded, whichever
    is newer. An agency that never trained is not due: its first training is somebody's decision. While a training runs
    or waits nothing is due.
    """
    rows = list(policies)
    waiting = Q(status=RunStatus.QUEUED, queued_at__gt=now - WAITS_FOR)
    trainings = {
        row["agency"]: row
        for row in TrainingRun.objects.filter(agency__in=[policy.agency_id for policy in rows])
        .order_by()
        .values("agency")
        .annotate(
            scheduled=Max("due_at"),
            by_hand=Max("queued_at", filter=Q(due_at=None, status=RunStatus.SUCCEEDED)),
            busy=Count("pk", filter=Q(status=RunStatus.RUNNING) | waiting),
        )
    }
    found = {}
    for policy in rows:
        schedule, row = schedule_of(policy), trainings.get(policy.agency_id, {})
        dates = [schedule.local_date(at) for name in ("scheduled", "by_hand") if (at := row.get(name))]
        if not dates:
            found[policy.agency_id] = Refit(None, None)
            continue
        last = max(dates)
        due = None if row["busy"] else schedule.latest_due(last, now)
        found[policy.agency_id] = Refit(due, schedule.next_after(last, now))
    return found
