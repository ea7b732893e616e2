"""Reported incidents as a file, for analysts: what happened where and when, as the feeds tell it. Places, never persons."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import EXPORTS, Access, agency_page
from agencies.lookups import date_from_text
from agencies.models import Agency
from ingestion.selectors import incidents_between
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import NO_MODEL, About, csv_response

DEFAULT_DAYS = 28
COLUMNS = (
    "feed", "record", "crime_type", "code", "occurred_from", "occurred_to", "reported_at", "longitude", "latitude", "discovery",
    "time_precision", "place_precision_m",
)  # fmt: skip


def _asked(request: HttpRequest, agency: Agency) -> tuple[dt.date, dt.date]:
    """The local dates asked for, by default the last 28 full days. Raises ``MissionsError`` for dates that make no sense."""
    today = timezone.localdate(timezone=ZoneInfo(agency.time_zone))
    last = date_from_text(request.GET.get("to") or (today - dt.timedelta(days=1)).isoformat())
    first = date_from_text(
        request.GET.get("from") or (last - dt.timedelta(days=DEFAULT_DAYS - 1)).isoformat()
    )
    if last < first:
        raise MissionsError(_("The period ends before it starts."), next_step=_("swap “from” and “to”."))
    return first, last


@require_GET
@agency_page(EXPORTS)
def incidents_csv(request: HttpRequest, access: Access) -> HttpResponseBase:
    """Every incident of the dates asked for, streamed. One query."""
    try:
        first, last = _asked(request, access.agency)
    except MissionsError as exc:
        return HttpResponseBadRequest(str(exc), content_type="text/plain; charset=utf-8")
    return csv_response(
        f"{access.agency.slug}-incidents-{first}-{last}.csv",
        about=About(
            what=_("Reported incidents"),
            agency=access.agency.name,
            asked=_("Beginning %(first)s to %(last)s (local dates), all crime types")
            % {"first": first, "last": last},
            zone=access.agency.time_zone,
            model=NO_MODEL,
        ),
        columns=COLUMNS,
        rows=_values(access.agency, incidents_between(access.agency, first, last)),
    )


def _values(agency: Agency, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    zone = ZoneInfo(agency.time_zone)

    def local(instant: dt.datetime | None) -> str:
        return instant.astimezone(zone).isoformat(timespec="seconds") if instant else ""

    for feed, record, crime_type, code, begun, ended, reported, *rest, metres in rows:
        times = (local(begun), local(ended), local(reported))
        yield (feed, record, crime_type, code, *times, *rest, "" if metres is None else metres)
