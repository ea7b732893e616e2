"""Import runs: what was received, and what became of it."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_runs import RunAdminMixin, count_rows
from ingestion.models import ImportRun
from ingestion.words import said


@admin.register(ImportRun)
class ImportRunAdmin(RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):  # type: ignore[misc]
    none_yet = gettext_lazy("A run begins when a file is uploaded or rows are fetched or sent: Feeds.")
    list_display: Any = (
        "__str__",
        "feed",
        "run_status",
        "run_progress",
        "received",
        "inserted",
        "updated",
        "kept_aside",
        "refused",
        "queued_at",
        "run_duration",
    )
    list_filter: Any = ("status", "agency", "feed")  # type: ignore[misc]
    list_select_related: Any = ("agency", "feed")  # type: ignore[misc]
    run_hidden_fields: ClassVar[tuple[str, ...]] = ("spool_name", "refusals", "rejections", "pull")

    def run_counts(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        kept = {_("kept aside: %(code)s") % {"code": code}: number for code, number in run.rejections.items()}
        refused = {
            _("refused: %(rule)s") % {"rule": said(rule.replace("_", " "))}: sum(codes.values())
            for rule, codes in run.refusals.items()
        }
        # As on every other page: "quarantined" is the code's word.
        counts = {_("kept aside") if name == "quarantined" else name: n for name, n in run.counts.items()}
        return count_rows(counts) + count_rows(kept) + count_rows(refused)

    def run_links(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        links = [(_("Data page"), reverse("ingestion:data", args=[run.agency.slug]))]
        if run.counts.get("quarantined"):
            kept = reverse("admin:ingestion_quarantinedrow_changelist")
            links.append((_("Rows kept aside"), f"{kept}?feed__id__exact={run.feed_id}&state=open"))
        return links

    def _count(self, run: ImportRun, name: str) -> str:
        return f"{run.counts[name]:,}" if name in run.counts else "–"

    @admin.display(description=gettext_lazy("received"))
    def received(self, run: ImportRun) -> str:
        return self._count(run, "received")

    @admin.display(description=gettext_lazy("new"))
    def inserted(self, run: ImportRun) -> str:
        return self._count(run, "inserted")

    @admin.display(description=gettext_lazy("changed"))
    def updated(self, run: ImportRun) -> str:
        return self._count(run, "updated")

    @admin.display(description=gettext_lazy("kept aside"))
    def kept_aside(self, run: ImportRun) -> str:
        return self._count(run, "quarantined")

    @admin.display(description=gettext_lazy("refused"))
    def refused(self, run: ImportRun) -> str:
        return self._count(run, "refused")
