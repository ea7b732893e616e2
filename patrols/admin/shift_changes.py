"""What other hours of a shift would mean for what is planned already."""

import datetime as dt

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from agencies import previews
from agencies.admin_clock import local, local_time
from agencies.dashboards import Cell, Panel
from agencies.models import Agency, Shift
from agencies.selectors import shift_instance_of
from missions_project.lib.errors import MissionsError
from patrols.models import Mission, MissionPlan

SHOWN = 10


def planned_panels(agency: Agency, before: Shift | None, after: Shift) -> list[Panel]:
    """Plans of instances that are not over, with the missions that would start outside the new hours. Two queries."""
    if before is None:
        return []
    plans = list(
        MissionPlan.objects.filter(agency=agency, shift=before, period_to__gt=timezone.now())
        .exclude(status="failed")
        .order_by("period_from", "pk")[:SHOWN]
    )
    starts: dict[int, list[dt.datetime]] = {}
    for plan_id, at in Mission.objects.filter(agency=agency, plan__in=plans, withdrawn_at=None).values_list(
        "plan_id", "starts_at"
    ):
        starts.setdefault(plan_id, []).append(at)
    rows = [_row(agency, plan, after, starts.get(plan.pk, [])) for plan in plans]
    return [
        Panel(
            _("Plans that stand already"),
            (
                _("Plan"),
                _("State"),
                _("Planned for"),
                _("Would be"),
                _("Missions"),
                _("Outside the new hours"),
            ),
            rows,
            _("No plan of this shift is ahead: the next one is drawn for the new hours."),
            notes=(
                _("Plans keep the hours they were drawn for; those drawn after saving have the new ones."),
            )
            if rows
            else (),
        )
    ]


def _row(agency: Agency, plan: MissionPlan, after: Shift, starts: list[dt.datetime]) -> list[Cell]:
    try:
        new_from, new_to = shift_instance_of(agency, after, plan.on)
    except MissionsError:
        would, outside = _("not at all on that day"), len(starts)
    else:
        would = _("%(local)s to %(local_2)s") % {
            "local": local(new_from, agency),
            "local_2": local_time(new_to, agency),
        }
        outside = sum(not new_from <= at < new_to for at in starts)
    return [
        Cell(date_format(plan.on), reverse("admin:patrols_missionplan_change", args=[plan.pk])),
        Cell(plan.get_state_display()),
        Cell(
            _("%(local)s to %(local_2)s")
            % {"local": local(plan.period_from, agency), "local_2": local_time(plan.period_to, agency)}
        ),
        Cell(would),
        Cell(f"{len(starts):,}", number=True),
        Cell(f"{outside:,}", tone="warn" if outside else "", number=True),
    ]


previews.register(Shift, planned_panels, order=40)
