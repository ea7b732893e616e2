"""The audit log as administrators and auditors read it and take it away."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import READS_AUDIT, Access, agency_page
from agencies.audit_words import action_words, subject_words
from agencies.history import changes_of
from agencies.lookups import date_from_text
from agencies.models import Agency, AuditEvent
from agencies.services.audit_log import COLUMNS, audit_about, audit_head, audit_lines, audit_rows, audit_table
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import About, csv_response, in_blocks

PAGE_ROWS = 50
MOST_TEXT = 200
_Page = Callable[[HttpRequest, Access], HttpResponseBase]


@dataclass(frozen=True)
class Question:
    """What somebody wants to see of an agency's log. Days are the agency's; an empty text asks for all."""

    first: dt.date | None
    last: dt.date | None
    who: str
    action: str
    subject: str

    @property
    def is_whole(self) -> bool:
        """Whether no row between the first and the last is left out: only then each can be checked against the one before."""
        return not (self.who or self.action or self.subject)

    @property
    def query(self) -> str:
        """As it stands in an address."""
        told = {
            "from": self.first,
            "to": self.last,
            "who": self.who,
            "action": self.action,
            "subject": self.subject,
        }
        return urlencode({name: value for name, value in told.items() if value})

    def rows(self, agency: Agency, *, now: dt.datetime) -> QuerySet[AuditEvent]:
        """The rows up to now in the order in which they were written. One query at once, the rest lazily."""
        zone = ZoneInfo(agency.time_zone)
        since = dt.datetime.combine(self.first, dt.time(), zone) if self.first else None
        until = dt.datetime.combine(self.last + dt.timedelta(days=1), dt.time(), zone) if self.last else now
        rows = audit_rows(agency=agency, since=since, until=min(until, now))
        if self.who:
            rows = rows.filter(actor_name=self.who)
        if self.action:
            rows = rows.filter(action=self.action)
        return rows.filter(subject__icontains=self.subject) if self.subject else rows

    def words(self) -> str:
        """What was asked for, for the head of a file."""
        told = [
            _("Days from %(first)s to %(last)s (local dates)")
            % {"first": self.first or _("the first"), "last": self.last or _("now")}
        ]
        if self.who:
            told.append(_("done by %(who)s") % {"who": self.who})
        if self.action:
            told.append(_("what was done: %(action)s") % {"action": action_words(self.action)})
        if self.subject:
            told.append(_("about “%(subject)s”") % {"subject": self.subject})
        return "; ".join(told)


def _text(request: HttpRequest, name: str) -> str:
    # No database text holds a NUL: PostgreSQL would refuse the query.
    return request.GET.get(name, "").replace("\x00", "").strip()[:MOST_TEXT]


def question_of(request: HttpRequest) -> Question:
    """Read the question. Raises ``MissionsError`` for days that make no sense."""
    first, last = (date_from_text(day) if (day := _text(request, name)) else None for name in ("from", "to"))
    if first and last and last < first:
        raise MissionsError(_("The period ends before it starts."), next_step=_("swap “from” and “to”."))
    return Question(first, last, _text(request, "who"), _text(request, "action"), _text(request, "subject"))


@require_GET
@agency_page(READS_AUDIT)
def audit_log(request: HttpRequest, access: Access) -> HttpResponse:
    """Who did what, newest first, fifty a page, by person, deed, subject and days. Seven queries."""
    everything, error = audit_rows(agency=access.agency).order_by(), None
    try:
        question = question_of(request)
    except MissionsError as exc:
        question, error = Question(None, None, "", "", ""), exc
    rows = question.rows(access.agency, now=timezone.now()).order_by("-sequence")
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    context = {
        "access": access, "tab": "audit", "question": question, "error": error, "page": page,
        "events": [(event, subject_words(event.action, event.subject), changes_of(event)) for event in page],
        "people": everything.exclude(actor_name="").values_list("actor_name", flat=True).distinct().order_by("actor_name"),
        "actions": [(name, action_words(name)) for name in everything.values_list("action", flat=True).distinct().order_by("action")],
    }  # fmt: skip
    return render(request, "agencies/audit_log.html", context, status=400 if error else 200)


def _about(access: Access, question: Question) -> About:
    return audit_about(
        agency=access.agency, asked=question.words(), taken_by=access.user, is_whole=question.is_whole
    )


def _name(access: Access, question: Question, ending: str) -> str:
    days = f"{question.first or 'first'}-{question.last or 'now'}"
    return f"{access.agency.slug}-audit-log-{days}.{ending}"


def _download(answer: Callable[[Access, Question, About, QuerySet[AuditEvent]], HttpResponseBase]) -> _Page:
    """A page that hands out the rows asked for: reads the question once for every kind of file; days that make no sense are 400."""

    @wraps(answer)
    def page(request: HttpRequest, access: Access) -> HttpResponseBase:
        try:
            question = question_of(request)
        except MissionsError as exc:
            return HttpResponseBadRequest(str(exc), content_type="text/plain; charset=utf-8")
        rows = question.rows(access.agency, now=timezone.now())
        return answer(access, question, _about(access, question), rows)

    return page


@require_GET
@agency_page(READS_AUDIT)
@_download
def audit_log_csv(
    access: Access, question: Question, about: About, rows: QuerySet[AuditEvent]
) -> HttpResponseBase:
    """The rows asked for as a table, streamed, with their fingerprints. Texts that a spreadsheet would run are defused."""
    name = _name(access, question, "csv")
    return csv_response(name, about=about, columns=COLUMNS, rows=audit_table(rows))


@require_GET
@agency_page(READS_AUDIT)
@_download
def audit_log_lines(
    access: Access, question: Question, about: About, rows: QuerySet[AuditEvent]
) -> HttpResponseBase:
    """The rows asked for as JSON lines, streamed, with all that their fingerprints are taken of: for tools/verify_audit_export.py."""
    head = audit_head(agency=access.agency, about=about, is_whole=question.is_whole)
    return StreamingHttpResponse(
        in_blocks(chain([head], audit_lines(rows))),
        content_type="application/x-ndjson; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{_name(access, question, "jsonl")}"'},
    )
