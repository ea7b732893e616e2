"""Sending one message on its way: an e-mail or a signed web-hook, and in words what went wrong."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from missions_project.lib.addresses import hosts_of
from missions_project.lib.errors import MissionsError
from missions_project.lib.http import Fetcher, FetchPolicy

SECONDS = 10.0
"""A web-hook that needs longer than this to answer holds up everybody else's."""


def deliver(send: Callable[[], str | None]) -> str:
    """Do what sends one message. Returns an empty text, or what went wrong in words, for the message's row.

    What ``send`` returns is why it sent nothing.

    >>> deliver(lambda: None), deliver(lambda: "The report is off.")
    ('', 'The report is off.')
    """
    try:
        return send() or ""
    except MissionsError as exc:
        return str(exc)
    except OSError as exc:
        # smtplib's errors are OSErrors; their words may quote addresses.
        return _(
            "The mail server did not take it (%(name)s). Next step: check EMAIL_HOST and its settings."
        ) % {"name": type(exc).__name__}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 of "timestamp.body" under the secret, in hex: with the time inside, an old message cannot be sent again.

    >>> signature("s", "1", b"{}")[:12]
    'b253639bcd70'
    """
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def compact(told: Mapping[str, Any]) -> bytes:
    """The body of a web-hook.

    >>> compact({"id": 1, "what": "plan"})
    b'{"id":1,"what":"plan"}'
    """
    return json.dumps(told, separators=(",", ":")).encode()


def post_signed(
    url: str,
    *,
    body: bytes,
    event: str,
    secret: str | None,
    headers: Mapping[str, str] | None = None,
    agency: str = "",
) -> None:
    """Post a web-hook's body once, signed unless the secret is None. Raises a ``MissionsError`` where it does not arrive.

    Ten seconds for all of it, to public addresses and those of ``NOTICE_PRIVATE_HOSTS`` only, of all and of the agency of this slug.
    """
    timestamp = str(int(timezone.now().timestamp()))
    sent = {
        "Content-Type": "application/json",
        "X-Missions-Event": event,
        "X-Missions-Timestamp": timestamp,
        **(headers or {}),
    }
    if secret is not None:
        sent["X-Missions-Signature"] = f"sha256={signature(secret, timestamp, body)}"
    policy = FetchPolicy(
        private_hosts=hosts_of(settings.NOTICE_PRIVATE_HOSTS, agency),
        private_setting="NOTICE_PRIVATE_HOSTS",
        max_seconds=SECONDS,
        connect_seconds=SECONDS / 2,
        read_seconds=SECONDS,
    )
    with closing(Fetcher(policy)) as fetcher:
        fetcher.post(url, body=body, headers=sent)
