"""The audit log: read, never written here."""

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    list_display = ("at", "agency", "actor_name", "action", "subject")
    list_filter = ("agency", "action", "at")
    search_fields = ("subject", "action")
    list_select_related = ("agency", "actor")
    date_hierarchy = "at"
    fields = ("at", "agency", "actor_name", "action", "subject", "what")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    @admin.display(description="who")
    def actor_name(self, event: AuditEvent) -> str:
        return str(event.actor) if event.actor else "a command or the worker"

    @admin.display(description="detail")
    def what(self, event: AuditEvent) -> str:
        return format_html("<pre>{}</pre>", json.dumps(event.detail, indent=2, ensure_ascii=False))
