"""This room's part of the dashboard: plans, and the rounds of the schedule."""

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from agencies import dashboards
from agencies.admin_clock import local
from agencies.admin_run_rows import COLUMNS, run_row
from agencies.dashboards import Cell, Panel
from agencies.models import Agency
from missions_project.lib.sentences import said_again
from patrols.models import MissionPlan, ShiftPlanning

SHOWN_ROUNDS = 6
TONES = {ShiftPlanning.State.DONE: "good", ShiftPlanning.State.FAILED: "bad"}


def plan_panels(agency: Agency) -> list[Panel]:
    """The last plan and the newest rounds of planning by schedule. Three queries."""
    rounds = (
        ShiftPlanning.objects.filter(agency=agency).select_related("shift").order_by("-due_at")[:SHOWN_ROUNDS]
    )
    return [
        Panel(_("Plans"), COLUMNS, [run_row(agency, MissionPlan, _("Plan"))], ""),
        Panel(
            _("Planning by schedule"),
            (_("Shift"), _("Date"), _("Due"), _("State"), _("Ended"), _("What happened")),
            [
                [
                    Cell(str(row.shift), reverse("admin:patrols_shiftplanning_change", args=[row.pk])),
                    Cell(date_format(row.on)),
                    Cell(local(row.due_at, agency)),
                    Cell(row.get_state_display(), tone=TONES.get(ShiftPlanning.State(row.state), "")),
                    Cell(local(row.finished_at, agency)),
                    Cell(said_again(row.message) or "–"),
                ]
                for row in rounds
            ],
            _("No shift was planned by schedule yet: it begins with the first approved model."),
            reverse("admin:patrols_planschedule_changelist"),
        ),
    ]


dashboards.register(plan_panels, order=40)
