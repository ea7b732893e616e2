"""How the recommended tactic is drawn, and which layers tell what a box is near."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm
from ingestion.models import ContextLayer
from tactics.models import PlaceLayer, TacticPolicy


class TacticPolicyForm(AgencyScopedForm):
    class Meta:
        model = TacticPolicy
        fields = "__all__"
        labels: ClassVar[dict[str, Any]] = {
            "drawn_among": _("Drawn among (tactics)"),
            "batch_days": _("Updated every (days)"),
            "window_hours": _("Crimes counted for (hours)"),
            "settle_days": _("Late reports awaited for (days)"),
            "prior_crimes": _("Starting firmness (crimes)"),
        }


@admin.register(TacticPolicy)
class TacticPolicyAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    form = TacticPolicyForm
    list_display = ("name", "agency", "is_active", "method", "floor", "drawn_among", "batch_days")
    list_filter = ("agency", "is_active", "method")
    list_select_related = ("agency",)
    fieldsets = (
        (None, {"fields": ("agency", "name", "is_active", "method")}),
        (
            _("What is counted"),
            {
                "fields": ("window_hours",),
                "description": _("Also for the comparison on the Tactics page, whatever the method."),
            },
        ),
        (
            _("Adaptive draws"),
            {
                "fields": ("floor", "drawn_among", "batch_days", "settle_days", "prior_crimes"),
                "description": _(
                    "Where fewer tactics are allowed at a mission than are drawn among, the draw is among those; "
                    "one alone is recommended with certainty. Every chance is stored, so that tactics stay comparable."
                ),
            },
        ),
    )


@admin.register(PlaceLayer)
class PlaceLayerAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("kind", "layer", "near_m", "agency")
    list_filter = ("agency", "kind")
    list_select_related = ("agency", "layer")
    fields = ("agency", "kind", "layer", "near_m")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("layer__geojson")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "layer" and field is not None:
            # A list of names need not read megabytes of places.
            field.queryset = field.queryset.defer("geojson").exclude(kind=ContextLayer.Kind.COVERAGE)
        return field
