"""The print-out, and the colours of crime types."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import EVERYONE, SEES_PLANS, Access, agency_page
from missions_project.lib.days import weekday_and_day
from patrols.board import rows_by_beat, type_style_sheet
from patrols.board_page import instance_of, load
from patrols.printing import beat_sheets


@require_GET
@agency_page(SEES_PLANS)
def print_sheets(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """One page per beat, legible in black and white."""
    loaded = load(request, access, instance_of(access, on, shift_slug))
    if loaded.plan is None or loaded.plan.grid is None:
        raise Http404(_("There is no plan for this shift yet."))
    standing = [row for row in loaded.shown if row.state != "withdrawn"]
    words = {"access": access, "plan": loaded.plan}
    context = {
        **words,
        # The same on every sheet, and a city has hundreds.
        "table_head": render_to_string("patrols/_sheet_head.html", words),
        "sheet_foot": render_to_string("patrols/_sheet_foot.html", words),
        "shift": loaded.instance.shift,
        "day": weekday_and_day(loaded.plan.on),
        "sheets": beat_sheets(access.agency, loaded.plans, rows_by_beat(standing)),
        "looks": loaded.looks,
        "missions": ",".join(str(row.mission.pk) for row in standing),
    }
    return render(request, "patrols/print.html", context)


@require_GET
@agency_page(EVERYONE)
def type_styles(request: HttpRequest, access: Access) -> HttpResponse:
    return HttpResponse(
        type_style_sheet(access.agency),
        content_type="text/css; charset=utf-8",
        headers={"Cache-Control": "private, max-age=300"},
    )
