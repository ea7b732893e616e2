"""The address that open boards ask every other second: has the plan or an alert changed."""

import json

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from agencies.access import SEES_PLANS
from agencies.grants import asks_itself
from agencies.lookups import date_from_text
from ingestion.live_views import alerts_make, conditional_answer, mark_answer, told_marks
from missions_project.lib.errors import MissionsError
from patrols.board_cache import plan_make, standing_make


@asks_itself
@require_GET
def version(request: HttpRequest, agency_slug: str, on: str, shift_slug: str) -> HttpResponseBase:
    """The marks of what an open board shows. No query while nothing changed and the session is known."""
    try:
        date = date_from_text(on)
    except MissionsError as exc:
        raise Http404(str(exc)) from exc

    def tell(request: HttpRequest, agency_id: int) -> HttpResponseBase:
        makes = (
            plan_make(agency_id, shift_slug, date) | standing_make(agency_id, date) | alerts_make(agency_id)
        )
        plan, notes, alerts = told_marks(agency_id, makes)
        body = json.dumps({"alerts": alerts, "plan": plan, "notes": notes})
        return conditional_answer(request, lambda: body, f'"{alerts}{plan}{notes}"', "application/json")

    return mark_answer(request, agency_slug, SEES_PLANS, tell)
