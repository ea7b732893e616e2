"""What the shift board reads besides plans and missions: units on duty, notes, standing changes, and its mark."""

import datetime as dt
import hashlib
from dataclasses import dataclass

from django.db.models import Count, Exists, FilteredRelation, Max, OuterRef, Q, Sum

from agencies.engine.shift_clock import ShiftHours, instances_between
from agencies.models import Agency, Shift, Unit
from forecasting.models import ForecastRun
from patrols.models import (
    Addition,
    Duty,
    Engagement,
    HandOverNote,
    Mission,
    MissionPlan,
    Suppression,
)

STEP_S = 300
"""A running shift's mark changes this often by itself: a mission can become missed without anybody writing anything."""


@dataclass(frozen=True)
class UnitOnDuty:
    """A unit in one shift instance: the beat that it works (None: a unit without one) and the boxes it can visit."""

    pk: int
    call_sign: str
    beat_id: int | None
    capacity: int


def units_on_duty(agency: Agency, shift: Shift, on: dt.date) -> list[UnitOnDuty]:
    """Return the units of this shift instance by call sign: by its duty roster, else by their standing duty. One query."""
    shifts = Unit.shifts.through.objects.filter(unit=OuterRef("pk"))
    rows = (
        Unit.objects.filter(agency=agency, is_active=True)
        .annotate(duty=FilteredRelation("duties", condition=Q(duties__shift=shift, duties__on=on)))
        .annotate(has_shifts=Exists(shifts), works_this=Exists(shifts.filter(shift=shift)))
        .order_by("call_sign")
        .values_list(
            "pk",
            "call_sign",
            "beat",
            "missions_per_shift",
            "has_shifts",
            "works_this",
            "duty__pk",
            "duty__beat",
            "duty__missions",
        )
    )
    found = []
    for pk, call_sign, beat, missions, has_shifts, works_this, duty, duty_beat, duty_missions in rows:
        if duty is not None:
            if duty_beat is not None:
                capacity = missions if duty_missions is None else duty_missions
                found.append(UnitOnDuty(pk, call_sign, duty_beat, capacity))
        elif works_this or not has_shifts:
            found.append(UnitOnDuty(pk, call_sign, beat, missions))
    return found


def shift_before(
    agency: Agency, rows: list[Shift], shift: Shift, on: dt.date
) -> tuple[Shift, dt.date] | None:
    """Return the shift instance that started last before this one; None where none did in the eight days before. No query."""
    hours = [ShiftHours(row.slug, row.starts_at, row.duration_minutes, row.weekday_numbers) for row in rows]
    day = dt.datetime.combine(on, dt.time(12), tzinfo=dt.UTC)
    around = instances_between(
        hours, day - dt.timedelta(days=9), day + dt.timedelta(days=2), agency.time_zone
    )
    own = next((one for one in around if one.slug == shift.slug and one.on == on), None)
    earlier = [one for one in around if own and one.from_utc < own.from_utc]
    if not earlier:
        return None
    return next(row for row in rows if row.slug == earlier[-1].slug), earlier[-1].on


def hand_over_notes(agency: Agency, shift: Shift, on: dt.date) -> list[HandOverNote]:
    """Return what this shift instance wrote down for the next one, in order. One query."""
    rows = HandOverNote.objects.filter(agency=agency, shift=shift, on=on)
    return list(rows.select_related("author").order_by("written_at", "pk"))


def suppressions_in(agency: Agency, period: tuple[dt.datetime, dt.datetime]) -> list[Suppression]:
    """Return the suppressions that hold at any time in the period, the newest first. One query."""
    rows = Suppression.objects.filter(agency=agency, starts_at__lt=period[1], expires_at__gt=period[0])
    return list(rows.select_related("beat", "author").defer("beat__geometry"))


def additions_in(agency: Agency, shift: Shift, period: tuple[dt.datetime, dt.datetime]) -> list[Addition]:
    """Return the additions to this shift that hold in the period or start at its end, the newest first. One query."""
    rows = Addition.objects.filter(agency=agency, starts_at__lte=period[1], expires_at__gt=period[0])
    return list(
        rows.filter(Q(shift=None) | Q(shift=shift)).select_related("crime_type", "author").order_by("-pk")
    )


def board_mark(agency_id: int, shift_slug: str, on: dt.date, *, now: dt.datetime) -> str:
    """Return a short mark that changes whenever the board of this shift instance does. Four small queries, five without a plan."""
    plans = list(
        MissionPlan.objects.filter(agency_id=agency_id, shift__slug=shift_slug, on=on)
        .exclude(state=MissionPlan.State.SUPERSEDED)
        .order_by("pk")
        .values_list("pk", "state", "status", "progress_done", "reasons_at", "period_from", "period_to")
    )
    keys = [plan[0] for plan in plans]
    missions = Mission.objects.filter(plan__in=keys).aggregate(
        n=Count("pk"),
        withdrawn=Count("withdrawn_at"),
        moved=Max("moved_at"),
        assigned=Count("assignment"),
        last_assigned=Max("assignment__assigned_at"),
        units=Sum("assignment__unit_id"),
    )
    visits = Engagement.objects.filter(mission__plan__in=keys).aggregate(
        n=Count("pk"), left=Count("left_at"), arrived=Max("arrived_at"), last=Max("left_at")
    )
    dated = {"agency_id": agency_id, "shift__slug": shift_slug, "on": on}
    duty = Duty.objects.filter(**dated).aggregate(n=Count("pk"), at=Max("changed_at"))
    parts: list[object] = [plans, sorted(missions.items()), sorted(visits.items()), sorted(duty.items())]
    if not plans:
        runs = ForecastRun.objects.filter(**dated).order_by("-queued_at")
        parts.append(runs.values_list("pk", "status", "progress_done").first())
    elif plans[0][5] <= now < plans[0][6]:
        parts.append(int(now.timestamp()) // STEP_S)
    else:
        parts.append(now >= plans[0][6])
    return _mark(parts)


def notes_mark(agency_id: int, on: dt.date, *, now: dt.datetime) -> str:
    """Return a short mark that changes with the notes around a date and with what is suppressed or added. Five queries."""
    notes = HandOverNote.objects.filter(agency_id=agency_id, on__gte=on - dt.timedelta(days=8), on__lte=on)
    parts: list[object] = [notes.count()]
    for model in (Suppression, Addition):
        rows = model.objects.filter(agency_id=agency_id)
        parts.append(sorted(rows.aggregate(n=Count("pk"), last=Max("pk")).items()))
        # How many still hold as well: one that is ended early is no newer and not fewer.
        parts.append(rows.filter(expires_at__gt=now).count())
    return _mark(parts)


def _mark(parts: list[object]) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
