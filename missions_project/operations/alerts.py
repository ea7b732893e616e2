"""Alerts to the operator: written when trouble is first seen and when it is over, sent until they arrive or are given up."""

import json
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from missions_project.lib.errors import MissionsError
from missions_project.lib.http import Fetcher, FetchPolicy
from missions_project.lib.outbox import claim, settle
from missions_project.operations.models import Alert, AlertDelivery
from missions_project.operations.pulses import lease_hold, new_holder
from missions_project.operations.watch import Trouble, troubles
from patrols.services.notice_sending import signature

LOOK_EVERY = timedelta(minutes=5)
SECONDS = 10.0
Channel, Event = AlertDelivery.Channel, AlertDelivery.Event


def channels() -> list[AlertDelivery.Channel]:
    """The ways on which the operator wants to be told."""
    found = [Channel.EMAIL] if settings.OPERATOR_EMAILS else []
    return [*found, Channel.WEBHOOK] if settings.OPERATOR_WEBHOOK_URL else found


def alerts_look_due(*, now: datetime) -> bool:
    """Whether it is time to look again, five minutes after the last look. One query, none where nobody is to be told."""
    return bool(channels()) and lease_hold(name="alerts", holder=new_holder(), now=now, lease=LOOK_EVERY)


def alerts_update(*, now: datetime) -> tuple[int, int]:
    """Open an alert for each new trouble, close those that are over; return how many of each. Told once, however long it lasts."""
    found = {trouble.key: trouble for trouble in troubles(now=now)}
    opened = Alert.objects.filter(closed_at=None).in_bulk(field_name="pk")
    known = {alert.key for alert in opened.values()}
    over = [alert for alert in opened.values() if alert.key not in found]
    fresh = [trouble for key, trouble in found.items() if key not in known]
    for trouble in fresh:
        _open(trouble, now)
    for alert in over:
        _close(alert, now)
    return len(fresh), len(over)


@transaction.atomic
def _open(trouble: Trouble, now: datetime) -> None:
    # The constraint decides: of two workers that see the same trouble, one writes it.
    Alert.objects.bulk_create(
        [
            Alert(
                kind=trouble.kind,
                key=trouble.key[:120],
                agency_slug=trouble.agency,
                what=trouble.what,
                next_step=trouble.next_step,
                opened_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    alert = Alert.objects.get(key=trouble.key[:120], closed_at=None)
    _tell(alert, Event.RAISED, now)


@transaction.atomic
def _close(alert: Alert, now: datetime) -> None:
    if Alert.objects.filter(pk=alert.pk, closed_at=None).update(closed_at=now) == 1:
        _tell(alert, Event.OVER, now)


def _tell(alert: Alert, event: AlertDelivery.Event, now: datetime) -> None:
    rows = [AlertDelivery(alert=alert, event=event, channel=channel, next_at=now) for channel in channels()]
    AlertDelivery.objects.bulk_create(rows, ignore_conflicts=True)


def alerts_claim(*, now: datetime) -> list[tuple[int, int]]:
    """Take the deliveries whose time has come, each with the number of its try. One query where none is due."""
    return claim(AlertDelivery, now=now)


def alert_send(*, pk: int, attempt: int) -> bool:
    """Send one; return whether it arrived. Does nothing where another worker has taken it since."""
    mine = AlertDelivery.objects.filter(pk=pk, state=AlertDelivery.State.WAITING, attempts=attempt)
    row = mine.select_related("alert").first()
    return row is not None and settle(mine, attempt=attempt, error=_deliver(row))


def _deliver(row: AlertDelivery) -> str:
    try:
        if row.channel == Channel.EMAIL:
            _send_email(row)
        else:
            _send_webhook(row)
    except MissionsError as exc:
        return str(exc)
    except OSError as exc:
        # smtplib's errors are OSErrors; their words may quote addresses.
        return f"The mail server did not take it ({type(exc).__name__}). Next step: check EMAIL_HOST and its settings."
    return ""


def _send_email(row: AlertDelivery) -> None:
    over = row.event == Event.OVER
    title = " ".join(f"[Missions] {'Over: ' if over else ''}{row.alert.what}".split())[:200]
    body = f"{row.alert.what}\n\n" + (
        f"This is over since {row.alert.closed_at:%Y-%m-%d %H:%M} UTC.\n"
        if over
        else f"Next step: {row.alert.next_step}\n"
    )
    EmailMessage(title, body, settings.DEFAULT_FROM_EMAIL, list(settings.OPERATOR_EMAILS)).send()


def _send_webhook(row: AlertDelivery) -> None:
    alert, timestamp = row.alert, str(int(timezone.now().timestamp()))
    told: dict[str, Any] = {
        "id": alert.pk, "event": row.event, "kind": alert.kind, "key": alert.key, "agency": alert.agency_slug,
        "what": alert.what, "next_step": alert.next_step, "opened_at": alert.opened_at.isoformat(),
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
    }  # fmt: skip
    body = json.dumps(told, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Missions-Event": f"alert.{row.event}",
        "X-Missions-Timestamp": timestamp,
    }
    if settings.OPERATOR_WEBHOOK_SECRET:
        signed = signature(settings.OPERATOR_WEBHOOK_SECRET, timestamp, body)
        headers["X-Missions-Signature"] = f"sha256={signed}"
    policy = FetchPolicy(
        private_hosts=settings.NOTICE_PRIVATE_HOSTS,
        private_setting="NOTICE_PRIVATE_HOSTS",
        max_seconds=SECONDS,
        connect_seconds=SECONDS / 2,
        read_seconds=SECONDS,
    )
    with closing(Fetcher(policy)) as fetcher:
        fetcher.post(settings.OPERATOR_WEBHOOK_URL, body=body, headers=headers)
