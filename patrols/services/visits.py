"""A unit's timer: it runs at one mission at a time, whoever or whatever presses the button."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from agencies.models import Unit, User
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement, Mission
from patrols.services.engagements import engagement_arrive, engagement_leave, engagement_record
from patrols.services.live import boards_nudge
from patrols.services.presence import presence_recount


@dataclass(frozen=True)
class VisitStarted:
    """The visit whose timer runs now, and those that this arrival ended."""

    engagement: Engagement
    ended: tuple[Engagement, ...]


@transaction.atomic
def visit_start(*, mission: Mission, unit: Unit, officer: User | None, at: dt.datetime) -> VisitStarted:
    """Note that the unit has arrived; a visit of it that is still open elsewhere ends now, for it cannot be in two places.

    A second press finds the open visit. Raises ``MissionsError`` for a withdrawn mission or another agency's unit.
    """
    _check_open(mission, unit, at)
    # Two phones of one unit at once: without this lock both could find nothing open.
    Unit.objects.select_for_update().get(pk=unit.pk)
    elsewhere = list(
        Engagement.objects.filter(unit=unit, left_at__isnull=True)
        .exclude(mission=mission)
        .select_related("mission")
    )
    # A press that waited behind another one counts from its turn: else it would end a visit before it began.
    at = max([at, *(visit.arrived_at for visit in elsewhere)])
    ended = tuple(engagement_leave(engagement=visit, at=at) for visit in elsewhere)
    return VisitStarted(engagement_arrive(mission=mission, unit=unit, officer=officer, at=at), ended)


def visit_end(*, mission: Mission, unit: Unit, at: dt.datetime) -> Engagement | None:
    """Note that the unit has left. None when no timer runs there: a second press changes nothing."""
    visit = Engagement.objects.filter(mission=mission, unit=unit, left_at__isnull=True).first()
    return engagement_leave(engagement=visit, at=max(at, visit.arrived_at)) if visit else None


def _check_open(mission: Mission, unit: Unit, at: dt.datetime) -> None:
    if unit.agency_id != mission.agency_id:
        raise MissionsError(
            _("This unit belongs to another agency."), next_step=_("choose one of your own units.")
        )
    # Who was there before the withdrawal was there.
    if mission.withdrawn_at is not None and mission.withdrawn_at <= at:
        raise MissionsError(
            _("Mission %(mission_number)s was withdrawn: %(withdrawn_reason)s.")
            % {"mission_number": mission.number, "withdrawn_reason": mission.withdrawn_reason},
            next_step=_("go to your next mission."),
        )


@transaction.atomic
def visit_start_told_late(
    *,
    mission: Mission,
    unit: Unit,
    officer: User | None,
    at: dt.datetime,
    left_at: dt.datetime | None = None,
) -> VisitStarted:
    """Note an arrival that a phone tells of afterwards, in its place among the unit's other visits.

    ``left_at`` is when it left again, where that is known too. What the unit did later stays: this visit ends where the
    next one begins; one elsewhere that lasted beyond this arrival ends at it. Where a second phone of the unit pressed
    Arrived here afterwards and nobody left in between, it is the same visit and the earlier press counts. Raises
    ``MissionsError`` as ``visit_start`` does. With nothing later it is ``visit_start``.
    """
    _check_open(mission, unit, at)
    Unit.objects.select_for_update().get(pk=unit.pk)
    lasting = list(
        Engagement.objects.filter(Q(left_at__isnull=True) | Q(left_at__gt=at), unit=unit)
        .select_related("mission")
        .order_by("arrived_at", "pk")
    )
    before = [visit for visit in lasting if visit.arrived_at <= at]
    if (same := next((visit for visit in before if visit.mission_id == mission.pk), None)) is not None:
        return VisitStarted(same, ())
    ended = tuple(_end(visit, at) for visit in before)
    following = next((visit for visit in lasting if visit.arrived_at > at), None)
    if following is None:
        return VisitStarted(engagement_arrive(mission=mission, unit=unit, officer=officer, at=at), ended)
    if following.mission_id == mission.pk and (left_at is None or left_at >= following.arrived_at):
        Engagement.objects.filter(pk=following.pk).update(arrived_at=at)
        presence_recount(mission=mission)
        boards_nudge(mission.agency_id)
        following.refresh_from_db()
        return VisitStarted(following, ended)
    return VisitStarted(
        engagement_record(
            mission=mission,
            unit=unit,
            officer=officer,
            arrived_at=at,
            left_at=max(at, min(left_at or following.arrived_at, following.arrived_at)),
            source=Engagement.Source.TIMER,
        ),
        ended,
    )


@transaction.atomic
def visit_end_told_late(*, mission: Mission, unit: Unit, at: dt.datetime) -> Engagement | None:
    """Note a departure that a phone tells of afterwards: it ends the visit that had begun by then.

    Of two departures from one visit the earlier counts, whichever is told first. None where no visit had begun.
    """
    Unit.objects.select_for_update().get(pk=unit.pk)
    visit = (
        Engagement.objects.filter(mission=mission, unit=unit, arrived_at__lte=at)
        .order_by("-arrived_at")
        .first()
    )
    return _end(visit, at) if visit else None


def _end(visit: Engagement, at: dt.datetime) -> Engagement:
    rows = Engagement.objects.filter(Q(left_at__isnull=True) | Q(left_at__gt=at), pk=visit.pk)
    if rows.update(left_at=max(at, visit.arrived_at)):
        presence_recount(mission=visit.mission)
        boards_nudge(visit.agency_id)
        visit.refresh_from_db()
    return visit
