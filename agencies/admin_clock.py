"""Times in the admin by the agency's clock: typed and shown as on its wall."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.admin.widgets import AdminTimeWidget
from django.db.models import QuerySet
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format

from agencies.clocks import clock_text, format_for, reads_like
from agencies.models import Agency


def local(instant: dt.datetime | None, agency: Agency) -> str:
    """An instant by the agency's clock, as its pages write it: words, no hyphens at which a narrow column would break."""
    if instant is None:
        return "–"
    with reads_like(agency):
        return date_format(instant.astimezone(ZoneInfo(agency.time_zone)), format_for("j M Y H:i"))


def local_time(instant: dt.datetime, agency: Agency) -> str:
    """The time of day alone, by the agency's clock."""
    with reads_like(agency):
        return clock_text(instant.astimezone(ZoneInfo(agency.time_zone)))


class ShortTimeWidget(AdminTimeWidget):
    """A time of day without its seconds where they are none: "04:30", as people say when a shift starts."""

    def format_value(self, value: Any) -> str | None:
        text = super().format_value(value)
        return text[:-3] if text and text.count(":") == 2 and text.endswith(":00") else text


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


def zone_of(agency: Agency | None) -> dt.tzinfo:
    """The agency's own zone; UTC where a page is about no agency, or about none yet."""
    return ZoneInfo(agency.time_zone) if agency else dt.UTC
