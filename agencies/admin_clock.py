"""Times in the admin by the agency's clock: typed and shown as on its wall."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from agencies.models import Agency


def local(instant: dt.datetime | None, agency: Agency) -> str:
    """An instant by the agency's clock."""
    return f"{instant.astimezone(ZoneInfo(agency.time_zone)):%Y-%m-%d %H:%M}" if instant else "–"


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
        with timezone.override(zone):
            response: HttpResponse = super().changeform_view(  # type: ignore[misc]  # a mixin
                request, object_id, form_url, extra_context
            )
            if isinstance(response, TemplateResponse):
                # Rendered here: outside the block the page would show and mean another clock.
                response.render()
        return response
