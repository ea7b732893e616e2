"""Places that people want visited in every shift for a while; and the end of such wishes before their time."""

import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, CrimeType, Shift, User
from agencies.services import audit_record
from missions_project.lib.errors import MissionsError
from patrols.models import Addition, Suppression
from patrols.services.asked_tactics import tactic_check
from patrols.services.live import boards_nudge
from patrols.services.overrides import check_area, check_district


def addition_create(
    *,
    agency: Agency,
    geometry: dict[str, Any],
    shift: Shift | None,
    crime_type: CrimeType,
    dose_minutes: int,
    tactic: str,
    reason: str,
    starts_at: dt.datetime,
    expires_at: dt.datetime,
    actor: User,
) -> Addition:
    """Have an area visited in each shift that is planned while this holds.

    Raises ``ValidationError`` for what makes no sense, ``MissionsError`` outside the person's districts and for a
    tactic that the agency does not have.
    """
    tactic_check(agency=agency, slug=tactic)
    addition = Addition(
        agency=agency,
        geometry=geometry,
        shift=shift,
        crime_type=crime_type,
        dose_minutes=dose_minutes,
        tactic=tactic,
        reason=reason,
        starts_at=starts_at,
        expires_at=expires_at,
        author=actor,
    )
    addition.full_clean()
    check_area(agency, actor, polygon_from_geojson(addition.geometry))
    addition.save()
    audit_record(
        agency=agency,
        actor=actor,
        action="addition made",
        subject=reason,
        detail={"addition": addition.pk, "until": str(expires_at)},
    )
    boards_nudge(agency.pk)
    return addition


def addition_end(*, addition: Addition, actor: User) -> None:
    """End an addition now. Plans drawn before keep what they drew. Raises ``MissionsError`` if it has ended already."""
    check_area(addition.agency, actor, polygon_from_geojson(addition.geometry))
    _end(addition, actor, "addition ended")


def suppression_end(*, suppression: Suppression, actor: User) -> None:
    """End a suppression now. Plans drawn before keep what they drew. Raises ``MissionsError`` if it has ended already."""
    if suppression.beat is not None:
        check_district(suppression.agency, actor, suppression.beat)
    else:
        check_area(suppression.agency, actor, polygon_from_geojson(suppression.geometry))
    _end(suppression, actor, "suppression ended")


def _end(row: Addition | Suppression, actor: User, action: str) -> None:
    """Let it expire now. One that has not begun is over before it could hold: it must not end before it starts."""
    now = timezone.now()
    row.starts_at, row.expires_at = min(row.starts_at, now - dt.timedelta(seconds=1)), now
    alive = type(row)._default_manager.filter(pk=row.pk, expires_at__gt=now)
    if alive.update(starts_at=row.starts_at, expires_at=now) != 1:
        raise MissionsError(_("This has ended already."), next_step=_("reload the page."))
    audit_record(agency=row.agency, actor=actor, action=action, subject=row.reason, detail={"row": row.pk})
    boards_nudge(row.agency_id)
