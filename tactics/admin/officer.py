"""What officers' phones sent, wrote and expected; and what their page may do."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from tactics.models import Hunch, OfficerAction, OfficerPageSettings, VisitNote


@admin.register(OfficerPageSettings)
class OfficerPageSettingsAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("agency", "near_me")
    list_select_related = ("agency",)
    fields = ("agency", "near_me")


@admin.register(OfficerAction)
class OfficerActionAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    """What phones sent, with what was not accepted and why: the place to look when an officer says “I was there”."""

    none_yet = _("What officers' phones send from their page is kept here, whether it was accepted or not.")
    list_display = (
        "at",
        "kind",
        "unit",
        "mission_number",
        "status",
        "message",
        "officer",
        "received_at",
        "agency",
    )
    list_filter = ("agency", "status", "kind", "at")
    list_select_related = ("agency", "unit", "mission", "officer")
    date_hierarchy = "at"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("agency__boundary", "mission__why")

    @admin.display(description=_("mission"))
    def mission_number(self, action: OfficerAction) -> str:
        return str(action.mission.number) if action.mission else "–"


@admin.register(VisitNote)
class VisitNoteAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    """Notes about places. They can be deleted, in case something about a person slipped through the screen."""

    none_yet = _("Officers write notes about places on their page, at a visit.")
    list_display = ("written_at", "text", "unit", "officer", "agency")
    list_filter = ("agency", "written_at")
    list_select_related = ("agency", "engagement__unit", "officer")
    search_fields = ("text",)
    date_hierarchy = "written_at"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super(ReadOnlyAdminMixin, self).has_delete_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("agency__boundary")

    @admin.display(description=_("unit"))
    def unit(self, note: VisitNote) -> str:
        return str(note.engagement.unit or "–")


@admin.register(Hunch)
class HunchAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = _("Officers log them on their page, under “Log a hunch”.")
    list_display = ("made_at", "crime_type", "cell_id", "beat", "status", "officer", "agency")
    list_filter = ("agency", "status", "crime_type")
    list_select_related = ("agency", "crime_type", "beat", "officer")
    date_hierarchy = "made_at"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("agency__boundary", "beat__geometry")
