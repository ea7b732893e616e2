"""What was drawn, what was learnt, and what was ticked off: to read, not to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_dates import LongListMixin
from tactics.models import TacticDraw, TacticUpdate, TacticUse


@admin.register(TacticUse)
class TacticUseAdmin(LongListMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):
    list_display = ("tactic", "mission", "unit", "was_recommended", "used_at", "officer", "agency")
    list_filter = ("agency", "tactic", "was_recommended")
    list_select_related = (
        "agency",
        "tactic",
        "engagement__unit",
        "engagement__mission__crime_type",
        "engagement__mission__plan__shift",
        "officer",
    )
    date_hierarchy = "used_at"
    ordering = ("-used_at",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("engagement__mission__plan__design", "agency__boundary")

    @admin.display(description=_("mission"))
    def mission(self, use: TacticUse) -> str:
        return f"{use.engagement.mission}, {use.engagement.mission.plan}"

    @admin.display(description=_("unit"))
    def unit(self, use: TacticUse) -> str:
        return str(use.engagement.unit or "–")


@admin.register(TacticDraw)
class TacticDrawAdmin(LongListMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):
    list_display = ("mission", "tactic", "chance", "method", "drawn_at", "agency")
    list_filter = ("agency", "method", "tactic")
    list_select_related = ("agency", "tactic", "mission__crime_type")
    date_hierarchy = "drawn_at"
    ordering = ("-drawn_at",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("agency__boundary", "mission__why")

    @admin.display(description=_("chance"))
    def chance(self, draw: TacticDraw) -> str:
        return f"{draw.probabilities.get(draw.tactic.slug, 0.0):.3f}"


@admin.register(TacticUpdate)
class TacticUpdateAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    list_display = ("number", "agency", "made_at", "counted_until", "n_missions")
    list_filter = ("agency",)
    list_select_related = ("agency",)
