"""Machines' keys: the operator's. Only their hash is stored, so they are shown once, where they are made."""

from django.contrib import admin

from agencies.admin_base import OperatorAdmin
from ingestion.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(OperatorAdmin):
    list_display = ("token_key", "name", "user", "agency", "feed", "scope", "created", "expiry")
    list_filter = ("scope",)
    list_select_related = ("user", "agency", "feed")
    fields = ("token_key", "name", "user", "agency", "feed", "scope", "created", "expiry")
    readonly_fields = ("token_key", "user", "created")

    def has_add_permission(self, request, obj=None) -> bool:  # type: ignore[no-untyped-def]
        # A token made here would have no secret: knox makes both together.
        return False
