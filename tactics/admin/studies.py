"""Studies and their reports in the admin: to look at, never to change; people set them up on the studies page."""

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_runs import RunAdminMixin
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


@admin.register(ImpactReport)
class ImpactReportAdmin(RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):
    list_display = ("__str__", "agency", "verdict", "run_status", "run_progress", "queued_at", "run_duration")
    list_filter: ClassVar = ("agency", "purpose", "verdict", "status")
    list_select_related: ClassVar = ("agency", "study")
    run_hidden_fields: ClassVar[tuple[str, ...]] = ("figures",)

    def run_links(self, request: HttpRequest, run: ImpactReport) -> list[tuple[str, str]]:
        """The study's page, where the report is shown."""
        return [(_("Open the study"), reverse("tactics:study", args=[run.agency.slug, run.study_id]))]
