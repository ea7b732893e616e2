"""Forecast effectiveness: what missions' boxes held of what happened, against chance and against a plain count."""

import datetime as dt
import math
from collections import defaultdict
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agencies.access import SEES_RISK
from agencies.models import Agency
from forecasting.models import Grid, RiskSurface
from forecasting.selectors import active_grid
from missions_project.lib.lazy import gettext_lazy
from patrols.models import MissionPlan
from tactics.reports import effectiveness_tables as tables
from tactics.reports.asked import Asked
from tactics.reports.calibration_chart import calibration_charts, calibration_svg
from tactics.reports.caught import EVENTS, MOST_LAID_OUT, SEVERITY, WEIGHT, catches_of
from tactics.reports.crimes import Crimes, crimes_of
from tactics.reports.effectiveness_tables import Share, ratio_words, share_words
from tactics.reports.kept_crimes import kept_crimes_of
from tactics.reports.kinds import ReportKind
from tactics.reports.shapes import Chart, Figure, Report, Table
from tactics.reports.weekly_chart import pai_svg

DAY = dt.timedelta(days=1)
MOST_AT_ONCE = 40
"""Plans for which maps are laid out while somebody waits; the figures say of how many they are."""


class ForecastEffectiveness(ReportKind):
    """Shares of events, severity and patrol weight in missions; chance; the plain count; weeks; expected against observed."""

    slug: ClassVar[str] = "effectiveness"
    title: ClassVar[str] = gettext_lazy("Forecast effectiveness")
    what: ClassVar[str] = gettext_lazy(
        "What missions' boxes held of what happened, against chance and a plain count of the past; expected against observed."
    )
    roles: ClassVar[frozenset[str]] = SEES_RISK
    longest: ClassVar[int] = 366
    is_long: ClassVar[bool] = True

    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read plans, missions, crimes, and surfaces of at most 120 plans. At most sixteen queries.

        Raises ``MissionsError`` where there is no grid yet.
        """
        # A day more at both ends: the last night ends on the day after.
        return self._made(
            agency, asked, crimes_of(agency, asked, since=asked.first - DAY, until=asked.last + DAY)
        )

    def make_at_once(self, agency: Agency, asked: Asked) -> Report | None:
        """At most eleven queries. Fewer plans are laid out than in a new count, which is under way."""
        crimes = kept_crimes_of(agency, asked, since=asked.first - DAY, until=asked.last + DAY)
        return None if crimes is None else self._made(agency, asked, crimes, most=MOST_AT_ONCE)

    def _made(self, agency: Agency, asked: Asked, crimes: Crimes, most: int = MOST_LAID_OUT) -> Report:
        grid = active_grid(agency)
        plans = _plans(agency, asked, grid, before=crimes.read_at)
        catches, ground, unreadable = catches_of(agency, asked, crimes, plans, grid, most=most)
        shares = [Share.of(catches, measure) for measure in (EVENTS, SEVERITY, WEIGHT)]
        weeks, calibration = tables.weeks(catches), tables.calibration(catches, ground)
        return Report(
            slug=self.slug,
            title=self.title,
            agency=agency.name,
            agency_slug=agency.slug,
            zone=agency.time_zone,
            asked=asked,
            made_at=crimes.read_at,
            sentence=_sentence(shares[EVENTS]),
            figures=_figures(shares),
            tables=(
                tables.shares(shares),
                weeks,
                tables.types(crimes, catches, _expected(asked, crimes, plans)),
                calibration,
            ),
            charts=(*_pai_chart(weeks), *calibration_charts(calibration)),
            notes=(
                _(
                    "A description, not an effect: missions go where crime is expected, and may prevent it. Single boxes prove nothing: "
                    "at this scale even the best ones hold hundredths of an event a shift. Whether missions mattered: Studies."
                ),
                _(
                    "Always going to the top boxes would hold more; missions are drawn at random, so that nobody can foresee them and "
                    "their effect can be measured."
                ),
                *_left_out(unreadable),
            ),
            about=(
                _(
                    "Published plans on the grid in use, as they stood at the end (withdrawn missions left out, added ones counted); "
                    "events by the beginning of their time"
                ),
            ),
        )

    def chart(self, report: Report, slug: str) -> bytes | None:
        if slug == "calibration":
            return calibration_svg(report.table("calibration"))
        return pai_svg(report.table("weeks")) if slug == "pai" else None


def _pai_chart(weeks: Table) -> tuple[Chart, ...]:
    """The chart of the weeks; none without any."""
    alt = _(
        "Share of events in missions over the share of boxes, week by week, with 95 % intervals where a week has enough events and days; beside it "
        "the boxes of a plain count, and chance, which is 1."
    )
    return (Chart("pai", _("Weeks"), alt, "weeks", 720, 330),) if weeks.rows else ()


def _left_out(unreadable: int) -> tuple[str, ...]:
    """What is said where forecasts could not be read; nothing where all could."""
    if not unreadable:
        return ()
    words = ngettext(
        "The forecast of %(count)s shift cannot be read any more (damaged, or of another grid): that shift is missing from what a plain count "
        "would have held and from the calibration.",
        "The forecasts of %(count)s shifts cannot be read any more (damaged, or of another grid): these shifts are missing from what a plain count "
        "would have held and from the calibration.",
        unreadable,
    )
    return (words % {"count": f"{unreadable:,}"},)


def _plans(agency: Agency, asked: Asked, grid: Grid, *, before: dt.datetime) -> list[MissionPlan]:
    rows = MissionPlan.objects.filter(
        agency=agency,
        state=MissionPlan.State.PUBLISHED,
        decision=0,
        grid=grid,
        on__range=(asked.first, asked.last),
        # Of a shift that was not over when the crimes were read, all is expected and not all has happened.
        period_to__lte=before,
    )
    if asked.shift:
        rows = rows.filter(shift__slug__in=asked.shift)
    return list(rows.defer("design", "log", "config_snapshot").order_by("period_from", "pk"))


def _expected(asked: Asked, crimes: Crimes, plans: list[MissionPlan]) -> dict[int, float] | None:
    """What the plans' forecasts expected by crime type, whole jurisdiction; None inside a choice of beats. One query."""
    if asked.district or asked.beat:
        return None
    position = {crime_type.pk: number for number, crime_type in enumerate(crimes.types)}
    total: dict[int, float] = defaultdict(float)
    runs = [plan.forecast_run_id for plan in plans if plan.forecast_run_id]
    rows = RiskSurface.objects.filter(run__in=runs, crime_type__in=list(position))
    for crime_type, expected in rows.values_list("crime_type_id", "expected_total").iterator():
        total[position[crime_type]] += expected
    return total


def _figures(shares: list[Share]) -> tuple[Figure, ...]:
    events, severity, weight = shares
    plans = _("%(measured)s of %(catches)s plans") % {
        "measured": f"{events.laid_out:,}",
        "catches": f"{events.plans:,}",
    }
    return (
        Figure(
            _("Events in missions"),
            share_words(events.inside, events.whole),
            _("%(caught)s of %(events)s")
            % {"caught": f"{events.inside:,.0f}", "events": f"{events.whole:,.0f}"},
        ),
        Figure(
            _("Severity in missions"),
            share_words(severity.inside, severity.whole),
            _("by the weights of crime types"),
        ),
        Figure(
            _("Patrol weight in missions"),
            share_words(weight.inside, weight.whole),
            _("expected harm, before the shift; %(plans)s") % {"plans": plans},
        ),
        Figure(
            _("Chance"),
            share_words(events.chance, events.whole),
            _("as many boxes of each beat, picked blindly"),
        ),
        Figure(
            _("A plain count"),
            share_words(events.plain, events.plain_whole),
            _("always the boxes with most crime so far; %(plans)s") % {"plans": plans},
        ),
        Figure(
            _("Times chance"),
            ratio_words(events.inside, events.chance),
            _interval_words(events.over_chance, digits=2) if events.chance else "",
        ),
        Figure(
            _("Times a plain count"),
            ratio_words(events.plain_inside, events.plain),
            _interval_words(events.over_plain, digits=2) if events.plain else "",
        ),
    )


def _interval_words(interval: tuple[float, float], *, digits: int) -> str:
    low, high = interval
    if math.isnan(low):
        return _("one week gives no interval")
    return _("95 %% interval %(low)s to %(high)s") % {
        "low": f"{low:.{digits}f}",
        "high": f"{high:.{digits}f}",
    }


def _sentence(events: Share) -> str:
    if not events.whole or not events.chance:
        return _("Nothing can be said: there were no plans, or no events in their shifts.")
    told = _(
        "Missions' boxes held %(caught)s of the events in their shifts, %(chance)s times what chance would have (%(interval)s)."
    ) % {
        "caught": share_words(events.inside, events.whole),
        "chance": f"{events.inside / events.chance:.1f}",
        "interval": _interval_words(events.over_chance, digits=1),
    }
    if not events.plain:
        return told
    plain = _("That is %(times)s times what the boxes of a plain count would have held (%(interval)s).") % {
        "times": f"{events.plain_inside / events.plain:.2f}",
        "interval": _interval_words(events.over_plain, digits=2),
    }
    return f"{told} {plain}"
