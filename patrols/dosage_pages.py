"""The dosage page, its chart and its file."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import SEES_PLANS, Access, agency_page
from agencies.lookups import date_from_text
from agencies.models import Agency
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import About, csv_response
from patrols.dosage import SOURCE_LABELS, DosageReport, dosage_report
from patrols.dosage_chart import chart_size, dosage_svg
from patrols.dosage_tables import dose_tables, record_tables
from patrols.engine.reconcile import SOURCES
from patrols.selectors import models_behind

DEFAULT_DAYS = 28
LONGEST_DAYS = 731
COLUMNS = (
    "by", "name", "missions", "missions_with_record", "share_with_record", "recommended_minutes", "delivered_minutes",
    "share_delivered", *(f"{source}_minutes" for source in SOURCES),
    *(f"missions_with_{source}" for source in SOURCES), "minutes_outside_missions",
)  # fmt: skip
COMPLETENESS_COLUMNS = (
    "by", "name", "missions", "missions_with_record", "missions_without_record", "share_with_record",
    *(f"share_with_{source}" for source in SOURCES), *(f"missions_with_{source}" for source in SOURCES),
)  # fmt: skip


def _period(request: HttpRequest, agency: Agency) -> tuple[dt.date, dt.date]:
    """The dates asked for, by default the last four weeks. Raises ``MissionsError`` for dates that make no sense."""
    # The agency's today: by the server's clock, its evening would already be tomorrow.
    today = timezone.localdate(timezone=ZoneInfo(agency.time_zone))
    last = date_from_text(request.GET.get("to") or today.isoformat())
    first = date_from_text(request.GET.get("from") or (last - dt.timedelta(days=DEFAULT_DAYS)).isoformat())
    if last < first:
        raise MissionsError(_("The period ends before it starts."), next_step=_("swap “from” and “to”."))
    if (last - first).days > LONGEST_DAYS:
        raise MissionsError(_("That is more than two years."), next_step=_("choose a shorter period."))
    return first, last


def _page(
    request: HttpRequest,
    access: Access,
    template: str,
    tables: Callable[[DosageReport], list[tuple[str, SafeString]]],
    *,
    with_passive: bool,
) -> HttpResponse:
    """A page about the period asked for; where that makes no sense the page says so."""
    context: dict[str, Any] = {"tab": "reports", "source_labels": SOURCE_LABELS}
    status = 200
    try:
        period = _period(request, access.agency)
        context["report"] = report = dosage_report(access.agency, *period, with_passive=with_passive)
        context["tables"] = tables(report)
        context["chart_width"], context["chart_height"] = chart_size(report)
    except MissionsError as exc:
        context["error"], status = exc, 400
    return render(request, template, context, status=status)


def _file(
    request: HttpRequest, access: Access, made: Callable[[DosageReport], HttpResponseBase]
) -> HttpResponseBase:
    """A file about the period asked for, or in plain words what is wrong with that."""
    try:
        report = dosage_report(access.agency, *_period(request, access.agency))
    except MissionsError as exc:
        return HttpResponseBadRequest(str(exc), content_type="text/plain; charset=utf-8")
    return made(report)


def _csv(
    access: Access,
    report: DosageReport,
    name: str,
    about: tuple[str, str],
    columns: tuple[str, ...],
    rows: Iterator[tuple[Any, ...]],
) -> HttpResponseBase:
    """``about``: what the file holds, and what its figures are."""
    return csv_response(
        f"{access.agency.slug}-{name}-{report.first}-{report.last}.csv",
        about=About(
            what=about[0],
            agency=access.agency.name,
            asked=_("Ended shifts from %(first)s to %(last)s (local dates)")
            % {"first": report.first, "last": report.last},
            zone=access.agency.time_zone,
            model=models_behind(access.agency, report.first, report.last),
            more=(
                about[1],
                _("%(counted_shifts)s of %(ended_shifts)s shifts counted so far")
                % {"counted_shifts": report.counted_shifts, "ended_shifts": report.ended_shifts},
            ),
        ),
        columns=columns,
        rows=rows,
    )


@require_GET
@agency_page(SEES_PLANS)
def dosage(request: HttpRequest, access: Access) -> HttpResponse:
    """Recommended against delivered dose, and what share of missions has any record. Seven queries for the report."""
    return _page(request, access, "patrols/dosage.html", dose_tables, with_passive=True)


@require_GET
@agency_page(SEES_PLANS)
def dosage_chart(request: HttpRequest, access: Access) -> HttpResponseBase:
    """Hours of each beat as a picture, recommended and delivered. Eight queries."""

    def made(report: DosageReport) -> HttpResponse:
        return HttpResponse(
            dosage_svg(report),
            content_type="image/svg+xml",
            headers={"Cache-Control": "private, max-age=60"},
        )

    return _file(request, access, made)


@require_GET
@agency_page(SEES_PLANS)
def dosage_csv(request: HttpRequest, access: Access) -> HttpResponseBase:
    """The page's figures as a file. Six queries."""
    about = (_("Recommended and delivered dose"), _("Minutes are unit-minutes"))
    return _file(
        request,
        access,
        lambda report: _csv(access, report, "dosage", about, COLUMNS, _values(report)),
    )


@require_GET
@agency_page(SEES_PLANS)
def completeness(request: HttpRequest, access: Access) -> HttpResponse:
    """What share of missions has any record, by source: the first thing to know before doses are compared. Six queries."""
    return _page(request, access, "patrols/completeness.html", record_tables, with_passive=False)


@require_GET
@agency_page(SEES_PLANS)
def completeness_csv(request: HttpRequest, access: Access) -> HttpResponseBase:
    """The page's figures as a file. Six queries."""
    about = (_("Which missions have a record of a visit"), _("Withdrawn missions are left out"))
    return _file(
        request,
        access,
        lambda report: _csv(access, report, "completeness", about, COMPLETENESS_COLUMNS, _records(report)),
    )


def _records(report: DosageReport) -> Iterator[tuple[Any, ...]]:
    for by, lines in [(_("All"), [report.total]), *report.record_groups]:
        for line in lines:
            shares = [share for _, share in line.records_in_order]
            yield (
                by.lower().replace(" ", "_"), line.name, line.missions, line.recorded, line.missions - line.recorded,
                *("" if share is None else round(share, 1) for share in [line.share_recorded, *shares]),
                *(n for n, _ in line.records_in_order),
            )  # fmt: skip


def _values(report: DosageReport) -> Iterator[tuple[Any, ...]]:
    for by, lines in [(_("All"), [report.total]), *report.groups]:
        for line in lines:
            recorded, delivered = line.share_recorded, line.share_delivered
            yield (
                by.lower().replace(" ", "_"), line.name, line.missions, line.recorded,
                "" if recorded is None else round(recorded, 1), round(line.recommended, 1), round(line.delivered, 1),
                "" if delivered is None else round(delivered, 1), *(round(line.by_source[s], 1) for s in SOURCES),
                *(line.recorded_by_source[s] for s in SOURCES), "" if line.passive is None else round(line.passive, 1),
            )  # fmt: skip
