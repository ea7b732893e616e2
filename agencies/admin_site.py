"""The admin site: open to agency administrators and the operator, closed to everybody else."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import administered_agencies
from agencies.checklist import checklist
from agencies.models import Membership, Role

SHOWN_CHECKLISTS = 5


class MissionsAdminSite(AdminSite):
    site_header = gettext_lazy("Missions administration")
    site_title = gettext_lazy("Missions")
    index_title = gettext_lazy("Set-up")

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not user.is_active or not user.is_authenticated:
            return False
        return user.is_superuser or Membership.objects.filter(user=user, role=Role.ADMIN).exists()

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        # The product's one sign-in: the admin's own page knows neither throttling nor second factors.
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied(_("Only agency administrators may open the administration."))
        target = request.GET.get("next") or reverse("admin:index")
        if request.user.is_authenticated:
            # Not Django's view: it would take a posted password from somebody who is signed in, as often as they like.
            return HttpResponseRedirect(reverse("admin:index"))
        return redirect_to_login(target, reverse("account_login"))

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        own = administered_agencies(request)
        shown = list(own[: SHOWN_CHECKLISTS + 1])
        lists = []
        for agency in shown[:SHOWN_CHECKLISTS]:
            items = checklist(agency)
            lists.append({"agency": agency, "items": items, "done": sum(item.done for item in items)})
        extra = {"checklists": lists, "more_agencies": len(shown) > SHOWN_CHECKLISTS, **(extra_context or {})}
        return super().index(request, extra)
