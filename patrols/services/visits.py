"""A unit's timer: it runs at one mission at a time, whoever or whatever presses the button."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from agencies.models import Unit, User
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement, Mission
from patrols.services.engagements import engagement_arrive, engagement_leave


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
    if unit.agency_id != mission.agency_id:
        raise MissionsError("This unit belongs to another agency.", next_step="choose one of your own units.")
    if mission.withdrawn_at is not None:
        raise MissionsError(
            f"Mission {mission.number} was withdrawn: {mission.withdrawn_reason}.",
            next_step="go to your next mission.",
        )
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
