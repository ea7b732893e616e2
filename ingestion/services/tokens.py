"""Machines' keys: made for one feed, shown once, changed for a new one, revoked by name."""

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import User
from agencies.services import audit_last, audit_record
from ingestion.models import ApiToken, Feed
from missions_project.lib.errors import MissionsError

SCOPES = ("push", "read")
MAX_DAYS = 3_650
GRACE = dt.timedelta(days=3)
"""How long a key works on beside its successor: until its machine has been told the new one."""


@transaction.atomic
def token_create(*, feed: Feed, made_by: User, scope: str, name: str, days: int) -> tuple[ApiToken, str]:
    """Make a key for the feed and return it with its secret, which is stored nowhere and cannot be shown again.

    Raises ``MissionsError`` for a scope or a lifetime that does not exist. Two queries.
    """
    if scope not in SCOPES or not 1 <= days <= MAX_DAYS:
        raise MissionsError(
            _("Such a key cannot be made."),
            next_step=_("choose a scope (%(scopes)s) and 1 to %(max_days)s days.")
            % {"scopes": ", ".join(SCOPES), "max_days": MAX_DAYS},
        )
    token, secret = ApiToken.objects.create(
        user=made_by,
        expiry=dt.timedelta(days=days),
        agency=feed.agency,
        feed=feed,
        scope=scope,
        name=name[:60],
    )
    audit_record(
        agency=feed.agency,
        actor=made_by,
        action="API token made",
        subject=f"{feed.slug}: {token.token_key}…",
        detail={"scope": scope, "name": name[:60], "days": days},
    )
    return token, secret


@transaction.atomic
@audit_last()
def token_revoke(*, feed: Feed, token_key: str, actor: User) -> int:
    """Delete the feed's keys that begin so; from this moment they are 401. Returns how many. Three queries."""
    found = list(ApiToken.objects.filter(feed=feed, token_key=token_key))
    for token in found:
        token.delete()
        audit_record(
            agency=feed.agency, actor=actor, action="API token revoked", subject=f"{feed.slug}: {token_key}…"
        )
    return len(found)


@transaction.atomic
def token_rotate(*, token: ApiToken, actor: User) -> tuple[ApiToken, str]:
    """Make a key's successor, for the same and for as long, and return it with its secret; the old key ends after ``GRACE`` at the latest.

    The successor is the actor's: a key whose maker has left is refused, and goes on so. Raises ``MissionsError`` for a key
    that is over. Four queries, a feed's key or an agency's.
    """
    now = timezone.now()
    old = ApiToken.objects.select_for_update(of=("self",)).select_related("feed", "agency").get(pk=token.pk)
    if old.expiry is not None and old.expiry <= now:
        raise MissionsError(
            _("This key is over: nothing uses it any more."), next_step=_("make a new key instead.")
        )
    lasts = max(old.expiry - old.created, dt.timedelta(days=1)) if old.expiry else None
    new, secret = ApiToken.objects.create(
        user=actor, expiry=lasts, agency=old.agency, feed=old.feed, scope=old.scope, name=old.name
    )
    old.expiry = min(old.expiry or now + GRACE, now + GRACE)
    old.save(update_fields=["expiry"])
    whose = f"{old.feed.slug}: " if old.feed else ""
    audit_record(
        agency=old.agency,
        actor=actor,
        action="API token rotated" if old.feed else "API key rotated",
        subject=f"{whose}{old.token_key}… → {new.token_key}…",
        detail={"scope": old.scope, "name": old.name, "old_until": old.expiry.isoformat()},
    )
    return new, secret
