"""Each person's own choice of what to be told about plans, and how."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from agencies.access import SEES_PLANS, Access, agency_page
from agencies.models import Membership
from missions_project.lib.errors import MissionsError
from patrols.forms import NoticesForm
from patrols.models import NoticeChoice
from patrols.services import notice_choice_set, notice_secret_renew


@never_cache
@require_http_methods(["GET", "POST"])
@agency_page(SEES_PLANS)
def notices(request: HttpRequest, access: Access) -> HttpResponse:
    """Show and keep the person's choice. A web-hook's secret stands in the answer to one POST, and never again."""
    if access.membership is None:
        raise PermissionDenied(_("Notices go to members of the agency; the operator is none."))
    choice = NoticeChoice.objects.filter(membership=access.membership).first()
    form, secret = NoticesForm(request.POST or None, choice=choice), ""
    if request.method == "POST" and "renew" in request.POST:
        form, secret = _renewed(request, choice)
    elif form.is_valid():
        secret = _kept(request, form, access.membership)
    choice = NoticeChoice.objects.filter(membership=access.membership).first()
    sent = list(choice.deliveries.order_by("-created_at")[:10]) if choice else []
    context = {
        "tab": "notices",
        "access": access,
        "form": form,
        "secret": secret,
        "choice": choice,
        "sent": sent,
    }
    return render(request, "patrols/notices.html", context)


def _kept(request: HttpRequest, form: NoticesForm, membership: Membership) -> str:
    try:
        _choice, secret = notice_choice_set(membership=membership, **form.cleaned_data)
    except (MissionsError, ValidationError) as exc:
        form.add_error(None, " ".join(exc.messages) if isinstance(exc, ValidationError) else str(exc))
        return ""
    messages.success(request, _("Kept."))
    return secret


def _renewed(request: HttpRequest, choice: NoticeChoice | None) -> tuple[Any, str]:
    form = NoticesForm(None, choice=choice)
    try:
        if choice is None:
            raise MissionsError(_("There is no web-hook."), next_step=_("enter its address first."))
        return form, notice_secret_renew(choice=choice)
    except MissionsError as exc:
        messages.error(request, str(exc))
        return form, ""
