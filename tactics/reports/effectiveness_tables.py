"""The tables of the effectiveness report: three shares against chance and a plain count, weeks, crime types, calibration."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from tactics.reports.caught import EVENTS, TENTHS, WEIGHT, Ground, LaidOut, PlanCatch
from tactics.reports.crimes import Crimes
from tactics.reports.effectiveness_intervals import (
    LEAST_DAYS,
    LEAST_EVENTS,
    inverse_interval,
    monday,
    pai_interval,
    ratio_interval,
)
from tactics.reports.shapes import Cell, Column, Table

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """One measure (events, severity or patrol weight) of some plans, in its own unit.

    ``plain``, ``plain_inside``, ``plain_whole``: what the plain count's boxes, the missions' and all cells held in the plans that were
    laid out; the two are compared on these alone. ``over_chance``, ``over_plain``: 95 % intervals of the ratios, weeks drawn with
    replacement (block bootstrap), NaN with one week.
    """

    measure: int
    plans: int
    laid_out: int
    whole: float
    inside: float
    chance: float
    plain: float
    plain_inside: float
    plain_whole: float
    over_chance: tuple[float, float]
    over_plain: tuple[float, float]

    @classmethod
    def of(cls, catches: list[PlanCatch], measure: int) -> "Share":
        laid = [(one, one.laid_out) for one in catches if one.laid_out is not None]
        # Patrol weight is known where maps were laid out.
        own = [one for one, _maps in laid] if measure == WEIGHT else catches
        rows = [(one.on, one.inside[measure], one.chance[measure]) for one in own]
        beside = [(one.on, one.inside[measure], maps.plain[measure]) for one, maps in laid]
        return cls(
            measure=measure,
            plans=len(catches),
            laid_out=len(laid),
            whole=float(sum(one.whole[measure] for one in own)),
            inside=float(sum(row[1] for row in rows)),
            chance=float(sum(row[2] for row in rows)),
            plain=float(sum(row[2] for row in beside)),
            plain_inside=float(sum(row[1] for row in beside)),
            plain_whole=float(sum(one.whole[measure] for one, _maps in laid)),
            over_chance=ratio_interval(rows),
            over_plain=ratio_interval(beside),
        )


def share_words(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def ratio_words(part: float, whole: float) -> str:
    return f"{part / whole:.2f} ×" if whole else "–"


def _over(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def _ends(interval: tuple[float, float]) -> tuple[float | None, float | None]:
    """The ends as cells; what is not a number, or without bound, is not known."""
    low, high = (float(end) if np.isfinite(end) else None for end in interval)
    return low, high


def shares(found: list[Share]) -> Table:
    """Each measure in missions, by chance and in the boxes of a plain count; the ratios with their intervals."""
    names = (_("Events"), _("Severity"), _("Patrol weight"))
    rows: list[tuple[Cell, ...]] = [
        (names[one.measure], one.inside, one.whole, _over(one.inside, one.whole), _over(one.chance, one.whole), _over(one.inside, one.chance),
         *_ends(one.over_chance), _over(one.plain, one.plain_whole), _over(one.plain_inside, one.plain), *_ends(one.over_plain))
        for one in found if one.whole
    ]  # fmt: skip
    few = found[EVENTS]
    return Table(
        "shares",
        _("In missions, against chance and a plain count"),
        (
            Column("measure", _("What")), Column("in_missions", _("In missions"), "number"), Column("whole", _("Of all"), "number"),
            Column("share", _("Share"), "share"), Column("chance", _("Chance"), "share"), Column("times_chance", _("Times chance"), "number", digits=2),
            Column("times_chance_from", _("from"), "number", digits=2), Column("times_chance_to", _("to"), "number", digits=2),
            Column("plain_count", _("A plain count"), "share"), Column("times_plain_count", _("Times a plain count"), "number", digits=2),
            Column("times_plain_count_from", _("from"), "number", digits=2), Column("times_plain_count_to", _("to"), "number", digits=2),
        ),
        rows,
        note=_("Severity: events by the weights of their crime types. Patrol weight: expected harm before the shift. From, to: 95 %% intervals, "
        "weeks drawn with replacement. Patrol weight and the plain count are those of %(laid_out)s of %(plans)s plans, evenly spread; "
        "missions are held against the plain count on the same plans.") % {"laid_out": f"{few.laid_out:,}", "plans": f"{few.plans:,}"},
        empty=_("No published plan on the grid in use in this period."),
    )  # fmt: skip


def weeks(catches: list[PlanCatch]) -> Table:
    """Week by week, missions beside chance and beside the plain count's boxes of the plans that were laid out."""
    by_week: dict[dt.date, list[PlanCatch]] = defaultdict(list)
    for one in catches:
        by_week[monday(one.on)].append(one)
    rows: list[tuple[Cell, ...]] = []
    for begin, week in sorted(by_week.items()):
        events, caught, chance = (
            float(sum(getattr(one, name)[EVENTS] for one in week)) for name in ("whole", "inside", "chance")
        )
        area = _over(sum(one.boxes for one in week), sum(one.cells for one in week))
        hit, plain = _over(caught, events), _plain_share(week)
        rows.append(
            (begin.isoformat(), sum(one.boxes for one in week), int(events), int(caught), hit, _over(chance, events), plain, area,
             plain / area if plain is not None and area else None, hit / area if hit is not None and area else None,
             *_ends(pai_interval(week)))
        )  # fmt: skip
    return Table(
        "weeks",
        _("By week"),
        (
            Column("week_from", _("Week from")), Column("boxes", _("Missions"), "int"), Column("events", _("Events"), "int"),
            Column("events_in_missions", _("In missions"), "int"), Column("share", _("Share"), "share"), Column("chance", _("Chance"), "share"),
            Column("plain_count", _("A plain count"), "share"), Column("area", _("Boxes of all"), "share", digits=2),
            Column("pai_plain_count", _("PAI of a plain count"), "number", digits=2),
            Column("pai", "PAI", "number", digits=2, about=_("Share of events over share of boxes")),
            Column("pai_low", _("PAI from"), "number", digits=2), Column("pai_high", _("PAI to"), "number", digits=2),
        ),
        rows,
        note=_("PAI: prediction accuracy index, the share of events in missions over the share of boxes. A week holds few events in "
        "missions; its PAI jumps by chance. From, to: 95 %% intervals, the week's days drawn with replacement; not known with fewer than "
        "%(days)s days, or than %(least)s events in missions or outside. The plain count is that of %(laid_out)s of %(plans)s plans.") % (_of_how_many(catches) | {"days": LEAST_DAYS, "least": LEAST_EVENTS}),
        empty=_("No published plan on the grid in use in this period."),
    )  # fmt: skip


def _of_how_many(catches: list[PlanCatch]) -> dict[str, str | int]:
    laid = sum(one.laid_out is not None for one in catches)
    return {"laid_out": f"{laid:,}", "plans": f"{len(catches):,}"}


def _plain_share(week: list[PlanCatch]) -> float | None:
    laid = [(one.whole[EVENTS], one.laid_out.plain[EVENTS]) for one in week if one.laid_out is not None]
    return _over(sum(plain for _whole, plain in laid), sum(whole for whole, _plain in laid))


def types(crimes: Crimes, catches: list[PlanCatch], expected: dict[int, float] | None) -> Table:
    """Crime type by crime type; ``expected``: counts of the whole jurisdiction by position of the type, None inside a choice of beats."""
    rows: list[tuple[Cell, ...]] = []
    for position, crime_type in enumerate(crimes.types):
        own = [one for one in catches if position in one.by_type]
        events, caught = (sum(one.by_type[position][part] for one in own) for part in (0, 1))
        chance = float(sum(one.by_type[position][2] for one in own))
        laid = [one for one in own if one.laid_out is not None]
        plain = sum(one.laid_out.plain_by_type[position] for one in laid if one.laid_out is not None)
        foreseen = expected[position] if expected is not None and position in expected else None
        rows.append(
            (crime_type.name, events, caught, _over(caught, events), _over(chance, events), _over(plain, sum(one.by_type[position][0] for one in laid)),
             foreseen, foreseen / events if foreseen is not None and events else None)
        )  # fmt: skip
    return Table(
        "types",
        _("By crime type"),
        (
            Column("crime_type", _("Crime type")), Column("events", _("Events"), "int"), Column("events_in_missions", _("In missions"), "int"),
            Column("share", _("Share"), "share"), Column("chance", _("Chance"), "share"), Column("plain_count", _("A plain count"), "share"),
            Column("expected", _("Expected"), "number"),
            Column("expected_over_observed", _("Expected / observed"), "number", digits=2, about=_("1 is a forecast that is right on average")),
        ),
        rows,
        note=_("Expected counts are those of the whole jurisdiction in these shifts, as forecast before them. The plain count is that of "
        "%(laid_out)s of %(plans)s plans.") % _of_how_many(catches),
    )  # fmt: skip


def calibration(catches: list[PlanCatch], ground: Ground) -> Table:
    """Expected against observed counts: all, by district, and by tenth of the cells from the riskiest on."""
    laid: list[tuple[dt.date, LaidOut]] = [
        (one.on, one.laid_out) for one in catches if one.laid_out is not None
    ]
    n = len(ground.districts)
    every = np.arange(n, n + TENTHS)
    groups = [(_("All"), "", every)]
    groups += [(_("District"), name, np.array([place])) for place, name in enumerate(ground.districts)]
    groups += [
        (_("Tenth of cells by risk"), f"{place + 1}", np.array([n + place])) for place in range(TENTHS)
    ]
    rows: list[tuple[Cell, ...]] = []
    for what, which, own in groups if laid else []:
        sums = [(on, float(one.expected[own].sum()), float(one.observed[own].sum())) for on, one in laid]
        expected, observed = sum(row[1] for row in sums), sum(row[2] for row in sums)
        rows.append(
            (what, which, expected, int(observed), _over(expected, observed), *_ends(inverse_interval(sums)))
        )
    return Table(
        "calibration",
        _("Expected against observed"),
        (
            Column("group", _("Of")), Column("which", _("Which")), Column("expected", _("Expected"), "number"), Column("observed", _("Observed"), "int"),
            Column("expected_over_observed", _("Expected / observed"), "number", digits=2, about=_("1 is a forecast that is right on average")),
            Column("expected_over_observed_from", _("from"), "number", digits=2), Column("expected_over_observed_to", _("to"), "number", digits=2),
        ),
        rows,
        note=_("Counts of the crime types that were forecast, in the shifts of %(plans)s plans, evenly spread. The first tenth holds the riskiest "
        "cells of each shift. From, to: 95 %% intervals, weeks drawn with replacement; a group with few events has a wide one, or one without an upper end.")
        % {"plans": f"{len(laid):,}"},
        empty=_("No plan of this period has a forecast beside a plain count."),
    )  # fmt: skip
