"""Rows that could not be used: why, what to do, download, and reading them again."""

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from ingestion import services
from ingestion.engine.mapping import FIELDS
from ingestion.models import Feed, QuarantinedRow
from ingestion.tasks import import_task
from ingestion.words import REJECTION_CODES, rejection_words, said
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import NO_MODEL, About, csv_response


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", _("Waiting")), ("resolved", _("Settled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("open", "resolved"):
            return queryset.filter(resolved_at__isnull=self.value() == "open")
        return queryset


class ReasonFilter(admin.AllValuesFieldListFilter):
    """Why a row is kept aside, in words."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            code = str(choice["display"])
            yield choice | {"display": rejection_words(code).meaning if code in REJECTION_CODES else code}


@admin.register(QuarantinedRow)
class QuarantinedRowAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    list_display = ("row_number", "feed", "meaning", "column", "external_id", "remedy", "resolved_at")
    list_filter = (StateFilter, ("code", ReasonFilter), "feed", "agency")
    list_select_related = ("feed", "agency")
    search_fields = ("external_id",)
    list_per_page = 50
    ordering = ("-run", "row_number")
    fields = (
        "feed",
        "run",
        "row_number",
        "external_id",
        "code",
        "column",
        "meaning",
        "remedy",
        "mapped_values",
        "resolved_at",
    )
    readonly_fields = fields
    actions = ("download", "replay")

    @admin.display(description=gettext_lazy("field"), ordering="field")
    def column(self, row: QuarantinedRow) -> str:
        return said(FIELDS[row.field].label) if row.field in FIELDS else row.field or "–"

    @admin.display(description=gettext_lazy("what is wrong"), ordering="code")
    def meaning(self, row: QuarantinedRow) -> str:
        return rejection_words(row.code).meaning

    @admin.display(description=gettext_lazy("what to do"))
    def remedy(self, row: QuarantinedRow) -> str:
        return rejection_words(row.code).remedy

    @admin.display(description=gettext_lazy("mapped columns"))
    def mapped_values(self, row: QuarantinedRow) -> str:
        lines = format_html_join("", "<tr><th>{}</th><td>{}</td></tr>", row.values.items())
        return format_html('<table class="wizard-table">{}</table>', lines)

    @admin.action(description=gettext_lazy("Download as CSV"), permissions=["view"])
    def download(self, request: HttpRequest, queryset: QuerySet[QuarantinedRow]) -> HttpResponseBase:
        rows = queryset.select_related("feed", "agency").order_by("feed", "run", "row_number")
        names = sorted(queryset.order_by().values_list("agency__name", flat=True).distinct())
        return csv_response(
            "quarantine.csv",
            about=About(
                what=_("Rows that could not be imported, with the reason"),
                agency=", ".join(names) or _("no agency"),
                asked=_("The rows selected; mapped columns only"),
                zone="UTC",
                model=NO_MODEL,
                more=(
                    _("Downloaded by %(user)s") % {"user": request.user},
                    _("Times inside the rows are as the source wrote them"),
                ),
            ),
            columns=[
                "agency",
                "feed",
                "file_row",
                "external_id",
                "code",
                "field",
                "meaning",
                "remedy",
                "values",
            ],
            rows=(
                [
                    row.agency.slug,
                    row.feed.slug,
                    row.row_number,
                    row.external_id,
                    row.code,
                    row.field,
                    self.meaning(row),
                    self.remedy(row),
                    json.dumps(row.values, ensure_ascii=False),
                ]
                for row in rows.iterator(chunk_size=2_000)
            ),
        )

    @admin.action(
        description=gettext_lazy("Read again all waiting rows of the selected feeds and codes"),
        permissions=["view"],
    )
    def replay(self, request: HttpRequest, queryset: QuerySet[QuarantinedRow]) -> None:
        wanted: dict[int, set[str]] = {}
        for feed_id, code in (
            queryset.filter(resolved_at=None).values_list("feed", "code").order_by().distinct()
        ):
            wanted.setdefault(feed_id, set()).add(code)
        for feed in Feed.objects.filter(pk__in=wanted):
            try:
                run = services.quarantine_replay_queue(
                    feed=feed,
                    codes=wanted[feed.pk],
                    requested_by=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
                )
            except MissionsError as exc:
                messages.error(request, str(exc))
                continue
            import_task.delay_on_commit(run.pk)
            url = reverse("admin:ingestion_importrun_change", args=[run.pk])
            messages.info(
                request,
                format_html(_('Reading kept rows of “{}” again: <a href="{}">progress</a>.'), feed, url),
            )
        if not wanted:
            messages.warning(request, _("None of the selected rows is waiting."))
