"""Where patrols went, who got how much of them, and what people changed: the middle of a pack."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agencies.models import Agency
from missions_project.lib.lazy import gettext_lazy
from patrols.engine.oversight import override_meter
from patrols.meter import NOTICEABLE, SERIOUS
from patrols.models import Mission, MissionPlan, Suppression
from tactics.engine.exposure import Spread
from tactics.models import ExposureFinding
from tactics.models.transparency import RISK, area_words
from tactics.reports.shapes import Cell, Column, Kind, Table
from tactics.transparency.audit import AreaTotals, AuditPart, ExposureAudit
from tactics.transparency.inputs import ExposureInputs
from tactics.transparency.shapes import PackChart, Section

TITLES = {
    ("as_if", "residents"): gettext_lazy("%(by)s: minutes as designed against residents"),
    ("as_if", "crime"): gettext_lazy("%(by)s: minutes as designed against reported crime"),
    ("actual", "residents"): gettext_lazy("%(by)s: minutes delivered against residents"),
    ("actual", "crime"): gettext_lazy("%(by)s: minutes delivered against reported crime"),
}
"""What a comparison is called, by what was counted and what it is held against."""
PARTS = {
    "residents": gettext_lazy("Part of residents"),
    "crime": gettext_lazy("Part of reported crime"),
}


def where_section(given: ExposureInputs, audit: ExposureAudit) -> Section:
    """Missions and minutes by area: shares, per resident, by tenths. No query."""
    missions, delivered = int(given.missions.sum()), float(given.actual.sum())
    sentences = [
        ngettext(
            "%(missions)s mission stood at the end of its shift, with %(minutes)s minutes of patrol on record (%(foreseen)s minutes "
            "were foreseen by the design).",
            "%(missions)s missions stood at the end of their shifts, with %(minutes)s minutes of patrol on record (%(foreseen)s "
            "minutes were foreseen by the design).",
            missions,
        )
        % {
            "missions": f"{missions:,}",
            "minutes": f"{delivered:,.0f}",
            "foreseen": f"{given.as_if.sum():,.0f}",
        },
    ]
    if not delivered:
        sentences.append(_("No minute of patrol is on record yet: where patrols really went is not known."))
    sentences.append(
        _("Residents are counted by %(census)s.") % {"census": given.census}
        if given.residents is not None
        else _(
            "No census is loaded, so nothing is said per resident. An administrator can load one: Admin → Census areas."
        )
    )
    sentences.append(
        _("Areas are no smaller than a beat. Single squares, units and coming plans are never published.")
    )
    tables, charts = [], []
    for at, totals in enumerate(audit.totals):
        slug = f"where-{at}"
        tables += [_where(slug, totals), _how_sure(f"where-sure-{at}", totals, audit.blocks)]
        charts.append(_bars(slug, totals))
    return Section("where", _("Where patrols went"), sentences, tables, charts)


def _bars(slug: str, totals: AreaTotals) -> PackChart:
    if totals.residents is None:
        first = "mission_share"
        title = _("%(by)s: parts of missions, reported crime and minutes delivered")
        alt = _(
            "Bars for each area, %(by)s: its part of missions, of reported crime and of delivered minutes; the table below holds the "
            "figures."
        )
    else:
        first = "resident_share"
        title = _("%(by)s: parts of residents, reported crime and minutes delivered")
        alt = _(
            "Bars for each area, %(by)s: its part of residents, of reported crime and of delivered minutes; the table below holds the "
            "figures."
        )
    by = _kind_title(totals.kind.name)
    told = alt % {"by": by[:1].lower() + by[1:]}
    return PackChart(slug, title % {"by": by}, told, slug, "area", (first, "crime_share", "minutes_share"))


def _kind_title(name: str) -> str:
    known = {"District": _("By district"), "Beat": _("By beat"), RISK: _("By tenth of forecast risk")}
    return known.get(name) or _("By tenth of %(figure)s") % {"figure": name}


def _where(slug: str, totals: AreaTotals) -> Table:
    def shares(values: np.ndarray) -> np.ndarray:
        return values / values.sum() if values.sum() else np.full(len(values), np.nan)

    crime_share = shares(totals.crimes)
    people = totals.residents
    rows: list[tuple[Cell, ...]] = []
    for at, name in enumerate(totals.kind.areas):
        if not totals.cells[at]:
            continue
        own = None if people is None else float(people[at])
        per = None if totals.for_each_resident is None else _n(1000 * totals.for_each_resident.value[at])
        share = None if people is None or not people.sum() else float(people[at] / people.sum())
        rows.append(
            (area_words(totals.kind.name, name), int(totals.missions[at]), _n(totals.mission_part.value[at]), float(totals.actual[at]), _n(totals.minutes_part.value[at]),
             int(totals.crimes[at]), _n(crime_share[at]), None if own is None else round(own), share, per)
        )  # fmt: skip
    store = (
        " "
        + _(
            "The figure comes from the audit store, which no forecast can reach; it describes areas, not the persons who were met "
            "there."
        )
        if totals.kind.from_audit_store
        else ""
    )
    return Table(
        slug, _kind_title(totals.kind.name),
        (
            Column("area", _("Area")), Column("missions", _("Missions"), "int"), Column("mission_share", _("Part of missions"), "share"),
            Column("minutes", _("Minutes delivered"), "int"), Column("minutes_share", _("Part of minutes"), "share"),
            Column("crimes", _("Reported crimes"), "int"),
            Column("crime_share", _("Part of reported crime"), "share"), Column("residents", _("Residents"), "int"),
            Column("resident_share", _("Part of residents"), "share"),
            Column("per_thousand", _("Minutes per 1,000 residents"), "number"),
        ),
        rows, note=_("Reported crimes of all forecast types in the period, whatever the hour.") + store,
    )  # fmt: skip


def _how_sure(slug: str, totals: AreaTotals, blocks: str) -> Table:
    """The same parts, each with its interval."""
    figures: list[tuple[str, str, Kind, Spread, float]] = [
        ("mission_share", _("Part of missions"), "share", totals.mission_part, 1.0),
        ("minutes_share", _("Part of minutes"), "share", totals.minutes_part, 1.0),
    ]
    if totals.for_each_resident is not None:
        per = _("Minutes per 1,000 residents")
        figures.append(("per_thousand", per, "number", totals.for_each_resident, 1000.0))
    rows: list[tuple[Cell, ...]] = []
    for at in np.flatnonzero(totals.cells):
        told: list[Cell] = [area_words(totals.kind.name, totals.kind.areas[at])]
        for _key, _title, _kind, one, times in figures:
            told += [_n(times * one.value[at]), _n(times * one.low[at]), _n(times * one.high[at])]
        rows.append(tuple(told))
    columns = [Column("area", _("Area"))]
    for key, title, kind, _one, _times in figures:
        columns += [
            Column(key, title, kind),
            Column(f"{key}_low", _("from"), kind),
            Column(f"{key}_high", _("to"), kind),
        ]
    note = (
        _(
            "Intervals are 95 %, by drawing weeks with replacement: in a period like this one, with other weeks, the figure would lie there."
        )
        if blocks == "weeks"
        else _(
            "Intervals are 95 %, by drawing days with replacement: in a period like this one, with other days, the figure would lie there."
        )
    )
    return Table(
        slug, _("%(by)s: how sure the parts are") % {"by": _kind_title(totals.kind.name)}, tuple(columns), rows,
        note=note + " " + _("The census's own error is not part of them."),
    )  # fmt: skip


def _n(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def exposure_section(audit: ExposureAudit, findings: Sequence[ExposureFinding]) -> Section:
    """The exposure audit: ratios with intervals, and the findings that people must answer. No query."""
    n = sum(int((part.beyond != 0).sum()) for part in audit.parts)
    tolerated = {"count": n, "most": f"{audit.threshold:g}", "least": f"{1 / audit.threshold:.2f}"}
    sentences = [
        _(
            "For each area its part of patrol is compared with its part of residents and of reported crime. 1 means: exactly its part. "
            "2 means: twice as much."
        ),
        _(
            "“As designed” is what the chances foresee, whatever was drawn and done. “Delivered” is minutes on record."
        ),
        _(
            "The agency wants to answer for any area that gets more than %(most)s times its part, or less than %(least)s times, where "
            "chance does not explain it."
        )
        % tolerated
        + " "
        + (
            ngettext("%(count)s such disparity was found.", "%(count)s such disparities were found.", n)
            % tolerated
            if n
            else _("None was found.")
        ),
        _("Intervals are 95 %, by drawing weeks with replacement, patrol and crimes together.")
        if audit.blocks == "weeks"
        else _("Intervals are 95 %, by drawing days with replacement, patrol and crimes together."),
        _(
            "Several areas are looked at: of twenty intervals about one is too narrow by chance. The census's own error is not part of "
            "them."
        ),
        _(
            "Reported crime is not all crime: people in some areas report less. That is why both comparisons are shown."
        ),
    ]
    if audit.missing:
        sentences.append(
            _("Not worked out, for lack of figures: %(names)s.") % {"names": ", ".join(audit.missing)}
        )
    tables, charts = [], []
    for at, part in enumerate(audit.parts):
        table = _ratios(f"ratio-{at}", part)
        tables.append(table)
        charts.append(
            PackChart(
                f"ratio-{at}", table.title,
                _("Points with intervals: %(title)s, where 1 is exactly the area's part; the table below holds the figures.")
                % {"title": table.title.lower()},
                table.slug, "area", ("ratio",), "low", "high", even=True, unit=_("Times its part"),
            )
        )  # fmt: skip
    answers: list[tuple[Cell, ...]] = [
        (
            one.raised_at.date().isoformat(),
            one.sentence,
            one.answer or _("Not answered yet."),
            one.answered_at.date().isoformat() if one.answered_at else None,
        )
        for one in findings
    ]
    tables.insert(
        0,
        Table(
            "findings", _("Findings, and what the agency says to them"),
            (
                Column("raised", _("Raised")), Column("finding", _("Finding")), Column("answer", _("Answer")),
                Column("answered", _("Answered")),
            ),
            answers, note=_("Each must be answered before the next pack is published. Answers are kept for good."),
            empty=_("No finding: no area was beyond the threshold."),
        ),
    )  # fmt: skip
    return Section("exposure", _("Who gets how much: the exposure audit"), sentences, tables, charts)


def _ratios(slug: str, part: AuditPart) -> Table:
    found = part.found
    rows: list[tuple[Cell, ...]] = []
    for at, name in enumerate(part.kind.areas):
        if not found.base_share[at] and not found.exposure_share[at]:
            continue
        verdict = {1: _("more than tolerated"), -1: _("less than tolerated"), 0: ""}[int(part.beyond[at])]
        rows.append(
            (area_words(part.kind.name, name), float(found.exposure_share[at]), float(found.base_share[at]), _n(found.ratio[at]), _n(found.low[at]),
             _n(found.high[at]), verdict)
        )  # fmt: skip
    return Table(
        slug, TITLES[part.measure, part.basis] % {"by": _kind_title(part.kind.name)},
        (
            Column("area", _("Area")), Column("exposure", _("Part of minutes"), "share"),
            Column("base", PARTS[part.basis], "share"), Column("ratio", _("Times its part"), "number", digits=2),
            Column("low", _("from"), "number", digits=2), Column("high", _("to"), "number", digits=2),
            Column("verdict", _("Beyond the threshold")),
        ),
        rows, note=_("An area with too few residents (100) or crimes (10) is shown and never a finding.")
        + (" " + _("Nor is more patrol at higher risk than its part of residents: that is the design.") if part.kind.name == RISK else ""),
    )  # fmt: skip


def overrides_section(agency: Agency, first: dt.date, last: dt.date) -> Section:
    """What people changed, and what that did. Four queries. Reasons are not told: they may say too much of a place."""
    plans = dict.fromkeys(
        MissionPlan.objects.filter(
            agency=agency, state=MissionPlan.State.PUBLISHED, on__range=(first, last)
        ).values_list("pk", flat=True),
        False,
    )
    drawn: dict[int, list[bool]] = defaultdict(list)
    done: dict[int, list[bool]] = defaultdict(list)
    before = after = withdrawn = 0
    gained = lost = 0.0
    rows = Mission.objects.filter(agency=agency, plan__in=list(plans)).order_by()
    for plan, source, addition, gone, harm in rows.values_list(
        "plan_id", "source", "addition_id", "withdrawn_at", "harm"
    ).iterator(chunk_size=5000):
        by_design = source == Mission.Source.DRAWN or addition is not None
        drawn[plan].append(by_design)
        done[plan].append(gone is None)
        before += source == Mission.Source.ADDED and addition is not None
        if not by_design:
            after += 1
            gained += harm if gone is None else 0.0
        elif gone is not None:
            withdrawn += 1
            lost += harm
    meters = np.array([override_meter(np.array(drawn[pk]), np.array(done[pk])) for pk in drawn])
    ended = rows.aggregate(moved=Count("pk", filter=Q(moved_at__isnull=False)))
    suppressed = Suppression.objects.filter(
        agency=agency, starts_at__date__lte=last, expires_at__date__gte=first
    ).count()
    total = sum(len(one) for one in drawn.values())
    mean = float(meters.mean()) if len(meters) else 0.0
    figures: list[tuple[Cell, ...]] = [
        (_("Missions that people asked for before the draw"), f"{before:,}"),
        (_("Missions that people added after the draw"), f"{after:,}"),
        (_("Drawn missions that people withdrew"), f"{withdrawn:,}"),
        (_("Missions moved to another time"), f"{ended['moved']:,}"),
        (_("Areas taken out of planning for a while"), f"{suppressed:,}"),
        (_("Override meter, mean of all plans"), f"{100 * mean:.1f} %"),
        (_("Plans of which a tenth or more was people's choice"), _of(int((meters >= NOTICEABLE).sum()), len(meters))),
        (_("Plans of which a quarter or more was"), _of(int((meters >= SERIOUS).sum()), len(meters))),
    ]  # fmt: skip
    return Section(
        "overrides",
        _("What people changed, and what that did"),
        (
            _(
                "People decide: they may add missions, withdraw them, and take areas out. Each change needs a reason and is kept."
            ),
            _(
                "Of %(total)s missions, people added %(added)s after the draw and withdrew %(withdrawn)s that were drawn."
            )
            % {"total": f"{total:,}", "added": f"{after:,}", "withdrawn": f"{withdrawn:,}"}
            if total
            else _("There was no mission in the period."),
            _(
                "%(share)s %% of what was done was people's choice instead of the draw's, on average (the override meter: 0 is as drawn, "
                "100 %% is nothing of it). The more, the less can be learnt, and the easier somebody is singled out."
            )
            % {"share": f"{100 * mean:.1f}"},
            _effect(gained, lost),
            _(
                "In studies a square that was withdrawn still counts as drawn, so that overrides cannot make a result look better."
            ),
        ),
        (
            Table(
                "overrides",
                _("Overrides"),
                (Column("what", _("Figure")), Column("value", _("Value"))),
                figures,
            ),
        ),
    )


def _effect(gained: float, lost: float) -> str:
    if not gained and not lost:
        return _("Overrides changed nothing in how much expected harm the missions covered.")
    more = gained - lost
    words = (
        _(
            "The squares that people added held %(gained)s of expected harm, those that they withdrew %(lost)s: missions covered "
            "%(difference)s more than as drawn. (Harm is the number of crimes expected, times their weights.)"
        )
        if more >= 0
        else _(
            "The squares that people added held %(gained)s of expected harm, those that they withdrew %(lost)s: missions covered "
            "%(difference)s less than as drawn. (Harm is the number of crimes expected, times their weights.)"
        )
    )
    return words % {"gained": f"{gained:,.2f}", "lost": f"{lost:,.2f}", "difference": f"{abs(more):,.2f}"}


def _of(part: int, whole: int) -> str:
    return _("%(part)s of %(whole)s") % {"part": f"{part:,}", "whole": f"{whole:,}"}
