"""The Tactics page: catalogue, use, comparison."""

import datetime as dt
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import SEES_PLANS, Access, agency_page
from agencies.lookups import date_from_text
from missions_project.lib.errors import MissionsError
from tactics.tactics_page import tactics_report

DEFAULT_DAYS = 28
COMPARED_DAYS = 365
"""Unless somebody asks for other dates, four weeks are counted and a year is compared."""
LONGEST_DAYS = 1100


def _period(request: HttpRequest) -> tuple[dt.date, dt.date]:
    """The dates asked for, by default the last four weeks. Raises ``MissionsError`` for dates that make no sense."""
    today = timezone.localdate()
    last = date_from_text(request.GET.get("to") or today.isoformat())
    first = date_from_text(request.GET.get("from") or (last - dt.timedelta(days=DEFAULT_DAYS)).isoformat())
    if last < first:
        raise MissionsError(_("The period ends before it starts."), next_step=_("swap “from” and “to”."))
    if (last - first).days > LONGEST_DAYS:
        raise MissionsError(_("That is more than three years."), next_step=_("choose a shorter period."))
    return first, last


@require_GET
@agency_page(SEES_PLANS)
def catalogue(request: HttpRequest, access: Access) -> HttpResponse:
    """The tactics, their evidence, their use, and which was followed by fewer crimes."""
    context: dict[str, Any] = {"tab": "reports", "access": access}
    status = 200
    try:
        first, last = _period(request)
        since = None if request.GET.get("from") else last - dt.timedelta(days=COMPARED_DAYS)
        context["report"] = tactics_report(access.agency, first, last, now=timezone.now(), since=since)
    except MissionsError as exc:
        context["error"], status = exc, 400
    return render(request, "tactics/catalogue.html", context, status=status)
