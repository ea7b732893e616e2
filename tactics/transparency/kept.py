"""Complaints of the data, what studies found, and what was changed since the last pack: the end of a pack."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Count, Model, Q
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from agencies.audit_words import subject_words
from agencies.configuration import sections
from agencies.history import field_words
from agencies.models import Agency, AuditEvent
from agencies.selectors import active_crime_types
from agencies.words import said
from ingestion.engine.rejections import REJECTION_CODES
from ingestion.models import Feed, QuarantinedRow
from ingestion.selectors.tables import stored_rows
from missions_project.lib.days import short_day
from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.number_rows import EpochSeconds
from tactics.models import ImpactStudy, PlaceLayer
from tactics.reports.shapes import Cell, Column, Table
from tactics.studies.selectors import studies_of
from tactics.studies.words import registration_of, sentence_shown
from tactics.transparency.shapes import Section

CONFIGURATION = {
    "agency": gettext_lazy("The agency"),
    "district": gettext_lazy("District"),
    "beat": gettext_lazy("Beat"),
    "boundary": gettext_lazy("The boundary"),
    "beats": gettext_lazy("Beats"),
    "districts": gettext_lazy("Districts"),
    "shift": gettext_lazy("Shift"),
    "crimetype": gettext_lazy("Crime type"),
    "districtpriority": gettext_lazy("Priority of a district"),
    "modelpolicy": gettext_lazy("Model policy"),
    "modelversion": gettext_lazy("Model"),
    "patrolpolicy": gettext_lazy("Patrol policy"),
    "planschedule": gettext_lazy("Schedule of plans"),
    "tactic": gettext_lazy("Tactic"),
    "tacticrule": gettext_lazy("Rule for a tactic"),
    "tacticpolicy": gettext_lazy("Tactic policy"),
    "proposal": gettext_lazy("Proposed change of a dial"),
    "feed": gettext_lazy("Data feed"),
    "offencecode": gettext_lazy("Offence code"),
    "contextlayer": gettext_lazy("Map layer"),
    "transparencypolicy": gettext_lazy("Transparency policy"),
    "demographicmeasure": gettext_lazy("Measure of the audit store"),
}
"""Changes that are told, by the first word of the event; the other tables of the configuration by their own names."""
FORMERLY = {"offence code mapped with a written reason": "offencecode.chosen"}
"""Events of earlier versions by the names that they have now: a log is never rewritten."""
COUNTED = {"unit"}
"""The tables of the configuration that are counted only, as people and keys are: whose car it is would be known."""
NAMED = {
    "district", "beat", "shift", "crimetype", "districtpriority", "patrolpolicy", "tactic", "tacticrule", "tacticpolicy",
    "modelversion", "modelpolicy", "feed", "contextlayer", "proposal", "demographicmeasure", "planschedule",
    "retentionpolicy",
}  # fmt: skip
"""Tables whose rows are called by their names in a pack. A drop folder is a place on a disk, a base map an address with a key."""
HOW = (
    gettext_noop("added"),
    gettext_noop("changed"),
    gettext_noop("removed"),
)
"""What happened to it, by the second word of the event."""
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
        (said(REJECTION_CODES[code].meaning) if code in REJECTION_CODES else code, n)
        for code, n in waiting.values_list("code").annotate(n=Count("pk")).order_by("-n", "code")
    ]
    total, kept = sum(own["n"] for own in found.values()), sum(int(row[1] or 0) for row in aside)
    every = np.array([hours for own in found.values() for hours in own["lag"]])
    lag_words = (
        _(
            "Half of them were reported within %(median)s hours of their beginning, nine in ten within %(most)s hours."
        )
        % {"median": f"{np.median(every):.1f}", "most": f"{np.quantile(every, 0.9):.0f}"}
        if len(every)
        else _("When they were reported is not known: no source tells it.")
    )
    return Section(
        "complaints",
        _("What is wrong with the data"),
        (
            _(
                "%(total)s records of the period can be used. %(kept)s records are set aside because something is wrong with them."
            )
            % {"total": f"{total:,}", "kept": f"{kept:,}"},
            lag_words,
            _("A forecast may only use what was known when it was made. Crimes that are reported late, or never, are missing from it, "
            "and areas where people report less seem safer than they are."),
        ),
        (
            Table(
                "missing", _("What is missing, by source"),
                (
                    Column("source", _("Source")), Column("rows", _("Records"), "int"), Column("unreported", _("Without time of report"), "share"),
                    Column("coarse", _("Time of crime rougher than a minute"), "share"), Column("rough", _("Place rougher than 100 m"), "share"),
                    Column("median", _("Lag, half within (hours)"), "number"), Column("p90", _("Lag, nine in ten within (hours)"), "number"),
                ),
                lines, empty=_("No record in this period."),
            ),
            Table(
                "aside", _("Records set aside, waiting for somebody to look"),
                (Column("why", _("Why")), Column("rows", _("Records"), "int")), aside, empty=_("None."),
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
            result, verdict = sentence_shown(report), str(report.get_verdict_display())
            period = _("%(first)s to %(last)s") % {
                "first": short_day(report.first),
                "last": short_day(report.last),
            }
        else:
            verdict = _("Cancelled") if study.state == ImpactStudy.State.CANCELLED else _("No result yet")
            result = study.cancelled_reason if study.state == ImpactStudy.State.CANCELLED else ""
            period = ""
            if study.first and study.last:
                days = {"first": short_day(study.first), "last": short_day(study.last)}
                period = _("%(first)s to %(last)s") % days
        rows.append((study.name, registration_of(study), period, verdict, result))
    reported = sum(1 for one in studies if one.report)
    return Section(
        "impact",
        _("What patrols did to crime"),
        (
            ngettext(
                "%(count)s study was set up so far, %(reported)s of them reported; %(shown)s showed an effect. All are listed, "
                "whatever came out.",
                "%(count)s studies were set up so far, %(reported)s of them reported; %(shown)s showed an effect. All are listed, "
                "whatever came out.",
                len(studies),
            )
            % {"count": len(studies), "reported": reported, "shown": shown}
            if studies
            else _("No study was set up yet: what patrols do to crime here is not known."),
            _("“Not shown” does not mean “no effect”. It means that what happened fits both an effect and none."),
            _("Research elsewhere found small reductions from patrols in places with much crime, more for property crime than for "
            "violence, and in some places none."),
        ),
        (
            Table(
                "studies", _("Every study"),
                (
                    Column("study", _("Study")), Column("registered", _("Set up before?")), Column("period", _("Shifts")),
                    Column("verdict", _("Verdict")), Column("result", _("Result")),
                ),
                rows, empty=_("None yet."),
            ),
        ),
    )  # fmt: skip


def changes_section(
    agency: Agency, *, since: dt.datetime, until: dt.datetime, previous: int | None
) -> Section:
    """What was changed in the configuration since the last pack, without anybody's name. One query."""
    events = AuditEvent.objects.filter(agency=agency, at__gte=since, at__lt=until).order_by("at", "pk")
    zone = ZoneInfo(agency.time_zone)
    told = tables_told()
    rows: list[tuple[Cell, ...]] = []
    others = 0
    for at, action, subject, detail, row_model in events.values_list(
        "at", "action", "subject", "detail", "model"
    ):
        model, _dot, verb = FORMERLY.get(action, action).partition(".")
        if not verb or model not in told:
            others += 1
            continue
        name = subject_words(action, subject) if model in NAMED else ""
        rows.append(
            (at.astimezone(zone).date().isoformat(), told[model], said(verb.replace("_", " ")), name, _changed(row_model, detail))
        )  # fmt: skip
    more = max(len(rows) - MOST_CHANGES, 0)
    sentences = [
        _made(len(rows), previous),
        ngettext(
            "%(count)s other event (plans published, missions changed, people, units, keys) is in the agency's own log, which auditors "
            "read. Who made a change is kept there too.",
            "%(count)s other events (plans published, missions changed, people, units, keys) are in the agency's own log, which "
            "auditors read. Who made a change is kept there too.",
            others,
        )
        % {"count": f"{others:,}"},
    ]
    if more:
        sentences.append(
            _("The newest %(most)s are shown; %(more)s older ones are not.")
            % {"most": MOST_CHANGES, "more": f"{more:,}"}
        )
    return Section(
        "changes",
        _("What was changed since the last pack"),
        sentences,
        (
            Table(
                "changes", _("Changes"),
                (
                    Column("on", _("Date")), Column("what", _("What")), Column("how", _("How")), Column("which", _("Which")),
                    Column("fields", _("Settings")),
                ),
                rows[-MOST_CHANGES:], empty=_("Nothing was changed."),
            ),
        ),
    )  # fmt: skip


def tables_told() -> dict[str, str]:
    """What the tables are called whose changes a pack tells, by the first word of their events, in the pack's language.

    Every table that a room registers as configuration is among them, but for ``COUNTED``. No query.
    """
    registered: list[type[Model]] = [*(section.model for section in sections()), PlaceLayer]
    words = {str(one._meta.model_name): capfirst(str(one._meta.verbose_name)) for one in registered}
    words |= {model: str(name) for model, name in CONFIGURATION.items()}
    return {model: name for model, name in words.items() if model not in COUNTED}


def _made(count: int, previous: int | None) -> str:
    if previous:
        words = ngettext(
            "%(count)s change of the configuration was made since pack %(previous)s.",
            "%(count)s changes of the configuration were made since pack %(previous)s.",
            count,
        )
    else:
        words = ngettext(
            "%(count)s change of the configuration was made in the period and since.",
            "%(count)s changes of the configuration were made in the period and since.",
            count,
        )
    return words % {"count": f"{count:,}", "previous": previous}


def _changed(model: str, detail: dict[str, Any]) -> str:
    """Which settings changed; from and to only of numbers and switches, for texts may hold anything."""
    changed = detail.get("changed")
    if not isinstance(changed, dict):
        return ""
    parts = []
    for name, pair in sorted(changed.items()):
        words = field_words(model, name)
        if (
            isinstance(pair, list)
            and len(pair) == 2
            and all(isinstance(one, bool | int | float) for one in pair)
        ):
            old, new = (
                (_("on") if one else _("off")) if isinstance(one, bool) else f"{one:g}" for one in pair
            )
            words = f"{words}: {old} → {new}"
        parts.append(words)
    return ", ".join(parts)[:300]
