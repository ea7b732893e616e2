"""One notice on its way: the words of an e-mail, the signed body of a web-hook, and how long to wait after a failure."""

import hashlib
import hmac
import json
from contextlib import closing

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from missions_project.lib.errors import MissionsError
from missions_project.lib.http import Fetcher, FetchPolicy
from missions_project.lib.sealed import NOTICES, installation_keys, unseal
from patrols.models import NoticeDelivery

SECONDS = 10.0
"""A web-hook that needs longer than this to answer holds up everybody else's."""


def board_address(row: NoticeDelivery) -> str:
    """The full address of the shift map that the notice is about."""
    told = row.payload
    path = reverse("patrols:board", args=[told["agency"], told["on"], told["shift"]])
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}"


def deliver(row: NoticeDelivery) -> str:
    """Send the notice its way. Returns an empty text, or what went wrong in words, for the row."""
    try:
        if row.channel == NoticeDelivery.Channel.EMAIL:
            _send_email(row)
        else:
            _send_webhook(row)
    except MissionsError as exc:
        return str(exc)
    except OSError as exc:
        # smtplib's errors are OSErrors; their words may quote addresses.
        return f"The mail server did not take it ({type(exc).__name__}). Next step: check EMAIL_HOST and its settings."
    return ""


def subject(row: NoticeDelivery) -> str:
    told = row.payload
    words = {
        NoticeDelivery.Event.PUBLISHED: _("plan published"),
        NoticeDelivery.Event.CHANGED: _("plan changed"),
        NoticeDelivery.Event.FAILED: _("no plan"),
    }[NoticeDelivery.Event(row.event)]
    if told["decision"]:
        words = _("decision %(number)s: %(event)s") % {"number": told["decision"], "event": words}
    return f"[{told['agency_name']}] {told['shift_name']} {told['on']}: {words}"
    return f"[{told['agency_name']}] {told['shift_name']} {told['on']}: {words}"


def _send_email(row: NoticeDelivery) -> None:
    address = row.choice.membership.user.email
    if not (row.choice.by_email and address):
        raise MissionsError(_("This person takes no e-mail any more."), next_step=_("nothing."))
    # In the reader's language: a worker has none.
    with translation.override(row.choice.membership.user.language or settings.LANGUAGE_CODE):
        lines = [
            f"{subject(row)}.",
            "",
            *(f"- {line}" for line in row.payload["what"]),
            "",
            board_address(row),
            "",
        ]
        notices = reverse("patrols:notices", args=[row.payload["agency"]])
        lines.append(
            _("You chose to be told of this. Change it: %(address)s")
            % {"address": f"{settings.PUBLIC_URL.rstrip('/')}{notices}"}
        )
        # A subject of two lines is how a header is smuggled in.
        title = " ".join(subject(row).split())
    EmailMessage(title, "\n".join(lines), settings.DEFAULT_FROM_EMAIL, [address]).send()


def webhook_body(row: NoticeDelivery) -> bytes:
    """What a web-hook receives: the plan, shift and event, no person's name, no reason that somebody wrote."""
    return json.dumps(
        {"id": row.key, **row.payload, "board": board_address(row), "created_at": row.created_at.isoformat()},
        separators=(",", ":"),
    ).encode()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 of "timestamp.body" under the secret, in hex: with the time inside, an old notice cannot be sent again.

    >>> signature("s", "1", b"{}")[:12]
    'b253639bcd70'
    """
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _send_webhook(row: NoticeDelivery) -> None:
    choice = row.choice
    if not choice.webhook_url:
        raise MissionsError(_("This person has no web-hook any more."), next_step=_("nothing."))
    secret = unseal(choice.webhook_secret, installation_keys(), NOTICES).get("secret", "")
    body, timestamp = webhook_body(row), str(int(timezone.now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        "X-Missions-Delivery": row.key,
        "X-Missions-Event": row.event,
        "X-Missions-Timestamp": timestamp,
        "X-Missions-Signature": f"sha256={signature(secret, timestamp, body)}",
    }
    policy = FetchPolicy(
        private_hosts=settings.NOTICE_PRIVATE_HOSTS,
        private_setting="NOTICE_PRIVATE_HOSTS",
        max_seconds=SECONDS,
        connect_seconds=SECONDS / 2,
        read_seconds=SECONDS,
    )
    with closing(Fetcher(policy)) as fetcher:
        fetcher.post(choice.webhook_url, body=body, headers=headers)
