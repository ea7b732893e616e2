"""Weekly refits: queueing a training when the agency's schedule says so, once for each due instant."""

import datetime as dt

from django.db import IntegrityError, transaction
from django.utils import timezone

from agencies.models import Agency
from forecasting.models import ModelPolicy, TrainingRun
from forecasting.selectors.grids import cells_by_agency
from forecasting.selectors.refits import refits_of
from forecasting.services.training import training_run_queue
from missions_project.lib.runs import RunStatus


def refits_queue(*, agency: Agency | None = None, now: dt.datetime | None = None) -> list[TrainingRun]:
    """Put the trainings that are due in the queue, of one agency or of all, and return them.

    Each due instant gives one run, however often and from wherever this is called: the database refuses a second. Of many
    that were missed the newest is caught up. The largest agencies come first, so that none is left for the end when all
    other workers are idle. Two queries where none is due.
    """
    now = now or timezone.now()
    policies = ModelPolicy.objects.filter(refit_days__gt=0).select_related("agency")
    rows = list(policies if agency is None else policies.filter(agency=agency))
    queued = []
    refits = refits_of(rows, now=now) if rows else {}
    due = [(policy, at) for policy in rows if (at := refits[policy.agency_id].due_at)]
    cells = cells_by_agency() if len(due) > 1 else {}
    for policy, due_at in sorted(due, key=lambda item: -cells.get(item[0].agency_id, 0)):
        run = _queue(policy, due_at)
        if run is not None:
            queued.append(run)
    return queued


def refits_take(*, agency: Agency, now: dt.datetime | None = None) -> list[TrainingRun]:
    """Return the agency's trainings that cron should do now: what is due, and scheduled ones whose worker died.

    Where no worker runs nobody else would take them up again, and they would hold up the schedule for ever.
    """
    scheduled = TrainingRun.objects.filter(agency=agency, due_at__isnull=False)
    scheduled.requeue_abandoned()
    left = list(scheduled.filter(status=RunStatus.QUEUED))
    return left or refits_queue(agency=agency, now=now)


def _queue(policy: ModelPolicy, due_at: dt.datetime) -> TrainingRun | None:
    try:
        with transaction.atomic():
            return training_run_queue(agency=policy.agency, due_at=due_at)
    except IntegrityError:
        # Another dispatcher, or cron, was quicker: it is theirs.
        return None
