"""An agency's own keys for the API: made for no feed, shown once, revoked by name."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import Agency, User
from agencies.services import audit_last, audit_record
from ingestion.models import AgencyKey
from ingestion.services.tokens import MAX_DAYS
from missions_project.lib.errors import MissionsError

SCOPES = ("read", "patrols")


@transaction.atomic
def agency_key_create(
    *, agency: Agency, made_by: User, scope: str, name: str, days: int
) -> tuple[AgencyKey, str]:
    """Make a key for the agency and return it with its secret, which is stored nowhere and cannot be shown again.

    Raises ``MissionsError`` for a scope or a lifetime that does not exist. Two queries.
    """
    if scope not in SCOPES or not 1 <= days <= MAX_DAYS:
        raise MissionsError(
            _("Such a key cannot be made."),
            next_step=_("choose a scope (%(scopes)s) and 1 to %(max_days)s days.")
            % {"scopes": ", ".join(SCOPES), "max_days": MAX_DAYS},
        )
    key, secret = AgencyKey.objects.create(
        user=made_by, expiry=dt.timedelta(days=days), agency=agency, scope=scope, name=name[:60]
    )
    audit_record(
        agency=agency,
        actor=made_by,
        action="API key made",
        subject=f"{key.token_key}…",
        detail={"scope": scope, "name": name[:60], "days": days},
    )
    return key, secret


@transaction.atomic
@audit_last()
def agency_key_revoke(*, key: AgencyKey, actor: User) -> None:
    """Delete it; from this moment it is 401. Two queries."""
    audit_record(
        agency=key.agency,
        actor=actor,
        action="API key revoked",
        subject=f"{key.token_key}…",
        detail={"scope": key.scope, "name": key.name},
    )
    key.delete()
