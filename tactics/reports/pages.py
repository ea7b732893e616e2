"""The pages of reports: the list, one report, its charts and its files."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET

from agencies.access import EVERYONE, Access, agency_page
from agencies.clocks import clock_text
from agencies.lookups import pk_from_text
from agencies.models import Agency
from missions_project.lib.errors import MissionsError
from tactics.models import SavedReport
from tactics.reports.asked import FILTERS, PERIODS, Asked, Choices, asked_from, choices_of, period_start
from tactics.reports.files import table_csv, workbook_response
from tactics.reports.kept import is_new, report_of
from tactics.reports.kinds import ReportKind, all_kinds
from tactics.reports.shapes import Report
from tactics.selectors import people_of, saved_reports_of


class ReportOff(Http404):
    """The agency has switched this report off; the message says so and what to do."""


def kinds_of(access: Access) -> list[ReportKind]:
    """Return the reports that this person has. One query."""
    return [one for one in all_kinds().values() if one.may_see(access) and not one.why_off(access.agency)]


def kind_of(access: Access, slug: str) -> ReportKind:
    """Return the report of this name; 404 where there is none or it is off, 403 where this person may not see it."""
    kind = all_kinds().get(slug)
    if kind is None:
        raise Http404(_("There is no such report."))
    if not kind.may_see(access):
        raise PermissionDenied(
            _("Your role in this agency does not include this report. Next step: ask its administrator.")
        )
    if off := kind.why_off(access.agency):
        raise ReportOff(off)
    return kind


def _asked(request: HttpRequest, agency: Agency, kind: ReportKind, choices: Choices) -> Asked:
    today = timezone.localdate(timezone=ZoneInfo(agency.time_zone))
    return asked_from(
        request.GET, choices, today=today, days=kind.days, longest=kind.longest, options=kind.options
    )


@dataclass(frozen=True)
class SavedLine:
    """A saved report as the list shows it: with the address of what it asks for today."""

    row: SavedReport
    title: str
    query: str
    is_mine: bool

    @property
    def sent_from(self) -> str:
        """The hour from which it is sent, as the agency reads clocks."""
        # A zero that leads is left out: "6:00" stands in a sentence here, in no column.
        return clock_text(dt.time(self.row.send_hour)).removeprefix("0")

    @property
    def looks_back(self) -> str:
        period = self.row.filters.get("period")
        return (
            PERIODS[period[0]]
            if period
            else ngettext("%(days)s day", "%(days)s days", self.row.days) % {"days": self.row.days}
        )


def is_mine(row: SavedReport, access: Access) -> bool:
    """Whether this person may change and delete it: their own, and for administrators also what is shared."""
    return row.owner_id == access.user.pk or (row.is_shared and access.may["configure"])


def my_saved(access: Access, text: str | int, **of: str) -> SavedReport:
    """Return the saved report of this key, with its recipients. Two queries. Raises ``Http404`` unless it ``is_mine``."""
    rows = SavedReport.objects.filter(agency=access.agency, **of).prefetch_related("recipients")
    row = rows.filter(pk=pk_from_text(str(text))).first()
    if row is None or not is_mine(row, access):
        raise Http404(_("There is no such report of yours."))
    return row


def saved_query(row: SavedReport, today: dt.date) -> str:
    """The address's query of what a saved report asks for on a day. No query of the database."""
    last = today - dt.timedelta(days=1)
    chosen: dict[str, Any] = {name: tuple(row.filters.get(name, [])) for name in FILTERS}
    period = row.filters.get("period")
    first = period_start(period[0], last) if period else last - dt.timedelta(days=row.days - 1)
    kind = all_kinds().get(row.kind)
    options = tuple((one.name, tuple(row.filters.get(one.name, []))) for one in kind.options) if kind else ()
    return Asked(first, last, **chosen, options=options).query


@require_GET
@agency_page(EVERYONE)
def reports(request: HttpRequest, access: Access) -> HttpResponse:
    """The reports that this person has, and those that were saved. Seven queries of its own at most."""
    kinds = {kind.slug: kind for kind in kinds_of(access)}
    if not kinds:
        raise PermissionDenied(
            _("Your role in this agency sees no report. Next step: ask its administrator.")
        )
    today = timezone.localdate(timezone=ZoneInfo(access.agency.time_zone))
    rows = [
        SavedLine(row, str(kinds[row.kind].title), saved_query(row, today), is_mine(row, access))
        for row in saved_reports_of(access.agency, access.user)
        if row.kind in kinds
    ]
    context: dict[str, Any] = {"tab": "reports", "kinds": kinds.values(), "saved": rows}
    context |= {"first": today - dt.timedelta(days=28), "last": today - dt.timedelta(days=1)}
    return render(request, "tactics/reports/list.html", context)


MOST_CHIPS = 8


class Chip(NamedTuple):
    """What a report is narrowed to, and the address's query without it."""

    label: str
    without: str


FILTER_TITLES = {
    "district": gettext_lazy("Districts"),
    "beat": gettext_lazy("Beats"),
    "shift": gettext_lazy("Shifts"),
    "type": gettext_lazy("Crime types"),
}


def _form(kind: ReportKind, choices: Choices, asked: Asked) -> dict[str, Any]:
    """What the form above a report offers, and what of it is chosen."""
    return {
        "periods": PERIODS.items(),
        "options": [(one, asked.chosen(one.name)) for one in kind.options],
        "filters": [
            (name, title, getattr(choices, name), getattr(asked, name))
            for name, title in FILTER_TITLES.items()
            if name in kind.filters
        ],
        "chips": [chip for name in kind.filters for chip in _chips(name, choices, asked)],
    }


def _chips(name: str, choices: Choices, asked: Asked) -> list[Chip]:
    """A filter's choices, each with the question that leaves it out; many of them as one."""
    chosen, labels = getattr(asked, name), dict(getattr(choices, name))
    if len(chosen) > MOST_CHIPS:
        title = f"{FILTER_TITLES[name]} · {len(chosen)}"
        return [Chip(title, asked.without(name, *chosen).query)]
    return [Chip(str(labels[code]), asked.without(name, code).query) for code in chosen]


@require_GET
@agency_page(EVERYONE)
def report(request: HttpRequest, access: Access, slug: str) -> HttpResponse:
    """One report: filters, figures, charts, tables. As a printed page the same without the frame."""
    try:
        kind = kind_of(access, slug)
    except ReportOff as off:
        context: dict[str, Any] = {"tab": "reports", "kind": all_kinds()[slug], "off": str(off)}
        return render(request, "tactics/reports/report.html", context, status=404)
    choices = choices_of(access.agency)
    context = {"tab": "reports", "kind": kind, "choices": choices, "status": 200}
    context |= {"may_export": kind.may_export(access), "may_save": access.may["see_plans"]}
    context |= {"people": people_of(access.agency, kind.roles), "sends": SavedReport.Sends.choices}
    context |= {"hours": [(hour, clock_text(dt.time(hour))) for hour in range(24)]}
    if request.GET.get("saved"):
        context["saved"] = my_saved(access, request.GET["saved"], kind=kind.slug)
    try:
        context["asked"] = _asked(request, access.agency, kind, choices)
        context |= _form(kind, choices, context["asked"])
        context["report"] = report_of(access.agency, kind, context["asked"], access, may_be_old=True)
        context["is_new"] = is_new(context["report"])
    except MissionsError as exc:
        context |= {"error": exc, "status": 400}
    return render(request, "tactics/reports/report.html", context, status=context["status"])


def _made(
    request: HttpRequest, access: Access, slug: str, *, may_be_old: bool = False
) -> tuple[ReportKind, Report] | HttpResponse:
    kind = kind_of(access, slug)
    try:
        asked = _asked(request, access.agency, kind, choices_of(access.agency))
        return kind, report_of(access.agency, kind, asked, access, may_be_old=may_be_old)
    except MissionsError as exc:
        return HttpResponseBadRequest(str(exc), content_type="text/plain; charset=utf-8")


@require_GET
@agency_page(EVERYONE)
def report_chart(request: HttpRequest, access: Access, slug: str, chart: str) -> HttpResponse:
    made = _made(request, access, slug, may_be_old=True)
    if isinstance(made, HttpResponse):
        return made
    drawn = made[0].chart(made[1], chart)
    if drawn is None:
        raise Http404(_("This report has no such chart."))
    return HttpResponse(drawn, content_type="image/svg+xml", headers={"Cache-Control": "private, max-age=60"})


def exported(request: HttpRequest, access: Access, slug: str) -> tuple[ReportKind, Report] | HttpResponse:
    """The report for a file; 403 for those who may look at it but take no file away."""
    if not kind_of(access, slug).may_export(access):
        raise PermissionDenied(_("Your role in this agency takes no files of this report."))
    return _made(request, access, slug)


@require_GET
@agency_page(EVERYONE)
def report_csv(request: HttpRequest, access: Access, slug: str) -> HttpResponseBase:
    made = exported(request, access, slug)
    if isinstance(made, HttpResponse):
        return made
    table = made[1].table(request.GET.get("table", ""))
    if table is None:
        raise Http404(_("This report has no such table."))
    return table_csv(made[1], table)


@require_GET
@agency_page(EVERYONE)
def report_xlsx(request: HttpRequest, access: Access, slug: str) -> HttpResponse:
    made = exported(request, access, slug)
    return made if isinstance(made, HttpResponse) else workbook_response(made[1])
