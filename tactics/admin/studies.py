"""Studies and their reports in the admin: to look at, never to change; people set them up on the studies page."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_runs import RunAdminMixin
from agencies.models import Beat, CrimeType, District, Shift
from tactics.models import ImpactReport, ImpactStudy


@admin.register(ImpactStudy)
class ImpactStudyAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    list_display = (
        "__str__",
        "agency",
        "kind",
        "state",
        "first",
        "last",
        "frozen_at",
        "frozen_by",
        "design_hash",
    )
    list_filter = ("agency", "kind", "state")
    list_select_related = ("agency", "frozen_by")
    search_fields = ("name", "question")
    none_yet = gettext_lazy("Studies are set up on their own page: Studies → New study.")
    fields = (
        *("agency", "name", "question", "kind", "state", "first", "last"),
        *("studied_types", "studied_districts", "studied_beats", "studied_shifts"),
        *(
            "window_hours",
            "stop_at_next_draw",
            "estimand",
            "with_plain",
            "family",
            "confidence",
            "draws",
            "settle_days",
        ),
        *("detectable", "net_detectable", "minimum_basis", "frozen_at", "frozen_by", "design_hash"),
    )
    readonly_fields = (
        *(
            "studied_types",
            "studied_districts",
            "studied_beats",
            "studied_shifts",
            "detectable",
            "net_detectable",
        ),
    )

    @admin.display(description=gettext_lazy("crime types"))
    def studied_types(self, study: ImpactStudy) -> str:
        return _names(CrimeType, study, study.crime_types)

    @admin.display(description=gettext_lazy("districts"))
    def studied_districts(self, study: ImpactStudy) -> str:
        return _names(District, study, study.districts)

    @admin.display(description=gettext_lazy("beats"))
    def studied_beats(self, study: ImpactStudy) -> str:
        return _names(Beat, study, study.beats)

    @admin.display(description=gettext_lazy("shifts"))
    def studied_shifts(self, study: ImpactStudy) -> str:
        return _names(Shift, study, study.shifts)

    @admin.display(description=gettext_lazy("smallest effect it could show"))
    def detectable(self, study: ImpactStudy) -> str:
        return _share(study.minimum_detectable)

    @admin.display(description=gettext_lazy("smallest net effect it could show"))
    def net_detectable(self, study: ImpactStudy) -> str:
        return _share(study.net_minimum_detectable)


def _names(model: Any, study: ImpactStudy, numbers: list[int]) -> str:
    """The rows that a study names by number, by name, as far as they are still there. One query, or none."""
    if not numbers:
        return _("all")
    rows = model.objects.filter(agency=study.agency_id, pk__in=numbers)
    return ", ".join(str(row) for row in rows) or "–"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


@admin.register(ImpactReport)
class ImpactReportAdmin(RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):
    list_display = ("__str__", "agency", "verdict", "run_status", "run_progress", "queued_at", "run_duration")
    list_filter: ClassVar = ("agency", "purpose", "verdict", "status")
    list_select_related: ClassVar = ("agency", "study")
    run_hidden_fields: ClassVar[tuple[str, ...]] = ("figures",)
    none_yet = gettext_lazy("A study makes its reports: Studies, then the study.")

    def run_links(self, request: HttpRequest, run: ImpactReport) -> list[tuple[str, str]]:
        """The study's page, where the report is shown."""
        return [(_("Open the study"), reverse("tactics:study", args=[run.agency.slug, run.study_id]))]
