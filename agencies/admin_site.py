"""The admin site: open to agency administrators and the operator, closed to everybody else."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from agencies.models import Membership, Role


class MissionsAdminSite(AdminSite):
    site_header = "Missions administration"
    site_title = "Missions"
    index_title = "Set-up"

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not user.is_active or not user.is_authenticated:
            return False
        return user.is_superuser or Membership.objects.filter(user=user, role=Role.ADMIN).exists()
