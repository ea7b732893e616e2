"""Rows of plans, missions and visits that a machine or a page lists a page at a time. All lazy; the agency comes first."""

import datetime as dt
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _

from agencies.models import Agency, Unit
from forecasting.models import Grid
from patrols.board import STATES, last_chance
from patrols.models import Addition, Duty, Engagement, Mission, MissionPlan, Suppression

_HEAVY_PLAN = ("plan__design", "plan__log", "plan__config_snapshot", "plan__counts")


def missions_listed(agency: Agency) -> QuerySet[Mission]:
    """Return the agency's missions with what is shown of them; two queries when read."""
    return (
        Mission.objects.filter(agency=agency)
        .select_related("beat__district", "crime_type", "assignment__unit", "plan__shift")
        .defer("beat__geometry", "beat__district__geometry", *_HEAVY_PLAN)
        .prefetch_related(
            Prefetch("engagements", queryset=Engagement.objects.select_related("unit").order_by("arrived_at"))
        )
    )


def missions_of_unit(missions: QuerySet[Mission], unit: Unit | None) -> QuerySet[Mission]:
    """Keep what an officer of the unit may see: missions of published plans that are its own, or that it visited."""
    if unit is None:
        return missions.none()
    visited = Engagement.objects.filter(mission=OuterRef("pk"), unit=unit)
    published = missions.filter(plan__state=MissionPlan.State.PUBLISHED)
    return published.filter(Q(assignment__unit=unit) | Exists(visited))


def missions_in_state(missions: QuerySet[Mission], state: str, now: dt.datetime) -> QuerySet[Mission]:
    """Keep the missions of which ``board.mission_state`` says this."""
    if state not in STATES:
        raise ValueError(_("There is no state %(state)s of a mission.") % {"state": f"{state!r}"})
    if state == "withdrawn":
        return missions.filter(withdrawn_at__isnull=False)
    rows = missions.filter(withdrawn_at__isnull=True)
    visits = Engagement.objects.filter(mission=OuterRef("pk"))
    is_open = Exists(visits.filter(left_at__isnull=True))
    if state == "under way":
        return rows.filter(is_open)
    if state == "done":
        return rows.filter(Exists(visits)).exclude(is_open)
    rows = rows.exclude(Exists(visits))
    # Of shifts that run, a mission is missed once its last visit is long over, which no column says: some hundred rows.
    running = rows.filter(plan__period_from__lte=now, plan__period_to__gt=now).select_related("plan")
    late = [row.pk for row in running.defer("why", *_HEAVY_PLAN) if now >= last_chance(row)]
    missed = Q(plan__period_to__lte=now) | Q(pk__in=late)
    if state == "missed":
        return rows.filter(missed)
    return rows.exclude(missed).filter(assignment__isnull=state == "planned")


def grids_of(missions: list[Mission]) -> dict[int, Grid]:
    """Return the grids of these missions' plans: once each, for a grid's cells are some hundred kilobytes. One query."""
    return Grid.objects.in_bulk({mission.plan.grid_id for mission in missions if mission.plan.grid_id})


def plans_listed(agency: Agency) -> QuerySet[MissionPlan]:
    """Return the agency's plans without their designs' bytes."""
    rows = MissionPlan.objects.filter(agency=agency).select_related("shift", "published_by", "requested_by")
    return rows.defer("design", "agency__boundary")


def engagements_listed(agency: Agency) -> QuerySet[Engagement]:
    """Return the agency's visits with unit and mission."""
    rows = Engagement.objects.filter(agency=agency).select_related("unit", "mission__plan__shift")
    return rows.defer(*(f"mission__{name}" for name in _HEAVY_PLAN))


def suppressions_listed(agency: Agency) -> QuerySet[Suppression]:
    """Return what is or was kept out of draws."""
    rows = Suppression.objects.filter(agency=agency).select_related("beat", "author", "agency")
    return rows.defer("beat__geometry", "agency__boundary")


def additions_listed(agency: Agency) -> QuerySet[Addition]:
    """Return the places that are or were visited whatever was drawn."""
    rows = Addition.objects.filter(agency=agency).select_related("shift", "crime_type", "author", "agency")
    return rows.defer("agency__boundary")


def duties_listed(agency: Agency) -> QuerySet[Duty]:
    """Return the duties that were set for dated shifts."""
    rows = Duty.objects.filter(agency=agency).select_related("unit", "shift", "beat", "author")
    return rows.defer("beat__geometry")


def holding(rows: QuerySet[Any], is_on: bool | None, now: dt.datetime) -> QuerySet[Any]:
    """Keep suppressions or additions that hold now, or those that do not; all for None."""
    if is_on is None:
        return rows
    now_on = Q(starts_at__lte=now, expires_at__gt=now)
    return rows.filter(now_on if is_on else ~now_on)
