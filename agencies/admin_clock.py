"""Times in the admin by the agency's clock: typed and shown as on its wall."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Habit:
    """How a page is read: in which zone, by which clock, in which units."""

    zone: dt.tzinfo = dt.UTC
    clock: str = "24"
    units: str = "metric"


def rendered_for(habit: Habit, page: Callable[[], HttpResponse]) -> HttpResponse:
    """The page as it is read so. Rendered here: later it would show, and its fields mean, another clock."""
    with timezone.override(habit.zone), reads_like(habit):
        response = page()
        if isinstance(response, TemplateResponse):
            response.render()
    return response


def common_habit(agencies: QuerySet[Agency]) -> Habit:
    """How these agencies read where they agree, in each of the three by itself. One query."""
    found = list(agencies.order_by().values_list("time_zone", "clock", "units").distinct())
    zones, clocks, units = ({row[at] for row in found} for at in range(3))
    return Habit(
        ZoneInfo(zones.pop()) if len(zones) == 1 else dt.UTC,
        clocks.pop() if len(clocks) == 1 else Habit.clock,
        units.pop() if len(units) == 1 else Habit.units,
    )


def habit_of(agency: Agency | None) -> Habit:
    """The agency's own; the plain one where a page is about no agency, or about none yet."""
    return Habit(ZoneInfo(agency.time_zone), agency.clock, agency.units) if agency else Habit()
