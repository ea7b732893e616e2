"""Pages on which reports are kept, shared, put on a schedule, and taken off it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from agencies.access import SEES_PLANS, Access, agency_page
from agencies.lookups import pk_from_text
from agencies.models import Membership
from missions_project.lib.errors import MissionsError
from tactics.models import SavedReport
from tactics.reports.kinds import ReportKind, kept_names
from tactics.reports.pages import kind_of, my_saved
from tactics.services.saved_reports import saved_report_delete, saved_report_set


@require_POST
@agency_page(SEES_PLANS)
def report_save(request: HttpRequest, access: Access, slug: str) -> HttpResponse:
    """Keep the report that is on the page, under a name, or change one that is kept; with a schedule, have it sent."""
    kind = kind_of(access, slug)
    key = request.POST.get("saved")
    saved = my_saved(access, key, kind=kind.slug) if key else None
    try:
        row = saved_report_set(
            agency=access.agency,
            owner=access.user,
            kind=kind.slug,
            saved=saved,
            **_sent(request, access, kind),
        )
    except MissionsError as exc:
        messages.error(request, str(exc))
        page = reverse("tactics:report", args=[access.agency.slug, kind.slug])
        return redirect(f"{page}?saved={saved.pk}" if saved else page)
    messages.success(request, _("Saved as “%(name)s”.") % {"name": row.name})
    return redirect("tactics:reports", access.agency.slug)


def _sent(request: HttpRequest, access: Access, kind: ReportKind) -> dict[str, Any]:
    """What the form says, for ``saved_report_set``. One query."""
    sent = request.POST
    keys = [pk_from_text(value) for value in sent.getlist("recipient")]
    people = Membership.objects.filter(agency=access.agency, pk__in=keys).select_related("user")
    return {
        "name": sent.get("name", ""),
        "days": pk_from_text(sent.get("days")),
        "filters": {name: sent.getlist(name) for name in kept_names(kind)},
        "is_shared": sent.get("is_shared") == "1",
        "sends": sent.get("sends", SavedReport.Sends.NEVER),
        "send_hour": pk_from_text(sent.get("send_hour")),
        "recipients": list(people.defer("agency__boundary")),
    }


@require_POST
@agency_page(SEES_PLANS)
def report_forget(request: HttpRequest, access: Access, saved_id: int) -> HttpResponse:
    """Delete a saved report of one's own; an administrator also one that is shared."""
    row = my_saved(access, saved_id)
    name = row.name
    saved_report_delete(saved=row)
    messages.success(request, _("“%(name)s” is deleted; it is not sent any more.") % {"name": name})
    return redirect("tactics:reports", access.agency.slug)
