"""What the public is told: how far exposure may differ, by what it is sorted, and the findings that somebody must answer."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm, ReadOnlyAdminMixin
from agencies.admin_runs import RunAdminMixin
from missions_project.lib.errors import MissionsError
from tactics.models import DemographicMeasure, ExposureFinding, TransparencyPack, TransparencyPolicy
from tactics.transparency.demographics import measure_problem
from tactics.transparency.services import answer_problem, finding_answer


@admin.register(TransparencyPolicy)
class TransparencyPolicyAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("agency", "disparity_threshold", "is_public")
    list_select_related = ("agency",)
    fields = ("agency", "disparity_threshold", "is_public")


class DemographicMeasureForm(AgencyScopedForm):
    """A measure names a table of the audit store: one that is not there is said at once, not when a pack is made."""

    class Meta:
        model = DemographicMeasure
        fields = ("agency", "name", "table", "column", "total_column")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        agency = cleaned.get("agency") or getattr(self.instance, "agency", None)
        if agency is not None and not self.errors:
            given = {name: cleaned[name] for name in ("table", "column", "total_column")}
            if problem := measure_problem(agency, DemographicMeasure(**given)):
                raise ValidationError(problem)
        return cleaned


@admin.register(DemographicMeasure)
class DemographicMeasureAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    form = DemographicMeasureForm
    list_display = ("name", "agency", "table", "column", "total_column")
    list_filter = ("agency",)
    list_select_related = ("agency",)


@admin.register(TransparencyPack)
class TransparencyPackAdmin(RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):  # type: ignore[misc]  # mixins before the base
    """To look at: packs are made and published on their own page."""

    none_yet = gettext_lazy("Packs are made under Reports → Transparency packs.")
    list_filter = ("state", "status")  # type: ignore[misc]  # the mixin declares it for one model
    run_hidden_fields = ("content",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("agency").defer("content")

    def run_links(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        place = [run.agency.slug, run.number]
        return [
            (_("Open its page"), reverse("tactics:pack", args=place)),
            (_("PDF"), reverse("tactics:pack_pdf", args=place)),
        ]


class FindingForm(AgencyScopedForm):
    """One field: the answer."""

    class Meta:
        model = ExposureFinding
        fields = ("answer",)
        widgets: ClassVar = {"answer": forms.Textarea(attrs={"rows": 6})}

    def clean_answer(self) -> str:
        words: str = self.cleaned_data["answer"]
        if problem := answer_problem(words):
            raise ValidationError(str(problem))
        return words

    def _post_clean(self) -> None:
        # The service writes the answer with its time and author: until then the row would break its own constraint.
        return


@admin.register(ExposureFinding)
class ExposureFindingAdmin(AgencyScopedAdmin):
    """Raised by the exposure audit; answered here, once; never deleted."""

    form = FindingForm
    none_yet = gettext_lazy(
        "The exposure audit raises them when a transparency pack is made, once Demographic measures name what to compare."
    )
    list_display = (
        "place",
        "measure",
        "basis",
        "ratio_shown",
        "threshold",
        "raised_at",
        "answered_at",
        "agency",
    )
    list_filter = ("agency", ("answered_at", admin.EmptyFieldListFilter), "measure", "basis")
    list_select_related = ("agency",)
    search_fields = ("area", "kind", "answer")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("sentence", "pack", "first", "last", "raised_at", "answer", "answered_by", "answered_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = ("sentence", "pack", "first", "last", "raised_at", "answered_by", "answered_at")
        return (*shown, "answer") if obj is not None and obj.answered_at else shown

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ExposureFinding, form: Any, change: bool) -> None:
        try:
            finding_answer(finding=obj, actor=request.user, answer=form.cleaned_data["answer"])  # type: ignore[arg-type]  # signed in
        except MissionsError as exc:
            self.message_user(request, str(exc), level="ERROR")

    @admin.display(description=gettext_lazy("where"))
    def place(self, finding: ExposureFinding) -> str:
        return finding.where

    @admin.display(description=gettext_lazy("times its part"), ordering="ratio")
    def ratio_shown(self, finding: ExposureFinding) -> str:
        return _("%(ratio)s (%(low)s to %(high)s)") % {
            "ratio": f"{finding.ratio:.2f}",
            "low": f"{finding.low:.2f}",
            "high": f"{finding.high:.2f}",
        }

    @admin.display(description=gettext_lazy("finding"))
    def sentence(self, finding: ExposureFinding) -> str:
        return finding.sentence
