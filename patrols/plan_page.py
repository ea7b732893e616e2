"""What a plan covers, on one page before it is published: harm, lower-risk areas, saturation, fairness, and its design."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from html import escape

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import SEES_PLANS, Access, agency_page
from forecasting.templatetags.forecasting_format import percent
from missions_project.lib.table_rows import decimals, table_rows, whole_numbers
from patrols.coverage import CellStrip, PlanCoverage, plan_coverage
from patrols.dosage import BoxMinutes, minutes_on_record
from patrols.models import Mission, MissionPlan

LEVELS = 5
"""Shades of a strip's day: none, up to a quarter, a half, three quarters, and above of the limit of the whole window."""


def _shade(minutes: int, limit: int) -> int:
    """How dark a day is drawn, 0 to 4."""
    return 0 if minutes == 0 else min(LEVELS - 1, 1 + int(minutes * 4 / max(limit, 1)))


@dataclass(frozen=True)
class _Days:
    """The window's days as they are written, once a page: nearly eight thousand days of a large city are the same 28."""

    short: tuple[str, ...]
    long: tuple[str, ...]

    @classmethod
    def until(cls, on: dt.date, window: int) -> "_Days":
        days = [on - dt.timedelta(days=back) for back in reversed(range(window))]
        return cls(
            tuple(date_format(day, "D j") for day in days), tuple(date_format(day, "D j M") for day in days)
        )

    def drawn(self, strip: CellStrip) -> SafeString:
        """The strip as HTML; a template takes a third of a second for those of a large city."""
        minutes = [_("%(minutes)s min") % {"minutes": one} for one in strip.days]
        spoken = ", ".join(f"{day}: {text}" for day, text in zip(self.short, minutes, strict=True))
        days = "".join(
            f'<span class="strip__day strip__day--{_shade(one, strip.limit)}" title="{escape(f"{day}: {text}")}"></span>'
            for one, day, text in zip(strip.days, self.long, minutes, strict=True)
        )
        drawn = f'<span class="strip" role="img" aria-label="{escape(spoken)}">{days}</span>'
        return mark_safe(drawn)  # nosec B308 B703 - numbers, and texts that are escaped


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
    days = _Days.until(row.on, window)
    whole = whole_numbers()
    strips: Sequence[CellStrip] = sorted(coverage.saturation, key=lambda strip: -strip.total)
    return {
        "coverage": coverage,
        "share": coverage.harm_expected / coverage.harm_total if coverage.harm_total else 0.0,
        "beat_rows": _beat_rows(coverage),
        "strip_rows": table_rows(
            [
                [
                    *_strip_cells(by_cell[one.cell_id], one, days.drawn(one)),
                    *map(whole, astuple(seen.get(one.cell_id, BoxMinutes()))),
                ]
                for one in strips
            ],
            [True, False, False, True, True, True, True],
        ),
        "window": window,
    }


def _beat_rows(coverage: PlanCoverage) -> SafeString:
    three = decimals(3)
    return table_rows(
        [
            (
                format_html('{} <small class="muted">{}</small>', row.beat.code, row.beat.district),
                str(row.missions),
                three(row.harm),
                format_html(
                    '<meter min="0" max="1" value="{}"></meter> <span class="num">{}</span>',
                    f"{row.share:.4f}",
                    percent(row.share),
                ),
            )
            for row in coverage.beats
        ],
        [False, True, True, False],
    )


def _strip_cells(mission: Mission, strip: CellStrip, drawn: SafeString) -> list[str]:
    """One mission's box with its planned minutes by day, drawn as a strip of shades."""
    kind = mission.crime_type
    place = format_html(
        '<span class="type-box type-{}">{}</span> {} <small class="muted">{}</small>',
        *(kind.slug, kind.letter, mission.place or mission.cell_id, _("beat %(code)s") % {"code": mission.beat.code}),
    )  # fmt: skip
    share = round(100 * strip.total / strip.limit) if strip.limit else 0
    return [str(mission.number), place, drawn, str(strip.total), f"{share} %"]
