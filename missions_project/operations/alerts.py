"""Alerts to the operator: written when trouble is first seen and when it is over, sent until they arrive or are given up."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.db import transaction
from django.db.models.functions import Lower
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from agencies.models import User
from missions_project.lib.deliveries import compact, deliver, post_signed
from missions_project.lib.mail import PRODUCT, Letter, Words, message_of
from missions_project.lib.outbox import claim, settle
from missions_project.lib.sentences import said_again
from missions_project.operations.models import Alert, AlertDelivery
from missions_project.operations.pulses import lease_hold, new_holder
from missions_project.operations.watch import Trouble, troubles

LOOK_EVERY = timedelta(minutes=5)
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
    # Kept in English, whatever the worker's language: each reader gets it said again in their own.
    with translation.override("en"):
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
    if row is None:
        return False
    send = {Channel.EMAIL: _send_email, Channel.WEBHOOK: _send_webhook}[Channel(row.channel)]
    return settle(mine, attempt=attempt, error=deliver(lambda: send(row)))


def _send_email(row: AlertDelivery) -> None:
    """One e-mail for each language that the operators read, through one connection: a server that is away gets none of them."""
    letters = []
    for language, addresses in _by_language(settings.OPERATOR_EMAILS).items():
        with translation.override(language):
            letters.append(message_of(_letter(row), addresses))
    get_connection().send_messages(letters)


def _by_language(addresses: Sequence[str]) -> dict[str, list[str]]:
    """Who reads what: a user of this installation the language of their choice, everybody else that of the installation. One query.

    Several users may have one address: an operator's choice counts before a member's, then the older account's.
    """
    wanted = {address.strip().lower() for address in addresses}
    users = User.objects.annotate(address=Lower("email")).filter(address__in=wanted, is_active=True)
    chosen = dict(users.order_by("is_superuser", "-pk").values_list("address", "language"))
    found: dict[str, list[str]] = {}
    for address in addresses:
        language = chosen.get(address.strip().lower()) or settings.LANGUAGE_CODE
        found.setdefault(language, []).append(address)
    return found


def _letter(row: AlertDelivery) -> Letter:
    """The alert in the language that is active: it is kept in English, as it was seen by the worker."""
    alert, over = row.alert, row.event == Event.OVER
    what = said_again(alert.what)
    title = _("Over: %(what)s") % {"what": what} if over else what
    end = (
        _("This is over since %(time)s UTC.") % {"time": date_format(alert.closed_at, "j M Y H:i")}
        if over and alert.closed_at
        else _("Next step: %(next_step)s") % {"next_step": said_again(alert.next_step)}
    )
    return Letter(
        subject=" ".join(f"[{PRODUCT}] {title}".split())[:200],
        sender=f"{PRODUCT}, {alert.agency_slug}" if alert.agency_slug else PRODUCT,
        heading=_("Over") if over else _("Trouble"),
        pieces=[Words(what), Words(end)],
        foot=[
            _(
                "Sent because this address is in OPERATOR_EMAILS of the installation. Take it out there to stop this."
            )
        ],
    )


def _send_webhook(row: AlertDelivery) -> None:
    alert = row.alert
    told: dict[str, Any] = {
        "id": alert.pk, "event": row.event, "kind": alert.kind, "key": alert.key, "agency": alert.agency_slug,
        "what": alert.what, "next_step": alert.next_step, "opened_at": alert.opened_at.isoformat(),
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
    }  # fmt: skip
    post_signed(
        settings.OPERATOR_WEBHOOK_URL,
        body=compact(told),
        event=f"alert.{row.event}",
        secret=settings.OPERATOR_WEBHOOK_SECRET or None,
    )
