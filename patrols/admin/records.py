"""Missions, who was sent, what was done: shown as they were written."""

import datetime as dt
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_clock import local
from agencies.admin_dates import LongListMixin
from patrols.models import Assignment, Engagement, Mission


@admin.register(Mission)
class MissionAdmin(LongListMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = gettext_lazy("Missions are drawn with a plan: Mission plans → Plan next shift.")
    list_display = (
        "__str__",
        "agency",
        "plan",
        "beat",
        "place",
        "starts",
        "dose_minutes",
        "chance",
        "source",
        "is_withdrawn",
    )
    list_filter = ("agency", "source", "crime_type", "beat")
    list_select_related = ("agency", "plan__shift", "beat", "crime_type")
    search_fields = ("place",)
    date_hierarchy = "starts_at"
    fields = (
        *("agency", "plan", "beat", "number", "cell_id", "crime_type", "place", "visits", "dose_minutes"),
        *("expected_count", "harm_sum", "chance", "source", "reason", "author", "tactic"),
        *("withdrawn_at", "withdrawn_reason", "withdrawn_by"),
    )
    readonly_fields = ("visits", "expected_count", "harm_sum", "chance")
    # By an index: the model's own order, by plan, sorts all missions of all years for one page.
    ordering = ("-starts_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mission]:
        return super().get_queryset(request).defer("plan__design", "beat__geometry", "agency__boundary")

    @admin.display(description=gettext_lazy("first visit"), ordering="starts_at")
    def starts(self, mission: Mission) -> str:
        return local(mission.starts_at, mission.agency)

    @admin.display(description=gettext_lazy("chance of being drawn (π)"), ordering="probability")
    def chance(self, mission: Mission) -> str:
        return f"{mission.probability:.3f}"

    @admin.display(description=gettext_lazy("visits"))
    def visits(self, mission: Mission) -> str:
        """Each visit's beginning by the agency's clock: the row keeps them in UTC, for programs."""
        return ", ".join(
            local(dt.datetime.fromisoformat(start), mission.agency) for start in mission.current_starts
        )

    @admin.display(description=gettext_lazy("expected in the shift"))
    def expected_count(self, mission: Mission) -> str:
        return f"{mission.expected:.4f}"

    @admin.display(description=gettext_lazy("expected harm (weight × count)"))
    def harm_sum(self, mission: Mission) -> str:
        return f"{mission.harm:.4f}"

    @admin.display(description=gettext_lazy("withdrawn"), boolean=True, ordering="withdrawn_at")
    def is_withdrawn(self, mission: Mission) -> bool:
        return mission.withdrawn_at is not None


class OfMissionAdmin(LongListMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):
    """Rows that hang from a mission."""

    list_select_related: ClassVar[Any] = ("agency", "mission__plan__shift", "mission__crime_type", "unit")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("mission__plan__design", "agency__boundary")

    @admin.display(description=gettext_lazy("shift"), ordering="mission__plan__period_from")
    def plan(self, row: Assignment | Engagement) -> str:
        return str(row.mission.plan)


@admin.register(Assignment)
class AssignmentAdmin(OfMissionAdmin):
    none_yet = gettext_lazy("A plan assigns its missions to units; supervisors change that on the shift map.")
    list_display = ("mission", "plan", "agency", "unit", "assigned_by", "assigned_at")
    list_filter = ("agency", "unit")
    list_select_related = (*OfMissionAdmin.list_select_related, "assigned_by")


@admin.register(Engagement)
class EngagementAdmin(OfMissionAdmin):
    none_yet = gettext_lazy(
        "Visits come from officers' phones, from supervisors and from vehicle positions, once a plan is published."
    )
    list_display = ("mission", "plan", "agency", "unit", "officer", "arrived", "left", "stayed", "source")
    list_filter = ("agency", "source", "unit")
    list_select_related = (*OfMissionAdmin.list_select_related, "officer")
    date_hierarchy = "arrived_at"
    ordering = ("-arrived_at",)

    @admin.display(description=gettext_lazy("arrived"), ordering="arrived_at")
    def arrived(self, row: Engagement) -> str:
        return local(row.arrived_at, row.agency)

    @admin.display(description=gettext_lazy("left"), ordering="left_at")
    def left(self, row: Engagement) -> str:
        return local(row.left_at, row.agency)

    @admin.display(description=gettext_lazy("minutes"))
    def stayed(self, row: Engagement) -> str:
        return _("there now") if row.minutes is None else f"{row.minutes:.0f}"
