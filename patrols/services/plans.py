"""From a forecast to a plan: capacity, design, draw, missions; and a plan's publication."""

import datetime as dt
import logging
import secrets
from dataclasses import asdict
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, Shift, User
from agencies.selectors import shift_instance_of
from agencies.services import audit_record
from forecasting.models import ForecastRun
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from missions_project.lib.runs import RunReporter, RunStatus, run_execution
from patrols.engine.oversight import plan_oversight
from patrols.engine.plan import PlanDraw, design_digest, design_to_bytes, plan_draw
from patrols.models import Assignment, Engagement, Mission, MissionPlan, NoticeDelivery
from patrols.services.decision_scope import decision_check_publish
from patrols.services.live import boards_nudge
from patrols.services.notices import notice_record
from patrols.services.plan_inputs import PlanInputs, plan_inputs
from patrols.services.plan_rows import assignment_rows, plan_rows
from patrols.services.reasons import plan_reasons_write
from patrols.signals import plan_made

logger = logging.getLogger(__name__)
CODE_VERSION = "2"
"""Raised whenever the design's meaning changes, so that an auditor knows which rules a plan was drawn under."""


def plan_queue(
    *,
    agency: Agency,
    shift: Shift,
    on: dt.date,
    requested_by: User | None = None,
    seed: int | None = None,
    trigger: MissionPlan.Trigger = MissionPlan.Trigger.PERSON,
    forecast: ForecastRun | None = None,
) -> MissionPlan:
    """Put a plan for one shift instance in the queue. Raises ``MissionsError`` if the shift does not start that day.

    With ``forecast`` it is drawn from that one, else from the newest there is when its turn comes.
    """
    _check_recurrence(shift)
    period_from, period_to = shift_instance_of(agency, shift, on)
    plan = MissionPlan(
        agency=agency,
        shift=shift,
        on=on,
        period_from=period_from,
        period_to=period_to,
        seed=secrets.randbits(62) if seed is None else seed,
        requested_by=requested_by,
        trigger=trigger,
        forecast_run=forecast,
        code_version=CODE_VERSION,
    )
    plan.full_clean(exclude=["design"])
    plan.save()
    return plan


def _check_recurrence(shift: Shift) -> None:
    """Raise ``MissionsError`` for a shift that lasts longer than until it starts again: two plans for one hour."""
    days = sorted(shift.weekday_numbers)
    gaps = [(later - day) % 7 or 7 for day, later in zip(days, days[1:] + days[:1], strict=True)]
    if gaps and shift.duration_minutes > min(gaps) * 24 * 60:
        raise MissionsError(
            _(
                "%(shift)s overlaps itself: it lasts %(duration_minutes)s minutes and starts again after %(gaps)s."
            )
            % {"shift": shift, "duration_minutes": shift.duration_minutes, "gaps": min(gaps) * 24 * 60},
            next_step=_("Admin → Shifts: shorten its duration, or take weekdays away."),
        )


def plan_missions(
    *, plan: MissionPlan, progress: Progress | None = None, with_reasons: bool = True
) -> MissionPlan:
    """Draw the plan's missions from the newest forecast of its shift instance; the result is a draft.

    Everything that the draw depends on is fixed before it and stored with it. Raises ``MissionsError`` naming
    the setting when nothing can be planned; beats that cannot be planned alone are named in the log.
    """
    with run_execution(plan, progress) as reporter:
        reporter.progress(0, 4, "Reading forecast and capacity")
        inputs = plan_inputs(plan)
        for line in inputs.lines:
            reporter.log(line)
        reporter.progress(1, 4, "Working out probabilities and drawing")
        drawn = _draw(plan, inputs)
        reporter.progress(2, 4, "Storing the design")
        _log_beats(reporter, drawn, inputs)
        _store(plan, inputs, drawn)
        reporter.record(
            counts=asdict(plan_oversight(drawn)),
            config_snapshot=plan.config_snapshot,
            data_hash=inputs.forecast.data_hash,
        )
        reporter.progress(4, 4, "Done")
    boards_nudge(plan.agency_id)
    if not with_reasons:
        return plan
    # After the plan is closed: a supervisor need not wait for words, and words that fail must not fail the plan.
    try:
        plan_reasons_write(plan=plan, progress=progress)
    except MissionsError as exc:
        logger.warning("Plan %s: the reasons for its missions could not be written. %s", plan.pk, exc)
    return plan


def plan_publish(*, plan: MissionPlan, actor: User | None) -> MissionPlan:
    """Make a draft the shift's plan, or a decision during it part of the shift's plan.

    An earlier published plan is superseded unless visits to it have begun or decisions build on it; a decision supersedes
    nothing. Raises ``MissionsError`` when the plan is unfinished, not a draft, or would replace one already under way.
    """
    if plan.status != RunStatus.SUCCEEDED:
        raise MissionsError(
            _("This plan is not finished."), next_step=_("wait for it, or look at its error and plan again.")
        )
    try:
        with transaction.atomic():
            _publish(plan, actor)
    except IntegrityError as exc:
        raise MissionsError(
            _("Somebody else has just published a plan of this shift."), next_step=_("reload the shift map.")
        ) from exc
    plan.refresh_from_db()
    return plan


def _publish(plan: MissionPlan, actor: User | None) -> None:
    if plan.decision:
        decision_check_publish(plan, actor, timezone.now())
    else:
        _supersede_published(plan)
    won = MissionPlan.objects.filter(pk=plan.pk, state=MissionPlan.State.DRAFT).update(
        state=MissionPlan.State.PUBLISHED, published_at=timezone.now(), published_by=actor
    )
    if won != 1:
        raise MissionsError(_("This plan is no longer a draft."), next_step=_("reload the shift map."))
    audit_record(agency=plan.agency, actor=actor, action="plan published", subject=plan)
    notice_record(plan=plan, event=NoticeDelivery.Event.PUBLISHED, what="")
    boards_nudge(plan.agency_id)


def _supersede_published(plan: MissionPlan) -> None:
    earlier = MissionPlan.objects.select_for_update().filter(
        agency=plan.agency, shift=plan.shift, on=plan.on, state=MissionPlan.State.PUBLISHED
    )
    if earlier.filter(decision__gt=0).exists():
        raise MissionsError(
            _("Decisions during this shift build on its published plan."),
            next_step=_(
                "change single missions on the shift map, or decide anew for what is left of the shift."
            ),
        )
    if Engagement.objects.filter(mission__plan__in=earlier).exists():
        raise MissionsError(
            _("The published plan of this shift is already being carried out."),
            next_step=_("change single missions on the shift map; a new plan would erase what was drawn."),
        )
    earlier.update(state=MissionPlan.State.SUPERSEDED)


def _draw(plan: MissionPlan, inputs: PlanInputs) -> PlanDraw:
    x_m, y_m = inputs.spec.centres()
    planned_beats = np.array([row.beat.pk for row in inputs.capacities], dtype=np.int64)
    drawn = plan_draw(
        harm=inputs.harm,
        # Beats without a unit are left out before the draw: their K is 0, which is no design.
        beat_of_cell=np.where(np.isin(inputs.beat_of_cell, planned_beats), inputs.beat_of_cell, -1),
        beat_k={row.beat.pk: row.k for row in inputs.capacities},
        beat_units={row.beat.pk: row.units_in_turn for row in inputs.capacities},
        suppressed=inputs.suppressed,
        added=inputs.added,
        planned_minutes=inputs.planned_minutes,
        days_since_last=inputs.days_since_last,
        x_m=x_m,
        y_m=y_m,
        shift_minutes=round((plan.period_to - plan.period_from).total_seconds() / 60),
        policy=inputs.policy.as_design_policy(),
        seed=plan.seed,
    )
    if len(drawn) == 0:
        reasons = " ".join(_by_code(row.message, row.beat, inputs) for row in drawn.infeasible[:3])
        if inputs.standing and not inputs.capacities:
            reasons = "Every unit's missions go to places that people added, so that nothing is left to draw."
        raise MissionsError(
            _("No beat can be planned. %(reasons)s") % {"reasons": reasons},
            next_step=_("change the setting named, then plan again."),
        )
    return drawn


def _by_code(message: str, beat_id: int, inputs: PlanInputs) -> str:
    """The engine knows beats by number; people know them by code."""
    code = next(row.beat.code for row in inputs.everyone if row.beat.pk == beat_id)
    return message.replace(f"Beat {beat_id}", f"Beat {code}")


def _log_beats(reporter: RunReporter, drawn: PlanDraw, inputs: PlanInputs) -> None:
    added = {row.beat for row in inputs.standing}
    told = inputs.snapshot["shared"]
    idle = [
        row.beat.code
        for row in inputs.everyone
        if row.k == 0 and row.beat.pk not in added and row.beat.code not in told
    ]
    if idle:
        reporter.log(f"Beats without a unit on duty, not planned: {', '.join(idle)}.")
    for beat_id, messages in drawn.messages.items():
        for message in messages:
            reporter.log(_by_code(message, beat_id, inputs))


@transaction.atomic
def _store(plan: MissionPlan, inputs: PlanInputs, drawn: PlanDraw) -> None:
    plan.forecast_run, plan.grid = inputs.forecast, inputs.forecast.grid
    plan.design, plan.design_hash = design_to_bytes(drawn), design_digest(drawn)
    asked = {"asked": plan.config_snapshot["asked"]} if plan.decision else {}
    methods = {str(beat): method for beat, method in drawn.method_of_beat.items()}
    plan.config_snapshot = {**asked, **inputs.snapshot, "methods": methods}
    plan.save(update_fields=["forecast_run", "grid", "design", "design_hash", "config_snapshot"])
    MissionPlan.objects.filter(
        agency=plan.agency,
        shift=plan.shift,
        on=plan.on,
        decision=plan.decision,
        state=MissionPlan.State.DRAFT,
        status=RunStatus.SUCCEEDED,
    ).exclude(pk=plan.pk).update(state=MissionPlan.State.SUPERSEDED)
    # A run killed between this write and its closing is queued again: it must not add its missions twice.
    Mission.objects.filter(plan=plan).delete()
    missions = Mission.objects.bulk_create(plan_rows(plan, inputs, drawn))
    Assignment.objects.bulk_create(assignment_rows(plan, missions, inputs.everyone))
    plan_made.send(sender=MissionPlan, plan_id=plan.pk)


def plan_summary(plan: MissionPlan) -> dict[str, Any]:
    """The plan's counts in the words of a command's output."""
    counts = plan.counts or {}
    return {
        "missions": counts.get("missions", 0),
        "share of expected harm": f"{100 * counts.get('harm_share', 0.0):.1f} %",
        "low-risk share": f"{100 * counts.get('low_risk_share', 0.0):.1f} %",
    }
