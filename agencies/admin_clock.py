"""Times in the admin by the agency's clock: typed and shown as on its wall."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from agencies.models import Agency


def local(instant: dt.datetime | None, agency: Agency) -> str:
    """An instant by the agency's clock."""
    return f"{instant.astimezone(ZoneInfo(agency.time_zone)):%Y-%m-%d %H:%M}" if instant else "–"


def rendered_by_clock(zone: dt.tzinfo, page: Callable[[], HttpResponse]) -> HttpResponse:
    """The page with its times in this zone. Rendered here: later it would show, and its fields mean, another clock."""
    with timezone.override(zone):
        response = page()
        if isinstance(response, TemplateResponse):
            response.render()
    return response


def common_zone(agencies: QuerySet[Agency]) -> dt.tzinfo:
    """The zone of these agencies where it is one, else UTC. One query."""
    names = list(agencies.order_by().values_list("time_zone", flat=True).distinct()[:2])
    return ZoneInfo(names[0]) if len(names) == 1 else dt.UTC


class AgencyClockMixin:
    """Put before an ``AgencyScopedAdmin``: its page of one row speaks the time zone of the row's agency."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id) if object_id else None  # type: ignore[attr-defined]  # a mixin
        agency = row.agency if row else self.page_agency(request)  # type: ignore[attr-defined]  # a mixin
        zone = ZoneInfo(agency.time_zone) if agency else dt.UTC
        page = super().changeform_view  # type: ignore[misc]  # a mixin
        return rendered_by_clock(zone, lambda: page(request, object_id, form_url, extra_context))
