"""Forecast effectiveness: what missions' boxes held of what happened, against chance and against a plain count."""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.access import SEES_RISK
from agencies.models import Agency, Beat
from forecasting.models import Grid, RiskSurface
from forecasting.selectors import active_grid, baseline_values, cell_beats, grid_spec, surface_values
from missions_project.lib.lazy import gettext_lazy
from patrols.models import Mission, MissionPlan
from tactics.reports.asked import Asked
from tactics.reports.crimes import Crimes, crimes_of
from tactics.reports.kinds import ReportKind
from tactics.reports.shapes import Cell, Chart, Column, Figure, Report, Table
from tactics.reports.weekly_chart import pai_svg

MOST_BASELINES = 120
"""Plans for which the plain count is laid out: each means a hundred kilobytes a crime type."""
SURFACES_AT_ONCE = 24
DRAWS = 2_000
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NOWHERE: Ints = np.zeros(0, dtype=np.int64)


@dataclass
class PlanCatch:
    """One plan: its missions' boxes, and what happened in its shift. Severity is the sum of crime types' weights."""

    on: dt.date
    boxes: int
    cells: int
    harm: float
    harm_total: float
    events: int = 0
    caught: int = 0
    severity: float = 0.0
    severity_caught: float = 0.0
    chance: float = 0.0
    baseline: float | None = None
    by_type: dict[int, tuple[int, int, float]] = field(default_factory=dict)


class ForecastEffectiveness(ReportKind):
    """Shares of events, severity and patrol weight in missions; chance; the plain count; weeks; expected against observed."""

    slug: ClassVar[str] = "effectiveness"
    title: ClassVar[str] = gettext_lazy("Forecast effectiveness")
    what: ClassVar[str] = gettext_lazy(
        "What missions' boxes held of what happened, against chance and a plain count of the past; expected against observed."
    )
    roles: ClassVar[frozenset[str]] = SEES_RISK
    longest: ClassVar[int] = 366

    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read plans, missions, crimes, and surfaces of at most 120 plans. At most sixteen queries.

        Raises ``MissionsError`` where there is no grid yet.
        """
        grid = active_grid(agency)
        crimes = crimes_of(agency, asked, since=asked.first - dt.timedelta(days=1))
        plans = _plans(agency, asked, grid)
        catches = _catches(agency, asked, crimes, plans, grid)
        weeks, types = _weeks(catches), _types(crimes, catches, _expected(asked, crimes, plans))
        total = _Sum(catches)
        low, high = _interval(catches)
        measured = [one for one in catches if one.baseline is not None]
        return Report(
            slug=self.slug,
            title=self.title,
            agency=agency.name,
            agency_slug=agency.slug,
            zone=agency.time_zone,
            asked=asked,
            made_at=timezone.now(),
            sentence=_sentence(total, low, high),
            figures=(
                Figure(
                    _("Events in missions"),
                    _share(total.caught, total.events),
                    _("%(caught)s of %(events)s")
                    % {"caught": f"{total.caught:,}", "events": f"{total.events:,}"},
                ),
                Figure(
                    _("Severity in missions"),
                    _share(total.severity_caught, total.severity),
                    _("by the weights of crime types"),
                ),
                Figure(
                    _("Patrol weight in missions"),
                    _share(total.harm, total.harm_total),
                    _("expected harm, before the shift"),
                ),
                Figure(
                    _("Chance"),
                    _share(total.chance, total.events),
                    _("as many boxes of each beat, picked blindly"),
                ),
                Figure(
                    _("A plain count"),
                    _share(sum(one.baseline or 0.0 for one in measured), sum(one.events for one in measured)),
                    _("always the boxes with most crime so far; %(measured)s of %(catches)s plans")
                    % {"measured": f"{len(measured):,}", "catches": f"{len(catches):,}"},
                ),
                Figure(
                    _("Times chance"),
                    _ratio(total.caught, total.chance),
                    _interval_words(low, high, digits=2) if total.chance else "",
                ),
            ),
            tables=(weeks, types),
            charts=(
                Chart(
                    "pai",
                    _("Weeks"),
                    _("Share of events in missions over the share of boxes, week by week."),
                    "weeks",
                    720,
                    280,
                ),
            )
            if weeks.rows
            else (),
            notes=(
                _(
                    "A description, not an effect: missions go where crime is expected, and may prevent it. Single boxes prove nothing: "
                    "at this scale even the best ones hold hundredths of an event a shift. Whether missions mattered: Studies."
                ),
                _(
                    "Always going to the top boxes would hold more; missions are drawn at random, so that nobody can foresee them and "
                    "their effect can be measured."
                ),
            ),
            about=(
                _(
                    "Published plans on the grid in use, as they stood at the end (withdrawn missions left out, added ones counted); "
                    "events by the beginning of their time"
                ),
            ),
        )

    def chart(self, report: Report, slug: str) -> bytes | None:
        return pai_svg(report.table("weeks")) if slug == "pai" else None


def _plans(agency: Agency, asked: Asked, grid: Grid) -> list[MissionPlan]:
    rows = MissionPlan.objects.filter(
        agency=agency,
        state=MissionPlan.State.PUBLISHED,
        decision=0,
        grid=grid,
        on__range=(asked.first, asked.last),
    )
    if asked.shift:
        rows = rows.filter(shift__slug__in=asked.shift)
    return list(rows.defer("design", "log", "config_snapshot").order_by("period_from"))


def _catches(
    agency: Agency, asked: Asked, crimes: Crimes, plans: list[MissionPlan], grid: Grid
) -> list[PlanCatch]:
    spec, beats = grid_spec(grid), cell_beats(grid)
    inside = {
        pk
        for pk, code, district in Beat.objects.filter(agency=agency).values_list(
            "pk", "code", "district__code"
        )
        if asked.lets(beat=code, district=district)
    }
    cells_of = {int(pk): int(n) for pk, n in zip(*np.unique(beats, return_counts=True), strict=True)}
    missions: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    rows = Mission.objects.filter(agency=agency, plan__in=plans, withdrawn_at=None, beat__in=inside)
    for plan_id, cell, beat, harm in rows.values_list("plan_id", "cell_id", "beat_id", "harm").iterator():
        missions[plan_id].append((cell, beat, harm))
    at = crimes.table.occurred_utc[crimes.row]
    weight = np.array([row.weight for row in crimes.types])
    found = []
    counted: dict[int | None, list[tuple[PlanCatch, dict[int, int], Ints]]] = defaultdict(list)
    measured = (
        set(np.linspace(0, len(plans) - 1, min(len(plans), MOST_BASELINES)).astype(int).tolist())
        if plans
        else set()
    )
    for number, plan in enumerate(plans):
        own = missions[plan.pk]
        begin, end = (
            np.datetime64(int(moment.timestamp()), "s") for moment in (plan.period_from, plan.period_to)
        )
        here = np.flatnonzero((at >= begin) & (at < end) & (crimes.cell >= 0))
        here = here[np.isin(beats[crimes.cell[here]], list(inside))]
        boxes = spec.index_of([cell for cell, _beat, _harm in own])
        hit = np.isin(crimes.cell[here], boxes)
        kinds = crimes.kind[here]
        k: dict[int, int] = defaultdict(int)
        for _cell, beat, _harm in own:
            k[beat] += 1
        by_chance = np.array([k[int(beat)] / cells_of[int(beat)] for beat in beats[crimes.cell[here]]])
        share = float(plan.counts.get("harm_share") or 0.0)
        planned = sum(one for _cell, _beat, one in own)
        catch = PlanCatch(
            on=plan.on,
            boxes=len(own),
            cells=sum(cells_of.get(beat, 0) for beat in inside),
            harm=planned,
            harm_total=planned / share if share else 0.0,
            events=len(here),
            caught=int(hit.sum()),
            severity=float(weight[kinds].sum()),
            severity_caught=float(weight[kinds[hit]].sum()),
            chance=float(by_chance.sum()),
        )
        for kind in np.unique(kinds).tolist():
            of_kind = kinds == kind
            catch.by_type[kind] = (
                int(of_kind.sum()),
                int((of_kind & hit).sum()),
                float(by_chance[of_kind].sum()),
            )
        if number in measured and own:
            counted[plan.forecast_run_id].append((catch, dict(k), crimes.cell[here]))
        found.append(catch)
    weights = {row.pk: row.weight for row in crimes.types}
    order = np.argsort(beats, kind="stable")
    beat_keys, starts = np.unique(beats[order], return_index=True)
    boxes_of = dict(zip(beat_keys.tolist(), np.split(order, starts[1:]), strict=True))
    for run, plain in _plain_counts(list(counted), weights, grid):
        for catch, given, events in counted[run]:
            catch.baseline = _by_baseline(plain, boxes_of, given, events)
    return found


def _plain_counts(
    runs: list[int | None], weights: dict[int, float], grid: Grid
) -> Iterator[tuple[int, Floats]]:
    """Yield each run with its plain count, weighed by harm; none for a run without one. One query, few rows held at a time."""
    rows = (
        RiskSurface.objects.filter(run__in=[run for run in runs if run], crime_type__in=list(weights))
        .select_related("model_version", "crime_type")
        .order_by("run_id")
    )
    for run, surfaces in groupby(rows.iterator(chunk_size=SURFACES_AT_ONCE), key=attrgetter("run_id")):
        harm, some = np.zeros(grid.n_cells), False
        for surface in surfaces:
            values = baseline_values(surface, grid)
            # A baseline that is live has no surface beside it: it is its own.
            if values is None and surface.model_version.is_baseline:
                values = surface_values(surface, grid)
            if values is not None:
                harm += weights[surface.crime_type_id] * values
                some = True
        if some:
            yield run, harm


def _by_baseline(harm: Floats, boxes_of: dict[int, Ints], k: dict[int, int], events: Ints) -> float:
    """Events that the boxes with the highest plain count hold, as many in each beat as the plan has; ties share. No query."""
    caught = 0.0
    for beat, n in k.items():
        own = boxes_of.get(beat, NOWHERE)
        if n >= len(own):
            caught += float(np.isin(events, own).sum())
            continue
        cut = np.partition(harm[own], len(own) - n)[len(own) - n]
        above, level = own[harm[own] > cut], own[harm[own] == cut]
        share = (n - len(above)) / len(level)
        caught += float(np.isin(events, above).sum()) + share * float(np.isin(events, level).sum())
    return caught


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


class _Sum:
    def __init__(self, catches: list[PlanCatch]) -> None:
        for name in ("boxes", "cells", "events", "caught"):
            setattr(self, name, sum(getattr(one, name) for one in catches))
        for name in ("harm", "harm_total", "severity", "severity_caught", "chance"):
            setattr(self, name, float(sum(getattr(one, name) for one in catches)))

    boxes: int
    cells: int
    events: int
    caught: int
    harm: float
    harm_total: float
    severity: float
    severity_caught: float
    chance: float


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _ratio(part: float, whole: float) -> str:
    return f"{part / whole:.2f} ×" if whole else "–"


def _interval(catches: list[PlanCatch]) -> tuple[float, float]:
    """95 % interval of events in missions over chance: weeks drawn with replacement (block bootstrap); NaN with one week."""
    weeks = _by_week(catches)
    caught = np.array([sum(one.caught for one in week) for week in weeks.values()], dtype=float)
    chance = np.array([sum(one.chance for one in week) for week in weeks.values()], dtype=float)
    # One week drawn again and again is the same week: an interval without width, which reads as certainty.
    if not chance.sum() or len(chance) < 2:
        return float("nan"), float("nan")
    pick = np.random.default_rng(len(catches)).integers(0, len(caught), (DRAWS, len(caught)))
    below = chance[pick].sum(axis=1)
    ratios = caught[pick].sum(axis=1)[below > 0] / below[below > 0]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)


def _interval_words(low: float, high: float, *, digits: int) -> str:
    if math.isnan(low):
        return _("one week gives no interval")
    return _("95 %% interval %(low)s to %(high)s") % {
        "low": f"{low:.{digits}f}",
        "high": f"{high:.{digits}f}",
    }


def _by_week(catches: list[PlanCatch]) -> dict[dt.date, list[PlanCatch]]:
    weeks: dict[dt.date, list[PlanCatch]] = defaultdict(list)
    for one in catches:
        weeks[one.on - dt.timedelta(days=one.on.weekday())].append(one)
    return dict(sorted(weeks.items()))


def _weeks(catches: list[PlanCatch]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for monday, week in _by_week(catches).items():
        total = _Sum(week)
        hit = total.caught / total.events if total.events else None
        area = total.boxes / total.cells if total.cells else None
        rows.append(
            (monday.isoformat(), total.boxes, total.events, total.caught, hit, total.chance / total.events if total.events else None,
             area, hit / area if hit is not None and area else None)
        )  # fmt: skip
    return Table(
        "weeks",
        _("By week"),
        (
            Column("week_from", _("Week from")), Column("boxes", _("Missions"), "int"), Column("events", _("Events"), "int"),
            Column("events_in_missions", _("In missions"), "int"), Column("share", _("Share"), "share"), Column("chance", _("Chance"), "share"),
            Column("area", _("Boxes of all"), "share", digits=2), Column("pai", "PAI", "number", digits=2, about=_("Share of events over share of boxes")),
        ),
        rows,
        note=_("PAI: prediction accuracy index, the share of events in missions over the share of boxes. A week holds few events in "
        "missions; its PAI jumps by chance."),
        empty=_("No published plan on the grid in use in this period."),
    )  # fmt: skip


def _types(crimes: Crimes, catches: list[PlanCatch], expected: dict[int, float] | None) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for position, crime_type in enumerate(crimes.types):
        parts = [one.by_type[position] for one in catches if position in one.by_type]
        events, caught = sum(p[0] for p in parts), sum(p[1] for p in parts)
        chance = float(sum(p[2] for p in parts))
        foreseen = expected[position] if expected is not None and position in expected else None
        rows.append(
            (crime_type.name, events, caught, caught / events if events else None, chance / events if events else None, foreseen,
             foreseen / events if foreseen is not None and events else None)
        )  # fmt: skip
    return Table(
        "types",
        _("By crime type"),
        (
            Column("crime_type", _("Crime type")), Column("events", _("Events"), "int"), Column("events_in_missions", _("In missions"), "int"),
            Column("share", _("Share"), "share"), Column("chance", _("Chance"), "share"), Column("expected", _("Expected"), "number"),
            Column("expected_over_observed", _("Expected / observed"), "number", digits=2, about=_("1 is a forecast that is right on average")),
        ),
        rows,
        note=_("Expected counts are those of the whole jurisdiction in these shifts, as forecast before them."),
    )  # fmt: skip


def _sentence(total: _Sum, low: float, high: float) -> str:
    if not total.events or not total.chance:
        return _("Nothing can be said: there were no plans, or no events in their shifts.")
    return _(
        "Missions' boxes held %(caught)s of the events in their shifts, %(chance)s times what chance would have (%(interval)s)."
    ) % {
        "caught": _share(total.caught, total.events),
        "chance": f"{total.caught / total.chance:.1f}",
        "interval": _interval_words(low, high, digits=1),
    }
