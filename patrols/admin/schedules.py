"""When shifts are planned by themselves, what became of each, and which notices went out."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_clock import local
from agencies.engine.shift_clock import ShiftHours
from agencies.models import Agency
from agencies.selectors import shifts
from missions_project.lib.sentences import said_again
from patrols.engine.due import ShiftSchedule, rounds_coming
from patrols.models import NoticeDelivery, PlanSchedule, ShiftPlanning
from patrols.selectors import schedule_of, schedules_of

SHOWN = 6


def coming_rows(
    agency: Agency, now: dt.datetime, *, only: PlanSchedule | None = None
) -> list[dict[str, Any]]:
    """The next shift instances that are planned by themselves and when, by the agency's clock. Two queries.

    With ``only`` those for which this schedule holds.
    """
    schedules, zone = schedules_of(agency), ZoneInfo(agency.time_zone)
    chosen = []
    for shift in shifts(agency):
        schedule = schedule_of(schedules, agency.pk, shift.pk)
        if schedule.is_on and (only is None or schedule.pk == only.pk):
            hours = ShiftHours(shift.slug, shift.starts_at, shift.duration_minutes, shift.weekday_numbers)
            chosen.append(
                (shift, schedule, ShiftSchedule(hours, schedule.lead_minutes, schedule.refresh_minutes))
            )
    coming = rounds_coming([timing for *_, timing in chosen], now, zone, limit=SHOWN)
    return [
        {
            "shift": chosen[row.slot][0].name,
            "starts": date_format(row.instance.from_utc.astimezone(zone), "D j M Y H:i T"),
            "planned": date_format(row.due_at.astimezone(zone), "D j M Y H:i T"),
            "round": "" if row.number == 0 else _("refresh %(row_number)s") % {"row_number": row.number},
            "publishes": chosen[row.slot][1].publishes,
        }
        for row in coming
    ]


@admin.register(PlanSchedule)
class PlanScheduleAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    """An agency without a row has its shifts planned two hours before they start."""

    list_display = ("__str__", "agency", "is_on", "lead_minutes", "refresh_minutes", "publishes")
    list_filter = ("agency", "is_on")
    list_select_related = ("agency", "shift")
    fields = ("agency", "shift", "is_on", "lead_minutes", "refresh_minutes", "publishes")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*self.fields, "coming"] if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), "coming"]

    @admin.display(description=gettext_lazy("next shifts under this schedule, as saved"))
    def coming(self, schedule: PlanSchedule) -> str:
        rows = coming_rows(schedule.agency, timezone.now(), only=schedule)
        context = {"rows": rows, "zone": schedule.agency.time_zone, "is_on": schedule.is_on}
        return render_to_string("admin/patrols/schedule_preview.html", context)


@admin.register(ShiftPlanning)
class ShiftPlanningAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = gettext_lazy(
        "Each shift that is planned by itself leaves one here. When that is: Plan schedules."
    )
    list_display = ("__str__", "agency", "due", "state", "attempts", "finished", "plan_link", "short_message")
    list_filter = ("agency", "state", "shift")
    list_select_related = ("agency", "shift")
    date_hierarchy = "on"
    fields = (
        "agency", "shift", "on", "round", "due", "state", "attempts", "finished", "forecast_run", "plan_link", "message",
    )  # fmt: skip
    readonly_fields = ("due", "finished", "plan_link")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShiftPlanning]:
        return super().get_queryset(request).defer("agency__boundary")

    @admin.display(description=gettext_lazy("due"), ordering="due_at")
    def due(self, row: ShiftPlanning) -> str:
        return local(row.due_at, row.agency)

    @admin.display(description=gettext_lazy("finished"), ordering="finished_at")
    def finished(self, row: ShiftPlanning) -> str:
        return local(row.finished_at, row.agency)

    @admin.display(description=gettext_lazy("plan"))
    def plan_link(self, row: ShiftPlanning) -> str:
        if row.plan_id is None:
            return "–"
        # By number: the plan itself would bring its design of half a megabyte along.
        address = reverse("admin:patrols_missionplan_change", args=[row.plan_id])
        return format_html('<a href="{}">{} {}</a>', address, _("plan"), row.plan_id)

    @admin.display(description=gettext_lazy("why"))
    def short_message(self, row: ShiftPlanning) -> str:
        told = said_again(row.message)
        return told if len(told) < 120 else f"{told[:117]}…"


@admin.register(NoticeDelivery)
class NoticeDeliveryAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    """What went out. Whose web-hook it is stands here, its address does not: it may hold a key of the other server."""

    none_yet = gettext_lazy(
        "Notices go to people who have chosen some: Notices about plans, in the menu under their name."
    )
    list_display = (
        "event",
        "agency",
        "person",
        "channel",
        "about",
        "state",
        "attempts",
        "next_try",
        "sent",
        "error",
    )
    list_filter = ("agency", "event", "channel", "state")
    list_select_related = ("agency", "choice__membership__user")
    fields = (
        "agency",
        "event",
        "person",
        "channel",
        "about",
        "key",
        "state",
        "attempts",
        "next_try",
        "sent",
        "error",
    )
    readonly_fields = ("person", "about", "next_try", "sent")
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[NoticeDelivery]:
        return super().get_queryset(request).defer("agency__boundary")

    @admin.display(description=gettext_lazy("to"))
    def person(self, row: NoticeDelivery) -> str:
        return str(row.choice.membership.user)

    @admin.display(description=gettext_lazy("shift"))
    def about(self, row: NoticeDelivery) -> str:
        return f"{row.payload.get('shift_name', '')} {row.payload.get('on', '')}"

    @admin.display(description=gettext_lazy("next try"), ordering="next_at")
    def next_try(self, row: NoticeDelivery) -> str:
        return local(row.next_at, row.agency) if row.state == NoticeDelivery.State.WAITING else "–"

    @admin.display(description=gettext_lazy("sent"), ordering="sent_at")
    def sent(self, row: NoticeDelivery) -> str:
        return local(row.sent_at, row.agency)
