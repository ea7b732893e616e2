"""What other hours of a shift would mean: the coming week, and how the day is covered."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies import previews
from agencies.clocks import clock_text, reads_like
from agencies.dashboards import Cell, Panel
from agencies.engine.shift_clock import ShiftHours, ShiftInstance, instances_between
from agencies.models import Agency, Shift

WEEK_MINUTES = 7 * 24 * 60
COMING = dt.timedelta(days=7)
DAYS = (
    gettext_lazy("Mon"),
    gettext_lazy("Tue"),
    gettext_lazy("Wed"),
    gettext_lazy("Thu"),
    gettext_lazy("Fri"),
    gettext_lazy("Sat"),
    gettext_lazy("Sun"),
)


def hours_of(shift: Shift) -> ShiftHours:
    """The shift as the clock knows it."""
    return ShiftHours(shift.slug, shift.starts_at, shift.duration_minutes, shift.weekday_numbers)


def shift_panels(agency: Agency, before: Shift | None, after: Shift) -> list[Panel]:
    """The coming week's instances as they are and as they would be; hours a week with no shift, or more than one. One query."""
    with reads_like(agency):
        return _panels(agency, before, after)


def _panels(agency: Agency, before: Shift | None, after: Shift) -> list[Panel]:
    now = dt.datetime.now(tz=dt.UTC)
    zone = ZoneInfo(agency.time_zone)
    was = {i.on: i for i in _coming(before, now, zone)} if before else {}
    new = {i.on: i for i in _coming(after, now, zone)}
    rows = []
    for on in sorted(set(was) | set(new)):
        here, there = _told(was.get(on), zone), _told(new.get(on), zone)
        tone = "" if here == there else "warn"
        rows.append([Cell(date_format(on, "D j M")), Cell(here), Cell(there, tone=tone)])
    others = list(Shift.objects.filter(agency=agency).exclude(pk=after.pk))
    return [
        Panel(
            _("The next seven days"),
            (_("Starts on"), _("Now"), _("With this form")),
            rows,
            _("It starts on no day of the coming week."),
            notes=(_("By the clock in %(time_zone)s.") % {"time_zone": agency.time_zone},),
        ),
        Panel(
            _("An ordinary week of all shifts"),
            ("", _("Now"), _("With this form")),
            _coverage_rows([*others, *([before] if before else [])], [*others, after]),
            "",
        ),
    ]


def _coming(shift: Shift, now: dt.datetime, zone: ZoneInfo) -> list[ShiftInstance]:
    return instances_between([hours_of(shift)], now, now + COMING, zone)


def _told(instance: ShiftInstance | None, zone: ZoneInfo) -> str:
    if instance is None:
        return "–"
    return f"{clock_text(instance.from_utc.astimezone(zone))}–{clock_text(instance.to_utc.astimezone(zone))}"


def week_cover(shifts: list[Shift]) -> npt.NDArray[np.int64]:
    """How many shifts run in each minute of an ordinary week that begins on Monday, int[10080]; Sunday's run on into Monday."""
    cover = np.zeros(WEEK_MINUTES, dtype=np.int64)
    for shift in shifts:
        for day in shift.weekday_numbers:
            first = day * 24 * 60 + shift.start_minute
            cover[(first + np.arange(shift.duration_minutes)) % WEEK_MINUTES] += 1
    return cover


def _coverage_rows(was: list[Shift], new: list[Shift]) -> list[list[Cell]]:
    before, after = week_cover(was), week_cover(new)
    rows = []
    for label, told in (
        (_("Hours without any shift"), lambda cover: _hours(cover == 0)),
        (_("Hours in more than one shift"), lambda cover: _hours(cover > 1)),
        (_("First gap"), lambda cover: _first(cover == 0)),
    ):
        here, there = told(before), told(after)
        rows.append([Cell(label), Cell(here), Cell(there, tone="" if here == there else "warn")])
    return rows


def _hours(minutes: npt.NDArray[np.bool_]) -> str:
    return f"{int(minutes.sum()) / 60:g} h"


def _first(minutes: npt.NDArray[np.bool_]) -> str:
    if not minutes.any():
        return _("none")
    at = int(np.argmax(minutes))
    return f"{DAYS[at // 1440]} {clock_text(dt.time(at % 1440 // 60, at % 60))}"


previews.register(Shift, shift_panels, order=10)
