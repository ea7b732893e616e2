"""Shifts forecast and planned by themselves: whose turn it is, one worker for each, and another where that one was killed.

A ``ShiftPlanning`` row is the claim. Whoever inserts it has it (a unique constraint lets one do so), whoever sets it from
queued to running does it; a running one without a sign of life is queued again. The forecast and the plan that it makes
are run rows of their own, named in it as soon as they exist: a second try goes on with them instead of making others.
"""

import datetime as dt
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.engine.shift_clock import ShiftHours, shift_instance
from agencies.models import Shift
from forecasting.models import ForecastRun
from forecasting.selectors import approved_agencies, cells_by_agency
from forecasting.services import forecast_run, forecast_run_queue
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import HEARTBEAT_LOST_AFTER, MAX_ATTEMPTS, RunNotClaimed, RunStatus
from patrols.engine.due import Round, ShiftSchedule, rounds_due
from patrols.models import Mission, MissionPlan, PlanSchedule, ShiftPlanning
from patrols.selectors import schedule_of
from patrols.services.notices import planning_failed_record
from patrols.services.plans import plan_missions, plan_publish, plan_queue

logger = logging.getLogger(__name__)
State = ShiftPlanning.State
TRY_AGAIN_AFTER = dt.timedelta(minutes=15)
"""A round that failed is tried again after this, up to three times in all: somebody may have mended the setting."""
BEAT_EVERY = dt.timedelta(seconds=30)


class _Later(Exception):
    """Another worker is at this round's forecast or plan: look again when that one has fallen silent or is done."""


class _Lost(Exception):
    """This round was given to another worker meanwhile."""


def plannings_claim(*, now: dt.datetime) -> list[int]:
    """Claim the rounds that are due at an instant, take up those that were left, and return their ids for a worker.

    Earliest shift first, of those that start together the one with the most cells: begun last, it would hold up the end
    while the other workers are idle. However many schedulers ask at once, each round is claimed by one. Of rounds missed
    while no scheduler ran the newest one of each shift is claimed, as long as the shift is not over. Four queries where
    nothing is due.
    """
    due = _due(now)
    # A mark of our own: another scheduler that asks at the same instant must not take our claims for its own.
    mark = now.replace(microsecond=secrets.randbelow(1_000_000))
    known = _known(due, now) if due else set()
    new = [item for item in due if (item[0]["pk"], item[1].instance.on, item[1].number) not in known]
    cells = cells_by_agency() if len(new) > 1 else {}
    # Sorted by start already, and a sort keeps the order of what is equal to it.
    new.sort(key=lambda item: (item[1].instance.from_utc, -cells.get(item[0]["agency_id"], 0)))
    fresh = [
        ShiftPlanning(
            agency_id=shift["agency_id"], shift_id=shift["pk"], on=row.instance.on, round=row.number,
            due_at=row.due_at, claimed_at=mark,
        )
        for shift, row in new
    ]  # fmt: skip
    # Inserted first: a round that was left gives way to a later one.
    sent = _insert(fresh) if fresh else []
    return _left(now) + sent


def _due(now: dt.datetime) -> list[tuple[dict[str, Any], Round]]:
    """The shifts whose newest round is due, with it, earliest start first. Two queries.

    Shifts that are alike (hours, zone, schedule) are worked out once: eighteen thousand agencies have a few hundred kinds.
    """
    schedules: dict[tuple[int, int | None], PlanSchedule] = {
        (row.agency_id, row.shift_id): row for row in PlanSchedule.objects.all()
    }
    # An agency is planned by itself from its first approved model on: before, every shift would fail.
    shifts = Shift.objects.filter(agency__in=approved_agencies()).values(
        "pk", "agency_id", "starts_at", "duration_minutes", "weekdays", "agency__time_zone"
    )
    kinds: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for shift in shifts:
        schedule = schedule_of(schedules, shift["agency_id"], shift["pk"])
        if schedule.is_on:
            kind = (
                shift["agency__time_zone"], shift["starts_at"], shift["duration_minutes"], shift["weekdays"],
                schedule.lead_minutes, schedule.refresh_minutes,
            )  # fmt: skip
            kinds[kind].append(dict(shift))
    found = []
    for (zone, starts_at, minutes, weekdays, lead, refresh), rows in kinds.items():
        hours = ShiftHours("", starts_at, minutes, tuple(int(digit) for digit in weekdays))
        for due in rounds_due([ShiftSchedule(hours, lead, refresh)], now, zone):
            found += [(shift, due) for shift in rows]
    return sorted(found, key=lambda item: (item[1].instance.from_utc, item[0]["pk"]))


def _known(due: list[tuple[dict[str, Any], Round]], now: dt.datetime) -> set[tuple[int, dt.date, int]]:
    """The rounds among these that somebody has claimed already. One query."""
    rows = ShiftPlanning.objects.filter(due_at__gte=min(row.due_at for _, row in due), due_at__lte=now)
    return set(rows.values_list("shift_id", "on", "round"))


def _insert(fresh: list[ShiftPlanning]) -> list[int]:
    """Insert these claims, and return the ids of those that were ours to insert."""
    mark = fresh[0].claimed_at
    ShiftPlanning.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=500)
    times = [row.due_at for row in fresh]
    # By state and time, which are indexed: naming each row would take a minute with a country's shifts.
    rows = ShiftPlanning.objects.filter(
        state=State.QUEUED, due_at__gte=min(times), due_at__lte=max(times), claimed_at=mark
    )
    at = {
        (shift, on, number): pk for pk, shift, on, number in rows.values_list("pk", "shift_id", "on", "round")
    }
    return [at[key] for row in fresh if (key := (row.shift_id, row.on, row.round)) in at]


def _left(now: dt.datetime) -> list[int]:
    """Queue again the rounds whose worker was killed, whose message was lost, or that failed a while ago. One query for none."""
    # A sign of life from the future was given before the clock was put back, by who knows whom.
    silent = Q(claimed_at__lt=now - HEARTBEAT_LOST_AFTER) | Q(claimed_at__gt=now + HEARTBEAT_LOST_AFTER)
    again = Q(state=State.FAILED, finished_at__lt=now - TRY_AGAIN_AFTER, attempts__lt=MAX_ATTEMPTS)
    recent = Q(due_at__gt=now - dt.timedelta(days=3))
    later = ShiftPlanning.objects.filter(
        shift=OuterRef("shift"), on=OuterRef("on"), round__gt=OuterRef("round")
    )
    # While somebody plans, queued rounds may just wait their turn: sent again, they would fill the broker.
    busy = Exists(ShiftPlanning.objects.filter(~silent, state=State.RUNNING))
    lost = Q(silent, state=State.RUNNING) | (Q(silent, state=State.QUEUED) & ~busy)
    rows = (
        ShiftPlanning.objects.filter(recent, lost | again)
        .annotate(is_newest=~Exists(later))
        .select_related("agency", "shift")
    )
    found = []
    left = list(rows.defer("agency__boundary").order_by("due_at", "pk"))
    cells = cells_by_agency() if len(left) > 1 else {}
    for row in sorted(left, key=lambda row: (row.due_at, -cells.get(row.agency_id, 0))):
        same = ShiftPlanning.objects.filter(pk=row.pk, state=row.state, claimed_at=row.claimed_at)
        if row.state == State.RUNNING and row.attempts >= MAX_ATTEMPTS:
            _close(same, row, State.FAILED, f"The worker died {MAX_ATTEMPTS} times while planning this shift, most likely for "
                   "lack of memory. Next step: look at the worker's log, then press “Forecast and plan”.")  # fmt: skip
        elif _end(row) > now and row.is_newest:
            # Compare and swap: of two dispatchers one sends it.
            fresh = {"forecast_run": None, "plan": None} if row.state == State.FAILED else {}
            if same.update(state=State.QUEUED, claimed_at=now, **fresh) == 1:
                logger.warning("Planning of %s was left; sent again.", row)
                found.append(row.pk)
        elif row.state != State.FAILED:
            message = _left_alone(row) if row.is_newest else "A later round took its place."
            _close(
                same,
                row,
                State.DONE if message else State.FAILED,
                message or "The shift ended before a worker came to it. Next step: see that a worker runs.",
            )
    return found


def _end(row: ShiftPlanning) -> dt.datetime:
    return shift_instance(row.shift.starts_at, row.shift.duration_minutes, row.on, row.agency.time_zone)[1]


class _Claim:
    """One worker's hold on a round. Each sign of life compares with the one before: two workers never both hold it."""

    def __init__(self, row: ShiftPlanning, at: dt.datetime) -> None:
        self.row, self._at = row, at

    @classmethod
    def take(cls, pk: int) -> "_Claim | None":
        now = timezone.now()
        rows = ShiftPlanning.objects.filter(pk=pk, state=State.QUEUED)
        won = rows.update(
            state=State.RUNNING, attempts=F("attempts") + 1, claimed_at=now, message="", finished_at=None
        )
        if won != 1:
            return None
        return cls(ShiftPlanning.objects.select_related("agency", "shift").get(pk=pk), now)

    @property
    def rows(self) -> QuerySet[ShiftPlanning]:
        return ShiftPlanning.objects.filter(pk=self.row.pk, state=State.RUNNING, claimed_at=self._at)

    def keep(self, **fields: Any) -> None:
        """Write fields to the row as a sign of life, or learn that it is another worker's."""
        now = timezone.now()
        if self.rows.update(claimed_at=now, **fields) != 1:
            raise _Lost
        self._at = now
        for name, value in fields.items():
            setattr(self.row, name, value)

    def progress(self, done: int, total: int, label: str) -> None:
        """Show life now and then. Raises nothing: a forecast that is nearly done is of use to whoever took over."""
        now = timezone.now()
        if now - self._at > BEAT_EVERY and self.rows.update(claimed_at=now) == 1:
            self._at = now


def planning_run(*, pk: int) -> ShiftPlanning | None:
    """Forecast and plan the shift instance of a claimed round; return its row, or None where another worker has it.

    Leaves a draft plan, or the reason why there is none with the next step. Does nothing where a person was quicker: a
    published plan, or one drawn by hand since the round before, stays. Errors that nobody foresaw are raised again.
    """
    claim = _Claim.take(pk)
    if claim is None:
        return None
    try:
        message = _left_alone(claim.row) or _line(claim)
    except _Lost:
        return None
    except _Later:
        claim.rows.update(state=State.QUEUED, attempts=F("attempts") - 1)
    except MissionsError as exc:
        _close(claim.rows, claim.row, State.FAILED, str(exc))
    except Exception as exc:
        _close(
            claim.rows,
            claim.row,
            State.FAILED,
            f"{type(exc).__name__}. Next step: see the run's log, then plan again.",
        )
        raise
    else:
        _close(claim.rows, claim.row, State.DONE, message)
    claim.row.refresh_from_db()
    return claim.row


def _close(
    rows: QuerySet[ShiftPlanning], row: ShiftPlanning, state: ShiftPlanning.State, message: str
) -> None:
    with transaction.atomic():
        if (
            rows.update(state=state, message=message, finished_at=timezone.now()) == 1
            and state == State.FAILED
        ):
            planning_failed_record(planning=row, why=message)


def _left_alone(row: ShiftPlanning) -> str:
    """Why the round changes nothing, in words; empty where it is to be planned. Three queries."""
    plans = MissionPlan.objects.filter(agency=row.agency, shift=row.shift, on=row.on, decision=0).defer(
        "design"
    )
    if plans.filter(state=MissionPlan.State.PUBLISHED).exists():
        return "A plan is published already."
    drafts = plans.filter(state=MissionPlan.State.DRAFT).exclude(status=RunStatus.FAILED)
    newest = drafts.exclude(pk=row.plan_id).order_by("-queued_at").first()
    if newest is None:
        return ""
    if newest.trigger != MissionPlan.Trigger.SCHEDULE:
        return "A plan was drawn by hand; the schedule leaves it alone."
    if _is_changed_by_hand(newest):
        return "A person has changed the draft; the schedule leaves it alone."
    if row.round > 0 and newest.period_from <= timezone.now():
        return "The shift has begun with the plan of an earlier round."
    return ""


def _is_changed_by_hand(plan: MissionPlan) -> bool:
    """Whether somebody has added, withdrawn, moved or assigned a mission of the draft. One query."""
    changed = (
        # Boxes that were asked for before the draw come with every plan, and are certain.
        Q(source=Mission.Source.ADDED, probability=0.0)
        | Q(withdrawn_at__isnull=False)
        | Q(moved_at__isnull=False)
        | Q(assignment__assigned_by__isnull=False)
    )
    return Mission.objects.filter(changed, plan=plan).exists()


def _line(claim: _Claim) -> str:
    """Forecast, then draw; each a run row that the round names before it begins. Returns why nothing was drawn, if so."""
    row = claim.row
    if row.forecast_run is None:
        # One transaction: a run that no round names would be done by somebody, for nobody.
        with transaction.atomic():
            claim.keep(forecast_run=forecast_run_queue(agency=row.agency, shift=row.shift, on=row.on))
    run = row.forecast_run
    assert run is not None
    _finish(run, lambda: forecast_run(run=run, progress=claim.progress))
    if row.plan is None:
        # Once more: a forecast takes a while, and somebody may have drawn or published in the meantime.
        if message := _left_alone(row):
            return message
        with transaction.atomic():
            claim.keep(
                plan=plan_queue(
                    agency=row.agency,
                    shift=row.shift,
                    on=row.on,
                    trigger=MissionPlan.Trigger.SCHEDULE,
                    forecast=run,
                )
            )
    assert row.plan is not None
    plan = row.plan
    # The reasons are written by their own task: the supervisor need not wait for words.
    _finish(plan, lambda: plan_missions(plan=plan, progress=claim.progress, with_reasons=False))
    claim.keep()
    return ""


def _finish(run: ForecastRun | MissionPlan, execute: Any) -> None:
    """See that a run row is done: do it, or take it as done by the worker that was killed or by whoever took it up."""
    run.refresh_from_db()
    if run.status == RunStatus.QUEUED:
        try:
            execute()
        except RunNotClaimed:
            run.refresh_from_db()
        except Exception as exc:
            run.refresh_from_db()
            if run.status != RunStatus.QUEUED:
                raise
            # The machine's trouble, not the shift's: the run waits for another try, and the round with it.
            logger.warning("%s waits for another try: %s", run, type(exc).__name__)
    if run.status == RunStatus.FAILED:
        raise _failure(run.error)
    if run.status != RunStatus.SUCCEEDED:
        raise _Later


def _failure(error: str) -> MissionsError:
    message, _said, next_step = error.partition(" Next step: ")
    return MissionsError(message, next_step=next_step or _("plan the shift again."))


def plans_publish_due(*, now: dt.datetime) -> int:
    """Publish the drafts of running shifts whose schedule says so. Returns how many. One query where no schedule does."""
    rows = list(PlanSchedule.objects.filter(agency__in=_publishing_agencies()))
    if not rows:
        return 0
    schedules = {(row.agency_id, row.shift_id): row for row in rows}
    drafts = MissionPlan.objects.filter(
        agency__in={row.agency_id for row in rows},
        decision=0,
        state=MissionPlan.State.DRAFT,
        status=RunStatus.SUCCEEDED,
        period_from__lte=now,
        period_to__gt=now,
    ).select_related("agency", "shift")
    done = 0
    for plan in _newest_each(drafts.defer("design", "agency__boundary").order_by("-queued_at")):
        schedule = schedule_of(schedules, plan.agency_id, plan.shift_id)
        if schedule.publishes and schedule.is_on and not _is_published(plan):
            done += _publish(plan)
    return done


def _publishing_agencies() -> Any:
    return PlanSchedule.objects.filter(publishes=True, is_on=True).values("agency")


def _newest_each(plans: Iterable[MissionPlan]) -> list[MissionPlan]:
    found: dict[tuple[int, dt.date], MissionPlan] = {}
    for plan in plans:
        found.setdefault((plan.shift_id, plan.on), plan)
    return list(found.values())


def _is_published(plan: MissionPlan) -> bool:
    same = MissionPlan.objects.filter(agency=plan.agency_id, shift=plan.shift_id, on=plan.on, decision=0)
    return same.filter(state=MissionPlan.State.PUBLISHED).exists()


def _publish(plan: MissionPlan) -> int:
    try:
        plan_publish(plan=plan, actor=None)
    except MissionsError as exc:
        # A person, or another dispatcher, was quicker.
        logger.info("Plan %s was not published by itself. %s", plan.pk, exc)
        return 0
    return 1
