"""Places that are visited whatever is drawn, and the early end of what people decided before a draw."""

import datetime as dt

from django.db import transaction
from django.utils import timezone

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, CrimeType, Shift, User
from agencies.services import audit_record
from missions_project.lib.errors import MissionsError
from patrols.models import Addition, Suppression
from patrols.services.overrides import _check_area, _check_district


@transaction.atomic
def addition_create(
    *,
    agency: Agency,
    geometry: dict[str, object],
    shift: Shift | None,
    crime_type: CrimeType,
    dose_minutes: int,
    tactic: str,
    reason: str,
    starts_at: dt.datetime,
    expires_at: dt.datetime,
    actor: User,
) -> Addition:
    """Have a place visited in every shift while this holds.

    Raises ``ValidationError`` for what makes no sense, ``MissionsError`` outside the person's districts.
    """
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
    _check_area(agency, actor, polygon_from_geojson(addition.geometry))
    addition.save()
    audit_record(
        agency=agency, actor=actor, action="area added", subject=reason, detail={"until": str(expires_at)}
    )
    return addition


@transaction.atomic
def addition_end(*, addition: Addition, actor: User) -> Addition:
    """End it now. Raises ``MissionsError`` outside the person's districts, or where it is over already."""
    _check_area(addition.agency, actor, polygon_from_geojson(addition.geometry))
    _end(addition)
    audit_record(agency=addition.agency, actor=actor, action="added area ended", subject=addition.reason)
    return addition


@transaction.atomic
def suppression_end(*, suppression: Suppression, actor: User) -> Suppression:
    """End it now. Raises ``MissionsError`` outside the person's districts, or where it is over already."""
    if suppression.beat is not None:
        _check_district(suppression.agency, actor, suppression.beat)
    else:
        _check_area(suppression.agency, actor, polygon_from_geojson(suppression.geometry))
    _end(suppression)
    audit_record(
        agency=suppression.agency, actor=actor, action="suppression ended", subject=suppression.reason
    )
    return suppression


def _end(row: Addition | Suppression) -> None:
    """Let it expire now. One that has not begun is over before it could hold: it must not end before it starts."""
    now = timezone.now()
    row.starts_at, row.expires_at = min(row.starts_at, now - dt.timedelta(seconds=1)), now
    won = (
        type(row)
        ._default_manager.filter(pk=row.pk, expires_at__gt=now)
        .update(starts_at=row.starts_at, expires_at=now)
    )
    if won != 1:
        raise MissionsError("This is over already.", next_step="read it again.")
