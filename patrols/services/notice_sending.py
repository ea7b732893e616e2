"""One notice on its way: the words of an e-mail, the signed body of a web-hook, and how long to wait after a failure."""

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from missions_project.lib import deliveries
from missions_project.lib.errors import MissionsError
from missions_project.lib.mail import Button, Items, Letter, Words, message_of, own_address
from missions_project.lib.sealed import NOTICES, installation_keys, unseal
from missions_project.lib.sentences import said_again
from patrols.models import NoticeDelivery


def board_address(row: NoticeDelivery) -> str:
    """The full address of the shift map that the notice is about."""
    told = row.payload
    return own_address(reverse("patrols:board", args=[told["agency"], told["on"], told["shift"]]))


def deliver(row: NoticeDelivery) -> str:
    """Send the notice its way. Returns an empty text, or what went wrong in words, for the row."""
    by_mail = row.channel == NoticeDelivery.Channel.EMAIL
    return deliveries.deliver(lambda: _send_email(row) if by_mail else _send_webhook(row))


def heading(row: NoticeDelivery) -> str:
    """Which shift of which day, and what happened to its plan."""
    told = row.payload
    words = {
        NoticeDelivery.Event.PUBLISHED: _("plan published"),
        NoticeDelivery.Event.CHANGED: _("plan changed"),
        NoticeDelivery.Event.FAILED: _("no plan"),
    }[NoticeDelivery.Event(row.event)]
    if told["decision"]:
        words = _("decision %(number)s: %(event)s") % {"number": told["decision"], "event": words}
    return f"{told['shift_name']} {told['on']}: {words}"


def _send_email(row: NoticeDelivery) -> None:
    address = row.choice.membership.user.email
    if not (row.choice.by_email and address):
        raise MissionsError(_("This person takes no e-mail any more."), next_step=_("nothing."))
    # In the reader's language: a worker has none.
    with translation.override(row.choice.membership.user.language or settings.LANGUAGE_CODE):
        message_of(_letter(row), [address]).send()


def _letter(row: NoticeDelivery) -> Letter:
    told, title = row.payload, heading(row)
    notices = own_address(reverse("patrols:notices", args=[told["agency"]]))
    subject = f"[{told['agency_name']}] {title}"
    return Letter(
        subject=subject,
        sender=told["agency_name"],
        heading=title,
        pieces=[
            Words(f"{subject}."),
            Items([said_again(line) for line in told["what"]]),
            Button(board_address(row), _("Open the shift map")),
        ],
        foot=[_("You chose to be told of this. Change it: %(address)s") % {"address": notices}],
        stop=notices,
    )


def webhook_body(row: NoticeDelivery) -> bytes:
    """What a web-hook receives: the plan, shift and event, no person's name, no reason that somebody wrote."""
    return deliveries.compact(
        {"id": row.key, **row.payload, "board": board_address(row), "created_at": row.created_at.isoformat()}
    )


def _send_webhook(row: NoticeDelivery) -> None:
    choice = row.choice
    if not choice.webhook_url:
        raise MissionsError(_("This person has no web-hook any more."), next_step=_("nothing."))
    secret = unseal(choice.webhook_secret, installation_keys(), NOTICES).get("secret", "")
    deliveries.post_signed(
        choice.webhook_url,
        body=webhook_body(row),
        event=row.event,
        secret=secret,
        headers={"X-Missions-Delivery": row.key},
        agency=row.payload["agency"],
    )
