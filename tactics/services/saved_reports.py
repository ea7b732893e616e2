"""Keeping reports, and sending them by e-mail when their time has come."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from agencies.access import Access
from agencies.models import Agency, Membership, User
from missions_project.lib.deliveries import deliver
from missions_project.lib.errors import MissionsError
from missions_project.lib.mail import Button, Letter, Rows, Words, message_of, own_address
from missions_project.lib.outbox import claim, settle
from tactics.models import ReportMail, SavedReport
from tactics.reports.asked import Asked, asked_from, choices_of
from tactics.reports.files import XLSX, workbook
from tactics.reports.kinds import all_kinds, kept_names, report_made
from tactics.reports.seen import MAILED, personal_report_seen
from tactics.reports.shapes import Report

Sends = SavedReport.Sends
MOST_LATE = dt.timedelta(days=2)
"""A report whose time came while nothing ran is still sent within two days; an older one would only be noise."""


@transaction.atomic
def saved_report_set(
    *,
    agency: Agency,
    owner: User,
    name: str,
    kind: str,
    days: int,
    filters: Mapping[str, Sequence[str]],
    is_shared: bool,
    sends: str = Sends.NEVER,
    send_hour: int = 6,
    recipients: Sequence[Membership] = (),
    saved: SavedReport | None = None,
) -> SavedReport:
    """Keep a report under a name, or change the one given.

    Raises ``MissionsError`` for a name that the owner uses already, a report that does not exist, filters that name nothing
    here, and a recipient of another agency, without an e-mail address, or whose role may not see the report.
    """
    one = all_kinds().get(kind)
    if one is None:
        raise MissionsError(
            _("There is no report “%(kind)s”.") % {"kind": kind[:40]},
            next_step=_("choose one from the list of reports."),
        )
    chosen = {
        key: found for key in kept_names(one) if (found := [part for part in filters.get(key, []) if part])
    }
    asked = asked_from(
        chosen, choices_of(agency), today=dt.date(2026, 1, 1), days=max(days, 1), options=one.options
    )
    one.check(agency, asked)
    for person in recipients:
        _check_recipient(agency, person, kind)
    if sends != Sends.NEVER and not recipients:
        raise MissionsError(
            _("Nobody is chosen to get it."), next_step=_("choose at least one person, or “Not sent”.")
        )
    row = saved or SavedReport(agency=agency, owner=owner)
    row.name, row.kind, row.days, row.filters = name.strip(), kind, days, chosen
    row.is_shared, row.sends, row.send_hour, row.changed_at = is_shared, sends, send_hour, timezone.now()
    try:
        row.full_clean()
    except ValidationError as exc:
        raise MissionsError("; ".join(exc.messages), next_step=_("change it and save again.")) from exc
    row.save()
    row.recipients.set(recipients)
    return row


def saved_report_delete(*, saved: SavedReport) -> None:
    """Delete a saved report with what is still to be sent of it."""
    saved.delete()


def _check_recipient(agency: Agency, person: Membership, kind: str) -> None:
    if person.agency_id != agency.pk:
        raise MissionsError(
            _("A person of another agency is chosen."), next_step=_("choose people of your agency.")
        )
    if not all_kinds()[kind].may_see(Access(agency, person.user, person)):
        raise MissionsError(
            _("%(user)s may not see this report.") % {"user": person.user},
            next_step=_("leave them out, or have their role changed."),
        )
    if not person.user.email:
        raise MissionsError(
            _("%(user)s has no e-mail address.") % {"user": person.user},
            next_step=_("leave them out, or add one in Admin → People."),
        )


def due_on(saved: SavedReport, now: dt.datetime) -> dt.date | None:
    """Return the local date for which the report is due now or was lately; None where none is. No query.

    >>> due_on(SavedReport(agency=Agency(time_zone="UTC"), sends="weekly", changed_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)), dt.datetime(2026, 3, 3, tzinfo=dt.UTC))
    datetime.date(2026, 3, 2)
    """
    zone = ZoneInfo(saved.agency.time_zone)
    day = now.astimezone(zone).date()
    while now - dt.datetime.combine(day, dt.time(saved.send_hour), tzinfo=zone) <= MOST_LATE:
        starts = dt.datetime.combine(day, dt.time(saved.send_hour), tzinfo=zone)
        fits = {
            Sends.DAILY: True,
            Sends.WEEKLY: day.weekday() == 0,
            Sends.MONTHLY: day.day == 1,
        }.get(Sends(saved.sends), False)
        if fits and starts <= now and starts >= saved.changed_at:
            return day
        day -= dt.timedelta(days=1)
    return None


def report_mails_claim(*, now: dt.datetime) -> list[tuple[int, int]]:
    """Write the e-mails whose time has come, and return those to be sent, each with its try. Two queries where none is.

    The database's constraint decides: whoever calls this how often, each person gets each report once a day.
    """
    rows = (
        SavedReport.objects.exclude(sends=Sends.NEVER).select_related("agency").prefetch_related("recipients")
    )
    mails = [
        ReportMail(agency_id=saved.agency_id, saved=saved, membership=person, on=day, next_at=now)
        for saved in rows.defer("agency__boundary")
        if (day := due_on(saved, now)) is not None
        for person in saved.recipients.all()
    ]
    ReportMail.objects.bulk_create(mails, ignore_conflicts=True)
    return claim(ReportMail, now=now)


def report_mail_send(*, pk: int, attempt: int) -> bool:
    """Make and send one report; return whether it left. Does nothing where another worker has taken it since."""
    mine = ReportMail.objects.filter(pk=pk, state=ReportMail.State.WAITING, attempts=attempt)
    row = mine.select_related("agency", "saved__owner", "membership__user").first()
    if row is None:
        return False
    return settle(mine, attempt=attempt, error=deliver(lambda: _send(row)))


def asked_of(saved: SavedReport, today: dt.date) -> Asked:
    """Return what a saved report asks for on a day. Four queries."""
    query: dict[str, Any] = dict(saved.filters)
    options = all_kinds()[saved.kind].options
    return asked_from(query, choices_of(saved.agency), today=today, days=saved.days, options=options)


def _send(row: ReportMail) -> str | None:
    person = row.membership
    # What they may see may have changed since they were chosen.
    _check_recipient(row.agency, person, row.saved.kind)
    if not person.user.is_active:
        raise MissionsError(_("This person's account is closed."), next_step=_("take them off the list."))
    kind = all_kinds()[row.saved.kind]
    if off := kind.why_off(row.agency):
        return off
    # Each in their own language: a worker has none.
    with translation.override(person.user.language or settings.LANGUAGE_CODE):
        # Each gets what they may see, which is not always the same.
        whose = Access(row.agency, person.user, person)
        asked = kind.narrowed(asked_of(row.saved, row.on), whose)
        personal_report_seen(kind, asked, whose, action=MAILED)
        report = report_made(row.agency, kind, asked)
        message = message_of(report_letter(report, row.saved), [person.user.email])
        message.attach(report.file_name("", "xlsx"), workbook(report), XLSX)
    message.send()
    return None


def report_letter(report: Report, saved: SavedReport) -> Letter:
    """What the e-mail says: the sentence, the figures, where the page is, what the file is, and who can stop it."""
    page = own_address(reverse("tactics:report", args=[report.agency_slug, report.slug]))
    reports = own_address(reverse("tactics:reports", args=[report.agency_slug]))
    return Letter(
        subject=f"[{report.agency}] {saved.name}",
        sender=report.agency,
        heading=saved.name,
        pieces=[
            Words(report.sentence),
            Rows([(one.label, one.value, one.note) for one in report.figures]),
            Button(f"{page}?{report.asked.query}", _("Open the report")),
        ],
        foot=[
            *report.provenance,
            _("Sent because you are on its list: %(address)s") % {"address": reports},
            _("To get it no longer, ask %(owner)s, who keeps it.") % {"owner": saved.owner},
        ],
        stop=reports,
    )
