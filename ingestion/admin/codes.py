"""What a feed's codes mean."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin
from agencies.admin_preview import PreviewFormMixin
from ingestion import services
from ingestion.models import OffenceCode, QuarantinedRow
from ingestion.tasks import import_task


@admin.register(OffenceCode)
class OffenceCodeAdmin(PreviewFormMixin, AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("code", "description", "nibrs_code", "crime_type", "is_ignored", "feed")
    list_filter = ("feed", "crime_type", "is_ignored", "agency")
    list_select_related = ("feed", "crime_type", "agency")
    search_fields = ("code", "description")
    fields = (
        "agency",
        "feed",
        "code",
        "description",
        "nibrs_code",
        "crime_type",
        "is_ignored",
        "written_reason",
    )
    actions = ("ignore", "replay_unmapped")

    def save_model(self, request: HttpRequest, obj: OffenceCode, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        waiting = QuarantinedRow.objects.filter(feed=obj.feed, resolved_at=None, code="unmapped_code").count()
        if waiting:
            url = f"{reverse('admin:ingestion_quarantinedrow_changelist')}?feed__id__exact={obj.feed_id}&code=unmapped_code&state=open"
            messages.info(
                request,
                format_html(
                    _(
                        '{} rows of this feed wait for a mapping: <a href="{}">select them and read them again</a>.'
                    ),
                    f"{waiting:,}",
                    url,
                ),
            )

    @admin.action(
        description=gettext_lazy("Ignore: count rows with these codes, never store them"),
        permissions=["change"],
    )
    def ignore(self, request: HttpRequest, queryset: QuerySet[OffenceCode]) -> None:
        number = 0
        for code in queryset.filter(is_ignored=False):
            code.is_ignored, code.crime_type = True, None
            code.full_clean()
            code.save()
            self.audit(request, code, "changed", {"changed": {"is_ignored": [False, True]}})
            number += 1
        messages.success(
            request, _("%(number)s codes are ignored from the next import on.") % {"number": number}
        )

    @admin.action(
        description=gettext_lazy("Read again rows that wait for a mapping, in these codes' feeds"),
        permissions=["change"],
    )
    def replay_unmapped(self, request: HttpRequest, queryset: QuerySet[OffenceCode]) -> None:
        feeds = {code.feed for code in queryset.select_related("feed")}
        for feed in sorted(feeds, key=lambda feed: feed.pk):
            run = services.quarantine_replay_queue(
                feed=feed,
                codes=["unmapped_code", "code_conflict"],
                requested_by=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
            )
            import_task.delay_on_commit(run.pk)
            url = reverse("admin:ingestion_importrun_change", args=[run.pk])
            messages.info(
                request,
                format_html(_('Reading kept rows of “{}” again: <a href="{}">progress</a>.'), feed, url),
            )
