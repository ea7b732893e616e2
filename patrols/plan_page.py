"""What a plan covers, on one page before it is published: harm, lower-risk areas, saturation, fairness, and its design."""

import datetime as dt
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from agencies.access import SEES_PLANS, Access, agency_page
from patrols.coverage import CellStrip, plan_coverage
from patrols.dosage import BoxMinutes, minutes_on_record
from patrols.models import Mission, MissionPlan

LEVELS = 5
"""Shades of a strip's day: none, up to a quarter, a half, three quarters, and above of the limit of the whole window."""


@dataclass(frozen=True)
class StripRow:
    """One mission's box with its planned minutes by day, each with a shade 0..4."""

    mission: Mission
    strip: CellStrip
    days: tuple[tuple[dt.date, int, int], ...]
    seen: BoxMinutes

    @property
    def share(self) -> int:
        """Planned minutes of the window as a percentage of the limit."""
        return round(100 * self.strip.total / self.strip.limit) if self.strip.limit else 0


def _shade(minutes: int, limit: int) -> int:
    return 0 if minutes == 0 else min(LEVELS - 1, 1 + int(minutes * 4 / max(limit, 1)))


@require_GET
@agency_page(SEES_PLANS)
def plan(request: HttpRequest, access: Access, plan_id: int) -> HttpResponse:
    """The plan's own page. At most thirteen queries, however many missions."""
    row = get_object_or_404(
        MissionPlan.objects.select_related("agency", "shift", "grid", "forecast_run", "published_by"),
        pk=plan_id,
        agency=access.agency,
    )
    context: dict[str, object] = {"tab": "shift", "access": access, "plan": row}
    if row.is_finished and not row.error:
        context |= _coverage(row)
    return render(request, "patrols/plan.html", context)


def _coverage(row: MissionPlan) -> dict[str, object]:
    """What the page tells of a finished plan."""
    coverage = plan_coverage(row)
    missions = Mission.objects.filter(plan=row).select_related("beat", "crime_type").defer("why")
    by_cell = {mission.cell_id: mission for mission in missions}
    window = len(coverage.saturation[0].days) if coverage.saturation else 0
    seen = minutes_on_record(row.agency, row, list(by_cell), window)
    return {
        "coverage": coverage,
        "share": coverage.harm_expected / coverage.harm_total if coverage.harm_total else 0.0,
        "strips": [
            _strip_row(by_cell[strip.cell_id], strip, row.on, seen.get(strip.cell_id, BoxMinutes()))
            for strip in sorted(coverage.saturation, key=lambda strip: -strip.total)
        ],
        "window": window,
    }


def _strip_row(mission: Mission, strip: CellStrip, on: dt.date, seen: BoxMinutes) -> StripRow:
    first = on - dt.timedelta(days=len(strip.days) - 1)
    days = tuple(
        (first + dt.timedelta(days=number), minutes, _shade(minutes, strip.limit))
        for number, minutes in enumerate(strip.days)
    )
    return StripRow(mission, strip, days, seen)
