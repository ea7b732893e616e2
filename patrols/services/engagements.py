"""What units did: arrivals and departures, whoever or whatever tells of them."""

import datetime as dt

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from agencies.models import Unit, User
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement, Mission
from patrols.services.live import boards_nudge
from patrols.services.presence import presence_recount


def engagement_record(
    *,
    mission: Mission,
    unit: Unit | None,
    officer: User | None,
    arrived_at: dt.datetime,
    left_at: dt.datetime | None,
    source: str,
) -> Engagement:
    """Store one visit. Raises ``ValidationError`` for a departure before the arrival or a second open visit."""
    engagement = Engagement(
        agency=mission.agency,
        mission=mission,
        unit=unit,
        officer=officer,
        arrived_at=arrived_at,
        left_at=left_at,
        source=source,
    )
    engagement.full_clean()
    engagement.save()
    presence_recount(mission=mission)
    boards_nudge(mission.agency_id)
    return engagement


def engagement_arrive(
    *, mission: Mission, unit: Unit | None, officer: User | None, at: dt.datetime
) -> Engagement:
    """Start the timer. A second press finds the open visit instead of starting another."""
    open_visit = Engagement.objects.filter(mission=mission, unit=unit, left_at__isnull=True)
    if (found := open_visit.first()) is not None:
        return found
    try:
        with transaction.atomic():
            return engagement_record(
                mission=mission,
                unit=unit,
                officer=officer,
                arrived_at=at,
                left_at=None,
                source=Engagement.Source.TIMER,
            )
    except (IntegrityError, ValidationError):
        # Two presses at once: the validation or the database let one of them win.
        if (found := open_visit.first()) is not None:
            return found
        raise


def engagement_leave(*, engagement: Engagement, at: dt.datetime) -> Engagement:
    """Stop the timer. A second press changes nothing. Raises ``MissionsError`` for a departure before the arrival."""
    if at < engagement.arrived_at:
        raise MissionsError(
            _("The departure lies before the arrival."), next_step=_("check the phone's clock.")
        )
    if Engagement.objects.filter(pk=engagement.pk, left_at__isnull=True).update(left_at=at):
        presence_recount(mission=engagement.mission)
    boards_nudge(engagement.agency_id)
    engagement.refresh_from_db()
    return engagement
