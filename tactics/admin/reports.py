"""Saved reports, and what became of those that were sent."""

from typing import ClassVar

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from tactics.models import ReportMail, ReportPolicy, SavedReport


@admin.register(ReportPolicy)
class ReportPolicyAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("agency", "unit_activity")
    list_select_related = ("agency",)
    fields = ("agency", "unit_activity")


@admin.register(SavedReport)
class SavedReportAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    """Made and deleted on the reports' pages."""

    none_yet = _("Reports are saved on their own pages: Reports.")
    list_display = ("name", "agency", "kind", "days", "sends", "is_shared", "owner")
    list_filter = ("agency", "kind", "sends")
    list_select_related = ("agency", "owner")
    search_fields = ("name",)


@admin.register(ReportMail)
class ReportMailAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    """Written by the dispatcher."""

    none_yet = _("Saved reports that are sent by e-mail leave one here each time.")
    list_display = ("saved", "agency", "membership", "on", "state", "attempts", "sent_at", "error")
    list_filter = ("agency", "state")
    list_select_related = ("agency", "saved", "membership__user")
    fields: ClassVar[tuple[str, ...]] = (
        "saved",
        "membership",
        "on",
        "state",
        "attempts",
        "next_at",
        "sent_at",
        "error",
    )
