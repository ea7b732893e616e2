"""Another decision in the middle of a shift: missions drawn anew for what is left of it, beside those already sent."""

import datetime as dt
import logging
import secrets

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.engine.free_text import text_about_person
from agencies.models import Agency, Beat, Shift, User
from agencies.selectors import current_or_next_shift_instance, district_ids_of, shift_instance_of
from agencies.services import audit_record
from forecasting.engine.grid import GridSpec, project
from forecasting.models import Grid
from forecasting.selectors import cell_beats
from ingestion.models import GunfireAlert
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.engine.spread import neighbour_beats
from patrols.models import MissionPlan, PatrolPolicy
from patrols.selectors import active_policy, plan_for
from patrols.services.live import boards_nudge
from patrols.services.plans import CODE_VERSION, plan_missions

logger = logging.getLogger(__name__)
POLICY = gettext_lazy("Admin → Patrol policies")
MINUTE = dt.timedelta(minutes=1)


@transaction.atomic
def plan_decide(
    *,
    agency: Agency,
    shift: Shift,
    on: dt.date,
    beats: list[Beat] | None,
    missions: int,
    reason: str,
    trigger: MissionPlan.Trigger,
    actor: User | None,
    at: dt.datetime,
) -> MissionPlan:
    """Queue a decision during a shift: so many more missions, drawn for what is left of it, as a draft.

    ``beats`` None means wherever harm is highest, within the person's districts. The first plan, its missions and earlier
    decisions stay as they are; a later draft of the same decision takes this one's place. Whoever calls sends it to a
    worker (``plan_task``). Raises ``MissionsError`` outside the shift, without a published plan or a reason, above the
    policy's caps, and for beats outside the person's districts.
    """
    # Locked: two alerts in one second must see each other's decision.
    policy = PatrolPolicy.objects.select_for_update().filter(agency=agency, is_active=True).first()
    starts, period_to = shift_instance_of(agency, shift, on)
    period_from = rounded_up(at)
    number = _check_allowed(agency, shift, on, policy, missions, starts, at, period_from, period_to)
    _check_reason(reason)
    own = _own_beats(agency, actor, beats)
    plan = MissionPlan(
        agency=agency,
        shift=shift,
        on=on,
        decision=number,
        trigger=trigger,
        reason=reason.strip()[:300],
        period_from=period_from,
        period_to=period_to,
        seed=secrets.randbits(62),
        requested_by=actor,
        code_version=CODE_VERSION,
        config_snapshot={"asked": {"missions": missions, "beats": own}},
    )
    plan.full_clean(exclude=["design"])
    plan.save()
    audit_record(
        agency=agency,
        actor=actor,
        action="decision asked for",
        subject=plan,
        detail={"decision": number, "missions": missions, "reason": plan.reason, "trigger": trigger.value},
    )
    return plan


@transaction.atomic
def plan_decide_once(
    *,
    agency: Agency,
    shift: Shift,
    on: dt.date,
    beats: list[Beat] | None,
    missions: int,
    reason: str,
    actor: User,
    at: dt.datetime,
) -> tuple[MissionPlan, bool]:
    """Queue a person's decision as ``plan_decide`` does, and say whether it is new.

    The same person's same words that still wait to be drawn are the same decision: a request that is sent twice, by a machine
    that heard no answer, must not draw twice. Raises what ``plan_decide`` raises. Two queries more.
    """
    PatrolPolicy.objects.select_for_update().filter(agency=agency, is_active=True).first()
    asked = {"missions": missions, "beats": _own_beats(agency, actor, beats)}
    waiting = MissionPlan.objects.filter(
        agency=agency,
        shift=shift,
        on=on,
        decision__gt=0,
        state=MissionPlan.State.DRAFT,
        status__in=(RunStatus.QUEUED, RunStatus.RUNNING),
        requested_by=actor,
        reason=reason.strip()[:300],
    )
    for plan in waiting.defer("design").order_by("-queued_at"):
        if plan.config_snapshot.get("asked") == asked:
            return plan, False
    made = plan_decide(
        agency=agency,
        shift=shift,
        on=on,
        beats=beats,
        missions=missions,
        reason=reason,
        trigger=MissionPlan.Trigger.PERSON,
        actor=actor,
        at=at,
    )
    return made, True


def rounded_up(at: dt.datetime) -> dt.datetime:
    """The first whole minute that is not before an instant, in UTC: drawn starts count minutes from there.

    >>> rounded_up(dt.datetime(2026, 3, 14, 21, 4, 0, 1, tzinfo=dt.UTC)).isoformat()
    '2026-03-14T21:05:00+00:00'
    """
    whole = at.astimezone(dt.UTC).replace(second=0, microsecond=0)
    return whole if whole == at else whole + MINUTE


def _check_allowed(
    agency: Agency,
    shift: Shift,
    on: dt.date,
    policy: PatrolPolicy | None,
    missions: int,
    starts: dt.datetime,
    at: dt.datetime,
    period_from: dt.datetime,
    period_to: dt.datetime,
) -> int:
    """Return the decision's number, or raise ``MissionsError`` that names what stands against it."""
    if policy is None:
        raise MissionsError(
            _("Agency “%(agency_slug)s” has no active patrol policy.") % {"agency_slug": agency.slug},
            next_step=_("%(policy)s → Add.") % {"policy": POLICY},
        )
    if policy.replans_max == 0:
        raise MissionsError(
            _("Decisions during a shift are switched off."),
            next_step=_(
                "%(policy)s: raise “decisions during a shift”, or add single missions on the shift map."
            )
            % {"policy": POLICY},
        )
    if not 1 <= missions <= policy.replan_missions_max:
        raise MissionsError(
            _("A decision may ask for 1 to %(replan_missions_max)s missions, not %(missions)s.")
            % {"replan_missions_max": policy.replan_missions_max, "missions": missions},
            next_step=_("ask for fewer, or %(policy)s: raise “missions per decision”.") % {"policy": POLICY},
        )
    if not starts <= at < period_to:
        raise MissionsError(
            _("%(shift)s of %(on)s is not running.") % {"shift": shift, "on": f"{on:%Y-%m-%d}"},
            next_step=_("before a shift, draw its plan again; after it, plan the next one."),
        )
    left = int((period_to - period_from) / MINUTE)
    if left < policy.dose_max_minutes:
        raise MissionsError(
            _("%(left)s minutes of this shift are left, less than one visit of %(dose_max_minutes)s minutes.")
            % {"left": left, "dose_max_minutes": policy.dose_max_minutes},
            next_step=_("plan the next shift."),
        )
    published = MissionPlan.objects.filter(
        agency=agency, shift=shift, on=on, state=MissionPlan.State.PUBLISHED
    )
    numbers: set[int] = set(published.values_list("decision", flat=True))
    if 0 not in numbers:
        raise MissionsError(
            _("No plan of this shift is published yet."),
            next_step=_("publish its plan first; until then it can be drawn again as a whole."),
        )
    if len(numbers) - 1 >= policy.replans_max:
        raise MissionsError(
            _("This shift has had its %(replans_max)s decisions.") % {"replans_max": policy.replans_max},
            next_step=_(
                "add single missions on the shift map, or %(policy)s: raise “decisions during a shift”."
            )
            % {"policy": POLICY},
        )
    return max(numbers) + 1


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise MissionsError(_("A decision needs its reason."), next_step=_("write why in a few words."))
    if about := text_about_person(reason):
        raise MissionsError(
            _("The reason seems to hold %(about)s, which is never kept.") % {"about": about},
            next_step=_("write about the place only."),
        )


def _own_beats(agency: Agency, actor: User | None, beats: list[Beat] | None) -> list[int] | None:
    """The beats that the decision may draw in; None for all."""
    own = district_ids_of(agency, actor) if actor else frozenset()
    if beats is None:
        rows = Beat.objects.filter(agency=agency, district__in=own)
        return sorted(rows.values_list("pk", flat=True)) if own else None
    if not beats:
        raise MissionsError(
            _("No beat was named."), next_step=_("name at least one, or leave the choice to the forecast.")
        )
    for beat in beats:
        if beat.agency_id != agency.pk:
            raise MissionsError(
                _("This beat belongs to another agency."), next_step=_("choose one of your own beats.")
            )
        if own and beat.district_id not in own:
            raise MissionsError(
                _("%(beat)s lies outside your districts.") % {"beat": beat},
                next_step=_("name your own beats, or ask a supervisor of its district."),
            )
    return sorted(beat.pk for beat in beats)


def plan_dismiss(*, plan: MissionPlan, actor: User) -> None:
    """Put a decision's draft away: nobody is sent, and the next alert may ask again.

    Raises ``MissionsError`` for the shift's own plan, and for one that is no draft any more.
    """
    if plan.decision == 0:
        raise MissionsError(
            _("The shift's own plan is not dismissed."), next_step=_("draw it again instead.")
        )
    with transaction.atomic():
        rows = MissionPlan.objects.filter(pk=plan.pk, state=MissionPlan.State.DRAFT)
        if rows.update(state=MissionPlan.State.SUPERSEDED) != 1:
            raise MissionsError(
                _("This decision is no longer a draft."), next_step=_("reload the shift map.")
            )
        audit_record(agency=plan.agency, actor=actor, action="decision dismissed", subject=plan)
        boards_nudge(plan.agency_id)
    plan.refresh_from_db()


def gunfire_decision_run(*, agency_id: int) -> MissionPlan | None:
    """Draw the decision that a gunfire alert asks for, if the agency wants such. Leaves a draft, or nothing."""
    plan = gunfire_decide(agency=Agency.objects.get(pk=agency_id), now=timezone.now())
    return plan_missions(plan=plan, with_reasons=False) if plan else None


@transaction.atomic
def gunfire_decide(*, agency: Agency, now: dt.datetime) -> MissionPlan | None:
    """Queue one decision for the newest alert of the running shift, around it; None where nobody wants or needs one.

    While a decision's draft waits for somebody to publish or dismiss it, further alerts queue nothing, and no alert is
    answered twice. Two queries where the policy does not ask for it.
    """
    policy = active_policy(agency)
    if policy is None or not policy.replans_on_gunfire:
        return None
    # Locked: two workers that hear of one alert must not both answer it.
    PatrolPolicy.objects.select_for_update().get(pk=policy.pk)
    found = _running_shift(agency, now)
    plan = plan_for(agency, *found) if found else None
    if found is None or plan is None or plan.state != MissionPlan.State.PUBLISHED or plan.grid is None:
        return None
    shift, on = found
    decisions = MissionPlan.objects.filter(agency=agency, shift=shift, on=on, decision__gt=0).defer("design")
    undecided = decisions.filter(state=MissionPlan.State.DRAFT).exclude(status=RunStatus.FAILED)
    alert = (
        GunfireAlert.objects.filter(
            agency=agency, is_gunfire=True, occurred_from__gte=plan.period_from, occurred_from__lte=now
        )
        .order_by("-occurred_from", "-pk")
        .first()
    )
    if alert is None or undecided.exists():
        return None
    if any(row.config_snapshot.get("asked", {}).get("alert") == alert.pk for row in decisions):
        return None
    return _answer(agency, shift, on, policy, plan.grid, alert, now)


def _answer(
    agency: Agency,
    shift: Shift,
    on: dt.date,
    policy: PatrolPolicy,
    grid: Grid,
    alert: GunfireAlert,
    now: dt.datetime,
) -> MissionPlan | None:
    around = _beats_around(agency, grid, alert)
    if not around:
        return None
    try:
        plan = plan_decide(
            agency=agency,
            shift=shift,
            on=on,
            beats=around,
            missions=policy.replan_missions_max,
            reason=f"Gunfire alert in beat {around[0].code}.",
            trigger=MissionPlan.Trigger.GUNFIRE,
            actor=None,
            at=now,
        )
    except MissionsError as exc:
        logger.info("No decision after gunfire in agency %s. %s", agency.pk, exc)
        return None
    plan.config_snapshot["asked"]["alert"] = alert.pk
    plan.save(update_fields=["config_snapshot"])
    return plan


def _running_shift(agency: Agency, now: dt.datetime) -> tuple[Shift, dt.date] | None:
    try:
        shift, on = current_or_next_shift_instance(agency, now)
    except MissionsError:
        return None
    starts, _ends = shift_instance_of(agency, shift, on)
    return (shift, on) if starts <= now else None


def _beats_around(agency: Agency, grid: Grid, alert: GunfireAlert) -> list[Beat]:
    """The alert's beat, first, and those beside it; none where it lies in no beat."""
    spec, beat_of_cell = GridSpec.from_bytes(bytes(grid.spec)), cell_beats(grid)
    x_m, y_m = project(np.array([alert.lon]), np.array([alert.lat]), spec.epsg)
    cell = int(spec.locate(x_m, y_m)[0])
    beat = int(beat_of_cell[cell]) if cell >= 0 else -1
    if beat < 0:
        return []
    wanted = [beat, *neighbour_beats(spec.rows, spec.cols, beat_of_cell, beat)]
    rows = Beat.objects.filter(agency=agency, pk__in=wanted).defer("geometry").in_bulk()
    return [rows[pk] for pk in wanted if pk in rows]
