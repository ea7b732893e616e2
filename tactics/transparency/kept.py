"""Complaints of the data, what studies found, and what was changed since the last pack: the end of a pack."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Count, Q

from agencies.models import Agency, AuditEvent
from agencies.selectors import active_crime_types
from ingestion.engine.rejections import REJECTION_CODES
from ingestion.models import Feed, QuarantinedRow
from ingestion.selectors.tables import EpochSeconds, stored_rows
from tactics.models import ImpactStudy
from tactics.reports.shapes import Cell, Column, Table
from tactics.studies.selectors import studies_of
from tactics.studies.words import registration_of
from tactics.transparency.shapes import Section

CONFIGURATION = {
    "agency": "The agency",
    "district": "District",
    "beat": "Beat",
    "boundary": "The boundary",
    "beats": "Beats",
    "districts": "Districts",
    "shift": "Shift",
    "crimetype": "Crime type",
    "districtpriority": "Priority of a district",
    "modelpolicy": "Model policy",
    "modelversion": "Model",
    "patrolpolicy": "Patrol policy",
    "planschedule": "Schedule of plans",
    "tactic": "Tactic",
    "tacticrule": "Rule for a tactic",
    "tacticpolicy": "Tactic policy",
    "proposal": "Proposed change of a dial",
    "feed": "Data feed",
    "offencecode": "Offence code",
    "contextlayer": "Map layer",
    "transparencypolicy": "Transparency policy",
    "demographicmeasure": "Measure of the audit store",
}
"""Changes that are told, by the first word of the event. People, units and keys are counted only: their names are nobody's."""
NAMED = {
    "district", "beat", "shift", "crimetype", "districtpriority", "patrolpolicy", "tactic", "tacticrule", "tacticpolicy",
    "modelversion", "modelpolicy", "feed", "contextlayer", "proposal", "demographicmeasure", "planschedule",
}  # fmt: skip
MOST_CHANGES = 300


def complaints_section(agency: Agency, first: dt.date, last: dt.date) -> Section:
    """What is missing in the data, and how late it comes. Some six queries."""
    zone = ZoneInfo(agency.time_zone)
    since = dt.datetime.combine(first, dt.time(), zone)
    until = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), zone)
    names = dict(Feed.objects.filter(agency=agency).values_list("pk", "name"))
    found: dict[int, dict[str, Any]] = {}
    for rows in stored_rows(agency, active_crime_types(agency), since, until):
        counted = rows.order_by().values("feed_id").annotate(
            n=Count("pk"), late_unknown=Count("pk", filter=Q(reported_at=None)),
            coarse=Count("pk", filter=~Q(time_precision__in=["second", "minute"])),
            rough=Count("pk", filter=Q(place_precision_m__gt=100)),
        )  # fmt: skip
        for row in counted:
            own = found.setdefault(
                row["feed_id"], {"n": 0, "late_unknown": 0, "coarse": 0, "rough": 0, "lag": []}
            )
            for key in ("n", "late_unknown", "coarse", "rough"):
                own[key] += row[key]
        timed = rows.filter(reported_at__isnull=False).order_by()
        for feed, begun, told in timed.values_list(
            "feed_id", EpochSeconds("occurred_from"), EpochSeconds("reported_at")
        ).iterator(chunk_size=20_000):
            found[feed]["lag"].append((told - begun) / 3600.0)
    lines: list[tuple[Cell, ...]] = []
    for feed, own in sorted(found.items(), key=lambda one: names.get(one[0], "")):
        lag = np.array(own["lag"])
        median, p90 = (float(one) for one in np.quantile(lag, (0.5, 0.9))) if len(lag) else (None, None)
        lines.append(
            (names.get(feed, "–"), own["n"], own["late_unknown"] / own["n"], own["coarse"] / own["n"], own["rough"] / own["n"],
             median, p90)
        )  # fmt: skip
    waiting = QuarantinedRow.objects.filter(agency=agency, resolved_at=None).order_by()
    aside: list[tuple[Cell, ...]] = [
        (REJECTION_CODES[code].meaning if code in REJECTION_CODES else code, n)
        for code, n in waiting.values_list("code").annotate(n=Count("pk")).order_by("-n", "code")
    ]
    total, kept = sum(own["n"] for own in found.values()), sum(int(row[1] or 0) for row in aside)
    every = np.array([hours for own in found.values() for hours in own["lag"]])
    lag_words = (
        f"Half of them were reported within {np.median(every):.1f} hours of their beginning, nine in ten within "
        f"{np.quantile(every, 0.9):.0f} hours."
        if len(every)
        else "When they were reported is not known: no source tells it."
    )
    return Section(
        "complaints",
        "What is wrong with the data",
        (
            f"{total:,} records of the period can be used. {kept:,} records are set aside because something is wrong with them.",
            lag_words,
            "A forecast may only use what was known when it was made. Crimes that are reported late, or never, are missing from it, "
            "and areas where people report less seem safer than they are.",
        ),
        (
            Table(
                "missing", "What is missing, by source",
                (
                    Column("source", "Source"), Column("rows", "Records", "int"), Column("unreported", "Without time of report", "share"),
                    Column("coarse", "Time of crime rougher than a minute", "share"), Column("rough", "Place rougher than 100 m", "share"),
                    Column("median", "Lag, half within (hours)", "number"), Column("p90", "Lag, nine in ten within (hours)", "number"),
                ),
                lines, empty="No record in this period.",
            ),
            Table(
                "aside", "Records set aside, waiting for somebody to look",
                (Column("why", "Why"), Column("rows", "Records", "int")), aside, empty="None.",
            ),
        ),
    )  # fmt: skip


def impact_section(agency: Agency) -> Section:
    """What every study found, nulls and cancelled ones included. Two queries."""
    studies = studies_of(agency)
    rows: list[tuple[Cell, ...]] = []
    shown = 0
    for one in studies:
        study, report = one.study, one.report
        if report is not None:
            shown += report.verdict in ("prevented", "more")
            result, verdict = report.sentence, report.get_verdict_display()
            period = f"{report.first} to {report.last}"
        else:
            verdict = "Cancelled" if study.state == ImpactStudy.State.CANCELLED else "No result yet"
            result = study.cancelled_reason if study.state == ImpactStudy.State.CANCELLED else ""
            period = f"{study.first} to {study.last}" if study.first else ""
        rows.append((study.name, registration_of(study), period, verdict, result))
    reported = sum(1 for one in studies if one.report)
    return Section(
        "impact",
        "What patrols did to crime",
        (
            f"{len(studies)} stud{'y' if len(studies) == 1 else 'ies'} "
            f"{'was' if len(studies) == 1 else 'were'} set up so far, {reported} of them reported; {shown} showed an effect. "
            "All are listed, whatever came out."
            if studies
            else "No study was set up yet: what patrols do to crime here is not known.",
            "“Not shown” does not mean “no effect”. It means that what happened fits both an effect and none.",
            "Research elsewhere found small reductions from patrols in places with much crime, more for property crime than for "
            "violence, and in some places none.",
        ),
        (
            Table(
                "studies", "Every study",
                (
                    Column("study", "Study"), Column("registered", "Set up before?"), Column("period", "Shifts"),
                    Column("verdict", "Verdict"), Column("result", "Result"),
                ),
                rows, empty="None yet.",
            ),
        ),
    )  # fmt: skip


def changes_section(
    agency: Agency, *, since: dt.datetime, until: dt.datetime, previous: int | None
) -> Section:
    """What was changed in the configuration since the last pack, without anybody's name. One query."""
    events = AuditEvent.objects.filter(agency=agency, at__gte=since, at__lt=until).order_by("at", "pk")
    zone = ZoneInfo(agency.time_zone)
    rows: list[tuple[Cell, ...]] = []
    others = 0
    for at, action, subject, detail in events.values_list("at", "action", "subject", "detail"):
        model, _, verb = action.partition(".")
        if not verb or model not in CONFIGURATION:
            others += 1
            continue
        name = subject if model in NAMED else ""
        rows.append(
            (at.astimezone(zone).date().isoformat(), CONFIGURATION[model], verb.replace("_", " "), name, _changed(detail))
        )  # fmt: skip
    more = max(len(rows) - MOST_CHANGES, 0)
    after = f"since pack {previous}" if previous else "in the period and since"
    sentences = [
        f"{len(rows):,} change{'' if len(rows) == 1 else 's'} of the configuration {'was' if len(rows) == 1 else 'were'} made {after}.",
        f"{others:,} other events (plans published, missions changed, people, units, keys) are in the agency's own log, which auditors "
        "read. Who made a change is kept there too.",
    ]
    if more:
        sentences.append(f"The newest {MOST_CHANGES} are shown; {more:,} older ones are not.")
    return Section(
        "changes",
        "What was changed since the last pack",
        sentences,
        (
            Table(
                "changes", "Changes",
                (
                    Column("on", "Date"), Column("what", "What"), Column("how", "How"), Column("which", "Which"),
                    Column("fields", "Settings"),
                ),
                rows[-MOST_CHANGES:], empty="Nothing was changed.",
            ),
        ),
    )  # fmt: skip


def _changed(detail: dict[str, Any]) -> str:
    """Which settings changed; from and to only of numbers and switches, for texts may hold anything."""
    changed = detail.get("changed")
    if not isinstance(changed, dict):
        return ""
    parts = []
    for name, pair in sorted(changed.items()):
        words = name.replace("_", " ")
        if (
            isinstance(pair, list)
            and len(pair) == 2
            and all(isinstance(one, bool | int | float) for one in pair)
        ):
            old, new = (("on" if one else "off") if isinstance(one, bool) else f"{one:g}" for one in pair)
            words = f"{words}: {old} → {new}"
        parts.append(words)
    return ", ".join(parts)[:300]
