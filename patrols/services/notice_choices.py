"""What one person wants to be told about plans, and the secret that signs what their web-hook receives."""

import secrets
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, Membership
from agencies.services import audit_record
from missions_project.lib.addresses import hosts_of
from missions_project.lib.errors import MissionsError
from missions_project.lib.sealed import NOTICES, installation_keys, seal
from patrols.models import NoticeChoice


@transaction.atomic
def notice_choice_set(
    *,
    membership: Membership,
    when_published: bool,
    when_changed: bool,
    when_failed: bool,
    by_email: bool,
    webhook_url: str,
) -> tuple[NoticeChoice, str]:
    """Keep what a person wants to be told and how. Returns the choice, and a new web-hook's secret: to be shown once.

    Another address gets another secret: what signs for one server must not be known to the next. Raises ``MissionsError``
    for an address that is not https, or for e-mail without an address.
    """
    url = webhook_url.strip()
    _check_address(url, membership.agency)
    if by_email and not membership.user.email:
        raise MissionsError(
            _("Your account has no e-mail address."),
            next_step=_("ask your administrator to enter it (Admin → Users)."),
        )
    choice = NoticeChoice.objects.select_for_update().filter(membership=membership).first() or NoticeChoice(
        agency=membership.agency, membership=membership
    )
    moved = url != choice.webhook_url
    choice.when_published, choice.when_changed, choice.when_failed = when_published, when_changed, when_failed
    choice.by_email, choice.webhook_url, choice.changed_at = by_email, url, timezone.now()
    secret = _new_secret(choice) if moved and url else ""
    if not url:
        choice.webhook_secret = ""
    choice.full_clean()
    choice.save()
    _audit(choice, "notices chosen")
    return choice, secret


@transaction.atomic
def notice_secret_renew(*, choice: NoticeChoice) -> str:
    """Replace the web-hook's secret and return the new one: to be shown once. Raises ``MissionsError`` without a web-hook."""
    if not choice.webhook_url:
        raise MissionsError(_("There is no web-hook."), next_step=_("enter its address first."))
    secret = _new_secret(choice)
    choice.changed_at = timezone.now()
    choice.save(update_fields=["webhook_secret", "changed_at"])
    _audit(choice, "notice secret renewed")
    return secret


def _new_secret(choice: NoticeChoice) -> str:
    secret = secrets.token_urlsafe(32)
    choice.webhook_secret = seal({"secret": secret}, installation_keys(), NOTICES)
    return secret


def _check_address(url: str, agency: Agency) -> None:
    if not url:
        return
    try:
        parts = urlsplit(url)
        host, plain = parts.hostname or "", parts.scheme == "http"
    except ValueError:
        parts, host, plain = urlsplit(""), "", False
    if parts.username is not None or not host or not (parts.scheme == "https" or plain):
        raise MissionsError(
            _("This is no address of a web-hook."),
            next_step=_("enter one that begins with https://, without user and password."),
        )
    if plain and host not in hosts_of(settings.NOTICE_PRIVATE_HOSTS, agency.slug):
        raise MissionsError(
            _("A web-hook needs encryption."), next_step=_("enter an address that begins with https://.")
        )


def _audit(choice: NoticeChoice, action: str) -> None:
    audit_record(
        agency=choice.agency,
        actor=choice.membership.user,
        action=action,
        subject=choice,
        # The address may hold a token of the other server: only its host is kept.
        detail={"e-mail": choice.by_email, "web-hook": urlsplit(choice.webhook_url).hostname or ""},
    )
