"""Shifts, units: when people are on the street, and who."""

import datetime as dt
import itertools
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm
from agencies.admin_preview import PreviewFormMixin
from agencies.clocks import clock_text, format_for, reads_like
from agencies.engine.shift_clock import ShiftHours, ShiftInstance, instances_between
from agencies.models import Shift, Unit

WEEKDAYS = (
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
)
PREVIEW_INSTANCES = 5
CLOCK_CHANGE_SEARCH_DAYS = 370


class WeekdaysField(forms.MultipleChoiceField):
    """Seven checkboxes for a string of digits: "012" is Monday to Wednesday."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[(str(number), name) for number, name in enumerate(WEEKDAYS)], **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return list(value) if isinstance(value, str) else value

    def clean(self, value: Any) -> str:  # type: ignore[override]  # the model keeps one string
        return "".join(sorted(super().clean(value)))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return sorted(initial or "") != sorted(data or [])


class ShiftForm(AgencyScopedForm):
    weekdays = WeekdaysField(
        label=gettext_lazy("Weekdays"),
        help_text=gettext_lazy(
            "Days on which the shift starts, by local date. Missions are planned for these days only."
        ),
        initial="0123456",
        error_messages={"required": gettext_lazy("Name at least one day.")},
    )

    class Meta:
        model = Shift
        fields = "__all__"
        labels = {
            "duration_minutes": gettext_lazy("Length (minutes)"),
            "starts_at": gettext_lazy("Starts at (local time)"),
        }


def preview_rows(shift: Shift, now: dt.datetime) -> list[dict[str, Any]]:
    """The next instances of a shift, and those near the next clock changes, in the agency's own time."""
    zone = ZoneInfo(shift.agency.time_zone)
    hours = ShiftHours(shift.slug, shift.starts_at, shift.duration_minutes, shift.weekday_numbers)
    coming = instances_between([hours], now, now + dt.timedelta(days=15), zone)[:PREVIEW_INSTANCES]
    year = instances_between([hours], now, now + dt.timedelta(days=CLOCK_CHANGE_SEARCH_DAYS), zone)
    # The others of the year are looked at, and not written out: that takes the larger part of the page.
    odd = (instance for instance in year if instance not in coming and _note(instance, shift, zone))
    with reads_like(shift.agency):
        return [_row(instance, shift, zone) for instance in [*coming, *itertools.islice(odd, 2)]]


def _note(instance: ShiftInstance, shift: Shift, zone: ZoneInfo) -> str:
    """What a change of the clocks does to this instance; empty for most."""
    start, end = instance.from_utc.astimezone(zone), instance.to_utc.astimezone(zone)
    moved = (end.utcoffset() or dt.timedelta()) - (start.utcoffset() or dt.timedelta())
    note = ""
    if start.time() != shift.starts_at.replace(tzinfo=None):
        note = _("%(starts_at)s does not exist on that day: it starts at the first moment after the gap.") % {
            "starts_at": clock_text(shift.starts_at)
        }
    elif moved:
        minutes = abs(moved) // dt.timedelta(minutes=1)
        said = (
            _("The clocks go forward by %(minutes)s minutes meanwhile: it ends at %(end)s by the wall clock.")
            if moved > dt.timedelta()
            else _(
                "The clocks go back by %(minutes)s minutes meanwhile: it ends at %(end)s by the wall clock."
            )
        )
        note = said % {"minutes": minutes, "end": clock_text(end)}
    return note


def _row(instance: ShiftInstance, shift: Shift, zone: ZoneInfo) -> dict[str, Any]:
    start, end = instance.from_utc.astimezone(zone), instance.to_utc.astimezone(zone)
    hours = (instance.to_utc - instance.from_utc) / dt.timedelta(hours=1)
    return {
        "start": date_format(start, format_for("D j M Y H:i T")),
        "end": date_format(end, format_for("D H:i T")),
        "hours": f"{hours:g} h",
        "note": _note(instance, shift, zone),
    }


@admin.register(Shift)
class ShiftAdmin(PreviewFormMixin, AuditedAdminMixin, AgencyScopedAdmin):
    form = ShiftForm
    list_display = ("name", "agency", "hours", "days")
    list_filter = ("agency",)
    prepopulated_fields = {"slug": ("name",)}
    fields = ("agency", "name", "slug", "starts_at", "duration_minutes", "weekdays")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*self.fields, "preview"] if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), "preview"]

    @admin.display(description=gettext_lazy("hours"), ordering="starts_at")
    def hours(self, shift: Shift) -> str:
        return shift.hours_label

    @admin.display(description=gettext_lazy("days"))
    def days(self, shift: Shift) -> str:
        if len(shift.weekdays) == 7:
            return _("every day")
        return ", ".join(str(WEEKDAYS[number])[:3] for number in shift.weekday_numbers)

    @admin.display(description=gettext_lazy("next instances, as saved"))
    def preview(self, shift: Shift) -> str:
        """What the saved times mean on the calendar, clock changes included."""
        rows = preview_rows(shift, timezone.now())
        return render_to_string("agencies/shift_preview.html", {"rows": rows, "zone": shift.agency.time_zone})


@admin.register(Unit)
class UnitAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("call_sign", "agency", "beat", "missions_per_shift", "is_active")
    list_filter = ("agency", "is_active", "shifts")
    search_fields = ("call_sign",)
    list_select_related = ("agency", "beat")
    fields = ("agency", "call_sign", "beat", "shifts", "missions_per_shift", "is_active")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("widget", forms.CheckboxSelectMultiple)
        return super().formfield_for_manytomany(db_field, request, **kwargs)
