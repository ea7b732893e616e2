"""The tactic catalogue, which tactic suits which crime type, and what was ticked off."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import (
    AgencyScopedAdmin,
    AgencyScopedInline,
    ReadOnlyAdminMixin,
    administered_agencies,
)
from agencies.checklist import ChecklistItem, register
from agencies.lookups import pk_from_text
from agencies.models import Agency, CrimeType
from agencies.services import audit_record
from tactics import officer_admin as officer_admin  # its registrations belong to this app's admin
from tactics.models import Tactic, TacticRule, TacticUse
from tactics.services import starter_catalogue_create


class TacticRuleFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Rules inside a tactic's page: they belong to the tactic's agency, and an enforcement tactic has none."""

    def _construct_form(self, i: int, **kwargs: Any) -> forms.ModelForm:  # type: ignore[type-arg]
        form: forms.ModelForm = super()._construct_form(i, **kwargs)  # type: ignore[misc, type-arg]  # the stubs leave this hook out
        # The rule's own checks compare agencies, and this page has no field for it.
        form.instance.agency_id = self.instance.agency_id
        return form

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        if self.instance.is_enforcement and any(form.cleaned_data.get("preference") for form in kept):
            raise ValidationError(
                "Enforcement tactics are never recommended. Remove the rules, or set their preference to 0."
            )


class TacticRuleInline(AgencyScopedInline):
    model = TacticRule
    formset = TacticRuleFormSet
    fields = ("crime_type", "shift", "preference")
    verbose_name = "rule"
    verbose_name_plural = "Recommended for these crime types"


@admin.register(Tactic)
class TacticAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    change_list_template = "tactics/admin_tactic_list.html"
    inlines = [TacticRuleInline]
    list_display = ("name", "agency", "recommended_for", "evidence_source", "is_enforcement", "is_active")
    list_filter = ("agency", "is_active", "is_enforcement")
    list_select_related = ("agency",)
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": ("agency", "name", "slug", "is_active", "is_enforcement")}),
        ("What officers read", {"fields": ("steps", "community_note")}),
        (
            "What is known",
            {
                "fields": ("evidence_note", "evidence_source"),
                "description": "Write what research found, with its limits, and name it. Where nothing is known, say so.",
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .prefetch_related("tacticrule_set__crime_type", "tacticrule_set__shift")
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.starter_view)
        return [path("starter/", view, name="tactics_tactic_starter"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        extra = {"own_agencies": administered_agencies(request)} | (extra_context or {})
        return super().changelist_view(request, extra)

    @admin.display(description="recommended for")
    def recommended_for(self, tactic: Tactic) -> str:
        rules = [rule for rule in tactic.tacticrule_set.all() if rule.preference > 0]
        return ", ".join(
            f"{rule.crime_type}{f' ({rule.shift})' if rule.shift else ''}"
            for rule in sorted(rules, key=lambda rule: (-rule.preference, rule.crime_type.name))
        )

    def starter_view(self, request: HttpRequest) -> HttpResponse:
        """Add what is missing of the shipped set to one of the person's agencies."""
        if request.method == "POST":
            pk = pk_from_text(request.POST.get("agency"))
            agency = get_object_or_404(administered_agencies(request), pk=pk)
            result = starter_catalogue_create(agency=agency)
            audit_record(
                agency=agency,
                actor=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
                action="tactic.starter_set_added",
                subject=agency.name,
                detail={"tactics": result.tactics_added, "rules": result.rules_added},
            )
            if result.tactics_added or result.rules_added:
                text = f"{result.tactics_added} tactics and {result.rules_added} rules added; nothing that was there changed."
            else:
                text = "The whole starter set was there already; nothing changed."
            self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:tactics_tactic_changelist"))


@admin.register(TacticRule)
class TacticRuleAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    """The same rules by crime type: preferences side by side, changed in the list."""

    list_display = ("tactic", "crime_type", "shift", "preference", "agency")
    list_editable = ("preference",)
    list_filter = ("crime_type", "shift", "agency")
    list_select_related = ("agency", "tactic", "crime_type", "shift")
    ordering = ("crime_type", "-preference", "tactic__name")
    fields = ("agency", "crime_type", "tactic", "shift", "preference")


@admin.register(TacticUse)
class TacticUseAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
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

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("engagement__mission__plan__design", "agency__boundary")

    @admin.display(description="mission")
    def mission(self, use: TacticUse) -> str:
        return f"{use.engagement.mission}, {use.engagement.mission.plan}"

    @admin.display(description="unit")
    def unit(self, use: TacticUse) -> str:
        return str(use.engagement.unit or "–")


def tactic_items(agency: Agency) -> list[ChecklistItem]:
    """Whether every active crime type has a tactic to recommend. Two queries."""
    tactics = Tactic.objects.filter(agency=agency, is_active=True).count()
    served = TacticRule.objects.filter(
        agency=agency, preference__gt=0, tactic__is_active=True, tactic__is_enforcement=False
    )
    without = CrimeType.objects.filter(agency=agency, is_active=True).exclude(
        pk__in=served.values("crime_type")
    )
    names = ", ".join(crime_type.name for crime_type in without)
    return [
        ChecklistItem(
            label="Tactics",
            done=tactics > 0 and not names,
            why="Officers see at each mission what to do there. “Add the starter set” gives a first catalogue.",
            url=reverse("admin:tactics_tactic_changelist"),
            detail=f"none yet for {names}"
            if tactics and names
            else (f"{tactics} tactics" if tactics else ""),
        )
    ]


register(tactic_items, order=50)
