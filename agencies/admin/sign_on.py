"""Which groups of an identity provider have which role in the agency."""

from django.contrib import admin

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin
from agencies.models import GroupRole


@admin.register(GroupRole)
class GroupRoleAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("group", "provider", "role", "agency")
    list_filter = ("agency", "role")
    list_select_related = ("agency",)
    search_fields = ("group", "provider")
    fields = ("agency", "provider", "group", "role")
