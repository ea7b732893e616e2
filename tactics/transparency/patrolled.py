"""Where patrols went, who got how much of them, and what people changed: the middle of a pack."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from django.db.models import Count, Q

from agencies.models import Agency
from patrols.engine.oversight import override_meter
from patrols.meter import NOTICEABLE, SERIOUS
from patrols.models import Mission, MissionPlan, Suppression
from tactics.models import ExposureFinding
from tactics.reports.shapes import Cell, Column, Table
from tactics.transparency.audit import RISK, AreaTotals, AuditPart, ExposureAudit
from tactics.transparency.inputs import ExposureInputs
from tactics.transparency.shapes import PackChart, Section

MEASURES = {"as_if": "as designed", "actual": "delivered"}
BASES = {"residents": "residents", "crime": "reported crime"}


def where_section(given: ExposureInputs, audit: ExposureAudit) -> Section:
    """Missions and minutes by area: shares, per resident, by tenths. No query."""
    missions, delivered = int(given.missions.sum()), float(given.actual.sum())
    sentences = [
        f"{missions:,} missions stood at the end of their shifts, with {delivered:,.0f} minutes of patrol on record "
        f"({given.as_if.sum():,.0f} minutes were foreseen by the design).",
    ]
    if not delivered:
        sentences.append("No minute of patrol is on record yet: where patrols really went is not known.")
    sentences.append(
        f"Residents are counted by {given.census}."
        if given.residents is not None
        else "No census is loaded, so nothing is said per resident. An administrator can load one (manage.py import_census)."
    )
    sentences.append(
        "Areas are no smaller than a beat. Single squares, units and coming plans are never published."
    )
    tables, charts = [], []
    for at, totals in enumerate(audit.totals):
        slug = f"where-{at}"
        tables.append(_where(slug, totals))
        first, words = (
            ("mission_share", "missions") if totals.residents is None else ("resident_share", "residents")
        )
        charts.append(
            PackChart(
                slug, f"{_title(totals)}: parts of {words}, reported crime and minutes delivered",
                f"Bars for each area {_by(totals)}: its part of {words}, of reported crime and of delivered minutes; the table below "
                "holds the figures.",
                slug, "area", (first, "crime_share", "minutes_share"),
            )
        )  # fmt: skip
    return Section("where", "Where patrols went", sentences, tables, charts)


def _title(totals: AreaTotals) -> str:
    return _kind_title(totals.kind.name)


def _kind_title(name: str) -> str:
    return {"District": "By district", "Beat": "By beat"}.get(name, f"By tenth of {name}")


def _by(totals: AreaTotals) -> str:
    title = _title(totals)
    return title[:1].lower() + title[1:]


def _where(slug: str, totals: AreaTotals) -> Table:
    def shares(values: np.ndarray) -> np.ndarray:
        return values / values.sum() if values.sum() else np.full(len(values), np.nan)

    mission_share, minutes_share = shares(totals.missions), shares(totals.actual)
    crime_share = shares(totals.crimes)
    people = totals.residents
    rows: list[tuple[Cell, ...]] = []
    for at, name in enumerate(totals.kind.areas):
        if not totals.cells[at]:
            continue
        own = None if people is None else float(people[at])
        per = 1000 * float(totals.actual[at]) / own if own and own >= 1 else None
        share = None if people is None or not people.sum() else float(people[at] / people.sum())
        rows.append(
            (name, int(totals.missions[at]), _n(mission_share[at]), float(totals.actual[at]), _n(minutes_share[at]),
             int(totals.crimes[at]), _n(crime_share[at]), None if own is None else round(own), share, per)
        )  # fmt: skip
    store = (
        " The figure comes from the audit store, which no forecast can reach; it describes areas, not the persons who were met there."
        if totals.kind.from_audit_store
        else ""
    )
    return Table(
        slug, _title(totals),
        (
            Column("area", "Area"), Column("missions", "Missions", "int"), Column("mission_share", "Part of missions", "share"),
            Column("minutes", "Minutes delivered", "int"), Column("minutes_share", "Part of minutes", "share"),
            Column("crimes", "Reported crimes", "int"),
            Column("crime_share", "Part of reported crime", "share"), Column("residents", "Residents", "int"),
            Column("resident_share", "Part of residents", "share"),
            Column("per_thousand", "Minutes per 1,000 residents", "number"),
        ),
        rows, note="Reported crimes of all forecast types in the period, whatever the hour." + store,
    )  # fmt: skip


def _n(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def exposure_section(audit: ExposureAudit, findings: Sequence[ExposureFinding]) -> Section:
    """The exposure audit: ratios with intervals, and the findings that people must answer. No query."""
    n = sum(int((part.beyond != 0).sum()) for part in audit.parts)
    times = f"{audit.threshold:g} times its part, or less than {1 / audit.threshold:.2f} times"
    sentences = [
        "For each area its part of patrol is compared with its part of residents and of reported crime. 1 means: exactly its part. "
        "2 means: twice as much.",
        "“As designed” is what the chances foresee, whatever was drawn and done. “Delivered” is minutes on record.",
        f"The agency wants to answer for any area that gets more than {times}, where chance does not explain it. {n} such "
        f"disparit{'y was' if n == 1 else 'ies were'} found."
        if n
        else f"The agency wants to answer for any area that gets more than {times}, where chance does not explain it. None was found.",
        f"Intervals are 95 %, by drawing {audit.blocks} with replacement, patrol and crimes together. Several areas are looked at: "
        "of twenty intervals about one is too narrow by chance. The census's own error is not part of them.",
        "Reported crime is not all crime: people in some areas report less. That is why both comparisons are shown.",
    ]
    if audit.missing:
        sentences.append(f"Not worked out, for lack of figures: {', '.join(audit.missing)}.")
    tables, charts = [], []
    for at, part in enumerate(audit.parts):
        table = _ratios(f"ratio-{at}", part)
        tables.append(table)
        charts.append(
            PackChart(
                f"ratio-{at}", table.title,
                f"Points with intervals: {table.title.lower()}, where 1 is exactly the area's part; the table below holds the figures.",
                table.slug, "area", ("ratio",), "low", "high", even=True, unit="Times its part",
            )
        )  # fmt: skip
    answers: list[tuple[Cell, ...]] = [
        (
            one.raised_at.date().isoformat(),
            one.sentence,
            one.answer or "Not answered yet.",
            one.answered_at.date().isoformat() if one.answered_at else None,
        )
        for one in findings
    ]
    tables.insert(
        0,
        Table(
            "findings", "Findings, and what the agency says to them",
            (
                Column("raised", "Raised"), Column("finding", "Finding"), Column("answer", "Answer"),
                Column("answered", "Answered"),
            ),
            answers, note="Each must be answered before the next pack is published. Answers are kept for good.",
            empty="No finding: no area was beyond the threshold.",
        ),
    )  # fmt: skip
    return Section("exposure", "Who gets how much: the exposure audit", sentences, tables, charts)


def _ratios(slug: str, part: AuditPart) -> Table:
    found = part.found
    rows: list[tuple[Cell, ...]] = []
    for at, name in enumerate(part.kind.areas):
        if not found.base_share[at] and not found.exposure_share[at]:
            continue
        verdict = {1: "more than tolerated", -1: "less than tolerated", 0: ""}[int(part.beyond[at])]
        rows.append(
            (name, float(found.exposure_share[at]), float(found.base_share[at]), _n(found.ratio[at]), _n(found.low[at]),
             _n(found.high[at]), verdict)
        )  # fmt: skip
    return Table(
        slug, f"{_kind_title(part.kind.name)}: minutes {MEASURES[part.measure]} against {BASES[part.basis]}",
        (
            Column("area", "Area"), Column("exposure", "Part of minutes", "share"),
            Column("base", f"Part of {BASES[part.basis]}", "share"), Column("ratio", "Times its part", "number", digits=2),
            Column("low", "from", "number", digits=2), Column("high", "to", "number", digits=2),
            Column("verdict", "Beyond the threshold"),
        ),
        rows, note="An area with too few residents (100) or crimes (10) is shown and never a finding."
        + (" Nor is more patrol at higher risk than its part of residents: that is the design." if part.kind.name == RISK else ""),
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
        ("Missions that people asked for before the draw", f"{before:,}"),
        ("Missions that people added after the draw", f"{after:,}"),
        ("Drawn missions that people withdrew", f"{withdrawn:,}"),
        ("Missions moved to another time", f"{ended['moved']:,}"),
        ("Areas taken out of planning for a while", f"{suppressed:,}"),
        ("Override meter, mean of all plans", f"{100 * mean:.1f} %"),
        ("Plans of which a tenth or more was people's choice", f"{int((meters >= NOTICEABLE).sum()):,} of {len(meters):,}"),
        ("Plans of which a quarter or more was", f"{int((meters >= SERIOUS).sum()):,} of {len(meters):,}"),
    ]  # fmt: skip
    return Section(
        "overrides",
        "What people changed, and what that did",
        (
            "People decide: they may add missions, withdraw them, and take areas out. Each change needs a reason and is kept.",
            f"Of {total:,} missions, people added {after:,} after the draw and withdrew {withdrawn:,} that were drawn."
            if total
            else "There was no mission in the period.",
            f"{100 * mean:.1f} % of what was done was people's choice instead of the draw's, on average (the override meter: 0 is as "
            "drawn, 100 % is nothing of it). The more, the less can be learnt, and the easier somebody is singled out.",
            _effect(gained, lost),
            "In studies a square that was withdrawn still counts as drawn, so that overrides cannot make a result look better.",
        ),
        (
            Table(
                "overrides",
                "Overrides",
                (Column("what", "Figure"), Column("value", "Value")),
                figures,
            ),
        ),
    )


def _effect(gained: float, lost: float) -> str:
    if not gained and not lost:
        return "Overrides changed nothing in how much expected harm the missions covered."
    more = gained - lost
    words = "more" if more >= 0 else "less"
    return (
        f"The squares that people added held {gained:,.2f} of expected harm, those that they withdrew {lost:,.2f}: missions covered "
        f"{abs(more):,.2f} {words} than as drawn. (Harm is the number of crimes expected, times their weights.)"
    )
