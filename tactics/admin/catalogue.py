"""The tactic catalogue, and which tactic suits which crime type, shift and place."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import (
    AgencyScopedAdmin,
    AgencyScopedForm,
    AgencyScopedInline,
    administered_agencies,
)
from agencies.checklist import ChecklistItem, register
from agencies.lookups import pk_from_text
from agencies.models import Agency, CrimeType
from agencies.services import audit_record
from tactics.models import PlaceKind, Strength, Tactic, TacticRule
from tactics.services import starter_catalogue_create
from tactics.surroundings import layers_by_kind


class TacticForm(AgencyScopedForm):
    """Kinds of place as boxes to tick, kept as a list."""

    places = forms.MultipleChoiceField(
        choices=PlaceKind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Places it suits"),
        help_text=Tactic._meta.get_field("places").help_text,
    )

    evidence_strength = forms.ChoiceField(
        choices=Strength.choices,
        initial=Strength.NOT_TESTED,
        required=False,
        label=gettext_lazy("How strong the evidence is"),
        help_text=Tactic._meta.get_field("evidence_strength").help_text,
    )

    def clean_evidence_strength(self) -> str:
        # Left out means ungraded, never a grade.
        return str(self.cleaned_data.get("evidence_strength") or Strength.NOT_TESTED)

    class Meta:
        model = Tactic
        fields = "__all__"
        labels: ClassVar[dict[str, Any]] = {
            "evidence_effect": gettext_lazy("What was found"),
            "hours_from": gettext_lazy("From (time of day)"),
            "hours_to": gettext_lazy("Before (time of day)"),
        }


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
                _(
                    "Enforcement tactics are never recommended. Remove the rules, or set their preference to 0."
                )
            )


class TacticRuleInline(AgencyScopedInline):
    model = TacticRule
    formset = TacticRuleFormSet
    fields = ("crime_type", "shift", "context", "preference")
    verbose_name = gettext_lazy("rule")
    verbose_name_plural = gettext_lazy("Recommended for these crime types")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TacticRule]:
        # Each rule's line names both.
        return super().get_queryset(request).select_related("crime_type", "tactic")


@admin.register(Tactic)
class TacticAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    form = TacticForm
    change_list_template = "tactics/admin_tactic_list.html"
    inlines = [TacticRuleInline]
    list_display = ("name", "agency", "recommended_for", "evidence_strength", "is_enforcement", "is_active")
    list_filter = ("agency", "is_active", "is_enforcement")
    list_select_related = ("agency",)
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": ("agency", "name", "slug", "is_active", "is_enforcement")}),
        (gettext_lazy("What officers read"), {"fields": ("steps", "community_note")}),
        (
            gettext_lazy("Where and when it makes sense"),
            {"fields": ("places", "places_known", "hours_from", "hours_to")},
        ),
        (
            gettext_lazy("What is known"),
            {
                "fields": ("evidence_strength", "evidence_effect", "evidence_source", "evidence_note"),
                "description": gettext_lazy(
                    "Write what research found, with its limits, and name it. Where nothing is known, say so."
                ),
            },
        ),
    )

    readonly_fields = ("places_known",)

    @admin.display(description=gettext_lazy("places on your maps"))
    def places_known(self, tactic: Tactic) -> str:
        return places_told(self.page_agency_of(tactic), list(PlaceKind.values))

    @staticmethod
    def page_agency_of(tactic: Tactic) -> Agency | None:
        return tactic.agency if tactic.agency_id else None

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

    @admin.display(description=gettext_lazy("recommended for"))
    def recommended_for(self, tactic: Tactic) -> str:
        rules = [rule for rule in tactic.tacticrule_set.all() if rule.preference > 0]
        return ", ".join(
            f"{rule.crime_type}{_only(rule)}"
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
                text = _(
                    "%(tactics_added)s tactics and %(rules_added)s rules added; nothing that was there changed."
                ) % {"tactics_added": result.tactics_added, "rules_added": result.rules_added}
            else:
                text = _("The whole starter set was there already; nothing changed.")
            self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:tactics_tactic_changelist"))


@admin.register(TacticRule)
class TacticRuleAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    """The same rules by crime type: preferences side by side, changed in the list."""

    list_display = ("tactic", "crime_type", "shift", "context", "preference", "agency")
    list_editable = ("preference",)
    list_filter = ("crime_type", "shift", "context", "agency")
    list_select_related = ("agency", "tactic", "crime_type", "shift")
    list_per_page = 50  # each line is a form
    ordering = ("crime_type", "-preference", "tactic__name")
    fields = ("agency", "crime_type", "tactic", "shift", "context", "place_known", "preference")
    readonly_fields = ("place_known",)

    @admin.display(description=gettext_lazy("where that is"))
    def place_known(self, rule: TacticRule) -> str:
        kinds = [rule.context] if rule.context else list(PlaceKind.values)
        return places_told(rule.agency if rule.agency_id else None, kinds, is_rule=True)


def _only(rule: TacticRule) -> str:
    """The shift and place that a rule names, in brackets."""
    parts = [str(rule.shift)] if rule.shift else []
    if rule.context:
        parts.append(str(rule.get_context_display()).lower())
    return f" ({', '.join(parts)})" if parts else ""


def places_told(agency: Agency | None, kinds: list[str], *, is_rule: bool = False) -> str:
    """Which layers tell of these kinds of place, and which kinds no layer tells of; one query."""
    if agency is None:
        return _("Saved first, this says which of your map layers show these places.")
    known = layers_by_kind(agency)
    told = [
        f"{PlaceKind(kind).label}: "
        + ", ".join(
            _("%(layer)s (within %(metres)s m)") % {"layer": use.name, "metres": f"{use.near_m:g}"}
            for use in known[kind]
        )
        + "."
        for kind in kinds
        if kind in known
    ]
    missing = [str(PlaceKind(kind).label).lower() for kind in kinds if kind not in known]
    if missing:
        effect = (
            _("A rule for such a place never applies")
            if is_rule
            else _("Whether a box is near such a place is not asked for")
        )
        told.append(
            _(
                "No layer tells what is %(names)s. %(effect)s until one does: Admin → Context layers, then Place layers."
            )
            % {"names": ", ".join(missing), "effect": effect}
        )
    return " ".join(told)


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
            label=_("Tactics"),
            done=tactics > 0 and not names,
            why=_(
                "Officers see at each mission what to do there. “Add the starter set” gives a first catalogue."
            ),
            url=reverse("admin:tactics_tactic_changelist"),
            detail=_("none yet for %(names)s") % {"names": names}
            if tactics and names
            else (
                ngettext("%(count)s tactic", "%(count)s tactics", tactics) % {"count": tactics}
                if tactics
                else ""
            ),
        )
    ]


register(tactic_items, order=50)
