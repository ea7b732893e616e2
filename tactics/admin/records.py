"""What was drawn, what was learnt, and what was ticked off: to read, not to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_dates import LongListMixin
from tactics.models import PlaceKind, Tactic, TacticDraw, TacticPolicy, TacticUpdate, TacticUse


@admin.register(TacticUse)
class TacticUseAdmin(LongListMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = _("Officers tick tactics off on their page, at a visit.")
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
    none_yet = _("A tactic is drawn for each mission of a plan, once the agency has tactics and rules.")
    list_display = ("mission", "tactic", "chance", "method", "drawn_at", "agency")
    list_filter = ("agency", "method", "tactic")
    list_select_related = ("agency", "tactic", "mission__crime_type")
    date_hierarchy = "drawn_at"
    ordering = ("-drawn_at",)
    fields = (
        *(
            "agency",
            "mission",
            "tactic",
            "chances",
            "near",
            "method",
            "policy_name",
            "seed",
            "update",
            "drawn_at",
        ),
        *("counted_in", "counted_crimes", "expected_crimes"),
    )
    readonly_fields = ("chances", "near", "policy_name", "expected_crimes")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("agency__boundary", "mission__why")

    @admin.display(description=_("drawn among"))
    def chances(self, draw: TacticDraw) -> str:
        """Each tactic that could have been drawn, the likeliest first, with its weight; by name, for rows keep slugs. One query."""
        names = dict(Tactic.objects.filter(agency=draw.agency_id).values_list("slug", "name"))
        weights = draw.policy.get("weights", {})
        likeliest = sorted(draw.probabilities.items(), key=lambda one: (-one[1], one[0]))
        rows = (
            (names.get(slug, slug), f"{weights[slug]:g}" if slug in weights else "–", f"{chance:.3f}")
            for slug, chance in likeliest
        )
        return format_html(
            '<table class="told"><thead><tr><th>{}</th><th>{}</th><th>{}</th></tr></thead><tbody>{}</tbody></table>',
            gettext("Tactic"),
            capfirst(gettext("preference")),
            capfirst(gettext("chance")),
            format_html_join(
                "", '<tr><td>{}</td><td class="number">{}</td><td class="number">{}</td></tr>', rows
            ),
        )

    @admin.display(description=_("places near the box"))
    def near(self, draw: TacticDraw) -> str:
        labels = dict(PlaceKind.choices)
        return ", ".join(str(labels.get(kind, kind)) for kind in draw.policy.get("near", [])) or "–"

    @admin.display(description=_("policy"))
    def policy_name(self, draw: TacticDraw) -> str:
        """The policy's name, and the figures that an adaptive draw kept of it. One query."""
        policy = TacticPolicy.objects.filter(agency=draw.agency_id, pk=draw.policy.get("policy")).first()
        kept = (
            f"{TacticPolicy._meta.get_field(name).verbose_name}: {draw.policy[name]:g}"  # type: ignore[union-attr]  # plain columns
            for name in ("floor", "drawn_among", "prior_crimes", "window_hours")
            if name in draw.policy
        )
        return "; ".join([policy.name if policy else "–", *kept])

    @admin.display(description=_("crimes expected"))
    def expected_crimes(self, draw: TacticDraw) -> str:
        return "–" if draw.counted_expected is None else f"{draw.counted_expected:.4f}"

    @admin.display(description=_("chance"))
    def chance(self, draw: TacticDraw) -> str:
        return f"{draw.probabilities.get(draw.tactic.slug, 0.0):.3f}"


@admin.register(TacticUpdate)
class TacticUpdateAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = _("Only adaptive draws learn: Tactic policies, field “Method”.")
    list_display = ("number", "agency", "made_at", "counted_until", "n_missions")
    list_filter = ("agency",)
    list_select_related = ("agency",)
