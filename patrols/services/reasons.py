"""The forecast's reasons, written beside the missions that it led to; a worker that dies at it is followed by another."""

import datetime as dt
from collections import defaultdict
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import CrimeType
from forecasting.engine.grid import GridSpec
from forecasting.selectors import why_here_many
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from missions_project.lib.runs import HEARTBEAT_LOST_AFTER, MAX_ATTEMPTS, RunStatus
from patrols.models import Mission, MissionPlan
from patrols.selectors import mission_why

REASONS_WITHIN = dt.timedelta(days=1)
"""Reasons for older plans are worked out when somebody opens a mission."""
REASONS_LEASE = HEARTBEAT_LOST_AFTER
"""A worker that has not been heard of for this long has lost the plan: working out the reasons takes seconds."""


class _Lost(Exception):
    """Another worker has taken the plan over."""


class _Claim:
    """One worker's hold on a plan's reasons. Each write compares with what it wrote last: two never both hold it."""

    def __init__(self, plan: MissionPlan, at: dt.datetime) -> None:
        self._pk, self._at = plan.pk, at

    @classmethod
    def take(cls, plan: MissionPlan, *, again: bool) -> "_Claim | None":
        """Compare and swap: None where another worker is at it, or (unless ``again``) where they are written."""
        now = timezone.now()
        rows = MissionPlan.objects.filter(_free(now), pk=plan.pk)
        rows = rows if again else rows.filter(reasons_at=None)
        won = rows.update(reasons_claimed_at=now, reasons_attempts=F("reasons_attempts") + 1)
        return cls(plan, now) if won == 1 else None

    def beat(self) -> None:
        """Say that this worker lives, or learn that it was given up."""
        now = timezone.now()
        self._swap(reasons_claimed_at=now)
        self._at = now

    def done(self) -> None:
        self._swap(reasons_at=timezone.now(), reasons_claimed_at=None)

    def _swap(self, **fields: Any) -> None:
        rows = MissionPlan.objects.filter(pk=self._pk, reasons_claimed_at=self._at)
        if rows.update(**fields) != 1:
            raise _Lost


def _free(now: dt.datetime) -> Q:
    return Q(reasons_claimed_at=None) | Q(reasons_claimed_at__lt=now - REASONS_LEASE)


def plan_reasons_write(*, plan: MissionPlan, progress: Progress | None = None, again: bool = False) -> int:
    """Write why the forecast rates each drawn mission's box as it does, and return how many were written.

    All missions are explained together: one walk through the history, about 20 queries. Nothing is written, and 0
    returned, where another worker is at it or (unless ``again``) where it is done. The plan is marked as done together
    with the last word: a worker that is killed before leaves a claim that runs out, and ``reasons_due`` names the plan
    again. Raises ``MissionsError`` where the forecast's models cannot be read; the missions then stay without reasons,
    and the drawer says why.
    """
    if plan.forecast_run is None or plan.grid is None:
        raise MissionsError(_("This plan is not drawn yet."), next_step=_("wait for it, or plan again."))
    claim = _Claim.take(plan, again=again)
    if claim is None:
        return 0
    try:
        return _write(plan, claim, progress or no_progress)
    except _Lost:
        return 0
    except MissionsError:
        # Reasons that cannot be given are not tried again each minute.
        claim.done()
        raise


def _write(plan: MissionPlan, claim: _Claim, say: Progress) -> int:
    run, grid = plan.forecast_run, plan.grid
    assert run is not None
    assert grid is not None
    missions = list(
        Mission.objects.filter(plan=plan, source=Mission.Source.DRAWN).select_related("crime_type")
    )
    say(0, 2, "Working out reasons")
    found = GridSpec.from_bytes(bytes(grid.spec)).index_of([row.cell_id for row in missions])
    position = dict(zip((row.pk for row in missions), found.tolist(), strict=True))
    wanted: dict[CrimeType, list[int]] = defaultdict(list)
    for row in missions:
        wanted[row.crime_type].append(position[row.pk])
    why = why_here_many(run, wanted)
    claim.beat()
    say(1, 2, "Storing reasons")
    for row in missions:
        told = why[row.crime_type][position[row.pk]]
        row.why = mission_why(told)
    with transaction.atomic():
        Mission.objects.bulk_update(missions, ["why"], batch_size=500)
        # In the words' own transaction: a plan is never marked without its words, and a worker that lost the plan
        # takes back what it wrote.
        claim.done()
    say(2, 2, "Done")
    return len(missions)


def reasons_due() -> list[int]:
    """Mark as sent, and return, the fresh plans whose reasons nobody has written and nobody is writing.

    Each once in five minutes, and no more after three workers have died of it. One query where there are none.
    """
    now = timezone.now()
    sent = Q(reasons_sent_at=None) | Q(reasons_sent_at__lt=now - REASONS_LEASE)
    due: QuerySet[MissionPlan] = MissionPlan.objects.filter(
        _free(now),
        sent,
        status=RunStatus.SUCCEEDED,
        reasons_at=None,
        reasons_attempts__lt=MAX_ATTEMPTS,
        finished_at__gt=now - REASONS_WITHIN,
    )
    # Compare and swap: of two dispatchers one wins. A message that is lost is sent again; of two messages one does it.
    return [
        pk
        for pk in list(due.values_list("pk", flat=True))
        if MissionPlan.objects.filter(sent, pk=pk, reasons_at=None).update(reasons_sent_at=now) == 1
    ]
