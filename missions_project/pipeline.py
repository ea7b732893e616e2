"""The line's housekeeping: one dispatcher, each minute, that finds what is due and what was abandoned."""

import logging
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.dispatch import receiver
from django.utils import timezone

from forecasting.models import ForecastRun, ModelPolicy, ModelVersion, TrainingRun
from forecasting.services import live_claim, refits_queue
from forecasting.tasks import (
    drift_measure_task,
    forecast_refresh_task,
    forecast_run_task,
    live_score_task,
    training_run_task,
)
from ingestion.models import ImportRun, RecordKind
from ingestion.services import (
    drop_folders_due,
    pulls_queue,
    push_days_fold,
    refresh_ask,
    retention_claim_due,
    spool_expire,
)
from ingestion.signals import facts_pushed
from ingestion.tasks import drop_folder_task, import_task, position_months_task, retention_task
from missions_project.operations.alerts import alerts_claim, alerts_look_due
from missions_project.operations.lost import lost_runs
from missions_project.operations.pulses import DISPATCH, lease_hold, new_holder, pulse_write
from missions_project.operations.tasks import alert_task, alerts_task
from patrols import services
from patrols.models import MissionPlan
from patrols.tasks import (
    gunfire_decision_task,
    notice_task,
    plan_reasons_task,
    plan_task,
    presence_task,
    shift_planning_task,
)
from tactics.models import ImpactReport, Inquiry, TransparencyPack
from tactics.reports.kept import ahead_due
from tactics.services import reports_due, tactic_updates_due
from tactics.services.saved_reports import report_mails_claim
from tactics.tasks import (
    impact_report_task,
    inquiry_task,
    report_mail_task,
    reports_ahead_task,
    tactic_update_task,
    transparency_pack_task,
)

logger = logging.getLogger(__name__)
DRIFT_EVERY = timedelta(hours=20)
"""Less than a day: each run would otherwise come a little later than the one before."""
DRIFT_LOST_AFTER = timedelta(hours=1)
"""Measuring that has not been done so long after it was sent is sent again."""

MONTHS_EVERY = timedelta(hours=1)
"""What came for a month without a piece of its own waits no longer in the rest."""


@shared_task(name="missions_project.pipeline.dispatch")  # type: ignore[untyped-decorator]  # celery ships no types
def dispatch() -> None:
    housekeeping()


def housekeeping() -> None:
    """What is due each minute: a sign of life left for the doctor, abandoned and forgotten runs sent again, uploads past their time deleted, the days' pushes
    summed, feeds pulled, drop folders looked into, old records deleted or made coarse, the months of positions kept, shifts planned, models trained anew,
    models measured, sealed forecasts scored, reasons written, notices sent, presence counted, studies analysed, tactics
    compared for adaptive draws, reports sent and counted ahead, the operator told of what is late, silent or drifting."""
    pulse_write(name=DISPATCH, now=timezone.now())
    follow_the_clock()
    requeue_abandoned()
    resend_forgotten()
    spool_expire()
    push_days_fold(now=timezone.now())
    pulls_due()
    drop_folders_look()
    retention_due()
    position_months_due()
    # Before what trains and measures for minutes: a shift starts when it starts.
    plannings_due()
    refits_due()
    drift_due()
    live_due()
    reasons_due()
    notices_due()
    presence_due()
    studies_due()
    tactics_due()
    report_mails_due()
    reports_ahead()
    alerts_due()


def drop_folders_look() -> int:
    """Send somebody to look into each drop folder. Returns how many. One query.

    A look that takes longer than a minute holds its folder: the next one finds it held and returns at once.
    """
    found = drop_folders_due()
    for pk in found:
        drop_folder_task.delay(pk)
    return len(found)


def retention_due() -> int:
    """Once a night of each agency, send for what its retention policies say. Returns how many were sent. One query."""
    found = retention_claim_due()
    for pk in found:
        retention_task.delay(pk)
    return len(found)


def position_months_due() -> int:
    """Have the months of positions looked after: at the first dispatch, and each hour after that. Returns 1 if it was sent.

    One query, which is all where it is not due.
    """
    if connection.vendor != "postgresql":
        return 0
    if not lease_hold(name="position-months", holder=new_holder(), now=timezone.now(), lease=MONTHS_EVERY):
        return 0
    position_months_task.delay()
    return 1


def pulls_due() -> int:
    """Pull the feeds whose time has come. Returns how many were sent. One query where none is due."""
    runs = pulls_queue(now=timezone.now())
    for run in runs:
        import_task.delay(run.pk)
    return len(runs)


@receiver(facts_pushed, dispatch_uid="missions: refresh after alerts")
def refresh_after_alerts(sender: Any, agency_id: int, record_kind: str, **_: Any) -> None:
    """Have the next forecast made anew after gunfire alerts, and the running shift decided anew where the agency wants
    that: one message a second and agency, not one an alert."""
    if record_kind == RecordKind.GUNFIRE and refresh_ask(agency_id=agency_id, now=timezone.now()):
        # A second later, so that it sees the alerts of that second too.
        forecast_refresh_task.apply_async((agency_id,), countdown=1)
        gunfire_decision_task.apply_async((agency_id,), countdown=1)


def plannings_due() -> int:
    """Send for the forecasts and plans of the shifts whose time has come, and publish what their schedules say.

    Returns how many were sent. At most five queries where nothing is due.
    """
    now = timezone.now()
    found = services.plannings_claim(now=now)
    for pk in found:
        shift_planning_task.delay(pk)
    services.plans_publish_due(now=now)
    return len(found)


def notices_due() -> int:
    """Write the notices of plans that failed, and send those whose time has come. Returns how many. Two queries for none."""
    now = timezone.now()
    services.failures_record(now=now)
    # A moment later: what was written just now is due too.
    found = services.notices_claim(now=timezone.now())
    for pk, attempt in found:
        notice_task.delay(pk, attempt)
    return len(found)


def report_mails_due() -> int:
    """Send for the saved reports whose hour has come. Returns how many were sent. Two queries where none is."""
    found = report_mails_claim(now=timezone.now())
    for pk, attempt in found:
        report_mail_task.delay(pk, attempt)
    return len(found)


def reports_ahead() -> int:
    """Have the long reports counted before people open them. Returns for how many agencies. One query."""
    found = ahead_due(now=timezone.now())
    for agency_id, languages in found:
        reports_ahead_task.delay(agency_id, languages)
    return len(found)


def alerts_due() -> int:
    """Have somebody look for trouble every five minutes, and send what the operator is to be told. Returns how many were sent.

    One query where nobody is to be told.
    """
    now = timezone.now()
    if alerts_look_due(now=now):
        alerts_task.delay()
    found = alerts_claim(now=now)
    for pk, attempt in found:
        alert_task.delay(pk, attempt)
    return len(found)


def refits_due() -> int:
    """Train where an agency's schedule says so. Returns how many were sent. Two queries where none is due.

    A message that is lost is sent again like that of any other run; a run that kills its worker is queued again.
    """
    runs = refits_queue()
    for run in runs:
        training_run_task.delay(run.pk)
    return len(runs)


def reasons_due() -> int:
    """Send for the reasons of fresh plans that have none yet. Returns how many were sent. One query where there are none."""
    found = services.reasons_due()
    for pk in found:
        plan_reasons_task.delay(pk)
    return len(found)


def presence_due() -> int:
    """Have the presence of ended shifts counted. Returns how many were sent. Two queries where none is due."""
    found = services.presence_due(now=timezone.now())
    for pk in found:
        presence_task.delay(pk)
    return len(found)


def tactics_due() -> int:
    """Tell adaptive draws what followed. Returns how many agencies were sent. One query where no policy is adaptive."""
    found = tactic_updates_due(now=timezone.now())
    for pk in found:
        tactic_update_task.delay(pk)
    return len(found)


def studies_due() -> int:
    """Send for the analyses of studies that are due. Returns how many were sent. Four queries where none is.

    A message that is lost is sent again like that of any other run.
    """
    reports = reports_due(now=timezone.now())
    for report in reports:
        impact_report_task.delay(report.pk)
    return len(reports)


def drift_due() -> int:
    """Measure once a day how the models in service do. Returns how many agencies were sent. One query where none is due."""
    now = timezone.now()
    due = Q(drift_measured_at=None) | Q(drift_measured_at__lt=now - DRIFT_EVERY)
    in_service = ModelVersion.objects.live().filter(agency=OuterRef("agency"))
    found = 0
    for pk, agency_id in list(
        ModelPolicy.objects.filter(due, Exists(in_service)).values_list("pk", "agency_id")
    ):
        # Marked before it is sent: the next minute's dispatcher must not send it again. Due once more in an hour, for a
        # killed worker takes its messages with it; the measuring itself puts it off until tomorrow.
        if ModelPolicy.objects.filter(due, pk=pk).update(
            drift_measured_at=now - DRIFT_EVERY + DRIFT_LOST_AFTER
        ):
            drift_measure_task.delay(agency_id)
            found += 1
    return found


def live_due() -> int:
    """Have sealed forecasts scored whose shifts are over and reported. Returns how many agencies were sent. One query for none.

    A message that is lost leaves a lease that runs out; scoring twice changes nothing.
    """
    found = live_claim(now=timezone.now())
    for agency_id in found:
        live_score_task.delay(agency_id)
    return len(found)


def follow_the_clock() -> int:
    """After the clock was put back, let the runs' last signs of life be from now. Returns how many. One query a kind for none."""
    return sum(model.objects.follow_the_clock() for model, _ in _RUNS)


def requeue_abandoned() -> int:
    """Queue again the runs whose worker was killed: the file transport never delivers a task twice by itself.

    Returns how many. Two queries a kind of run where there are none.
    """
    found = 0
    for model, task in _RUNS:
        for run in list(model.objects.abandoned()):
            if model.objects.filter(pk=run.pk).requeue_abandoned() == 1:
                logger.warning("%s was abandoned; queued again.", run)
                task.delay(run.pk)
                found += 1
    return found


def resend_forgotten() -> int:
    """Send again the queued runs of which no worker and no queue knows: a killed worker takes the messages it held with it.

    Those that merely wait their turn are left alone, whatever else runs (`missions_project.operations.lost`). Returns how many.
    Seven queries where there are none.
    """
    found = 0
    for model, task, pk in lost_runs(_RUNS):
        # Compare and swap: of two dispatchers one sends.
        if model.objects.filter(pk=pk).forgotten().update(heartbeat_at=timezone.now()) == 1:
            logger.warning("%s %s was forgotten; sent again.", model._meta.verbose_name, pk)
            task.delay(pk)
            found += 1
    return found


_RUNS: tuple[tuple[Any, Any], ...] = (
    (ImportRun, import_task),
    (TrainingRun, training_run_task),
    (ForecastRun, forecast_run_task),
    (MissionPlan, plan_task),
    (Inquiry, inquiry_task),
    (ImpactReport, impact_report_task),
    (TransparencyPack, transparency_pack_task),
)
