"""Analysing a study, in the background: read, analyse, store the figures whatever they are."""

import datetime as dt
import time
from dataclasses import replace
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from agencies.models import CrimeType
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from missions_project.lib.runs import RunReporter, RunStatus, run_execution
from tactics.engine.impact import Study, StudyError, analyse
from tactics.engine.impact.dose import PerMinutes, complier_effect
from tactics.engine.impact.power import study_precision
from tactics.engine.impact.report import POWERFUL
from tactics.engine.impact.sparse import positive
from tactics.engine.impact.sums import plan_sums
from tactics.models import ImpactReport, ImpactStudy
from tactics.studies.figures import number, report_figures
from tactics.studies.inputs import StudyInputs, study_inputs
from tactics.studies.words import sentence_of, types_in_words, verdict_of

CANCEL_EVERY_SECONDS = 2.0
EFFECTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


def impact_report_execute(*, report: ImpactReport, progress: Progress | None = None) -> ImpactReport:
    """Do a queued analysis. The Fisher test stops early once its answer is clear; how often it drew is stored.

    Raises ``MissionsError`` where no plan can be used; the run's row says why, and that nothing was reported.
    """
    with run_execution(report, progress) as reporter:
        try:
            if report.purpose == ImpactReport.Purpose.POWER:
                _power(report, reporter)
            else:
                _report(report, reporter)
        except StudyError as exc:
            raise MissionsError(
                str(exc), next_step=_("widen the study, or look at the plans it names.")
            ) from exc
    return report


class _Told:
    """Progress that stops the work when somebody asked for that."""

    def __init__(self, report: ImpactReport, reporter: RunReporter) -> None:
        self.report, self.reporter, self.asked = report, reporter, 0.0

    def __call__(self, done: int, total: int, label: str) -> None:
        self.reporter.progress(done, total, label)
        if (now := time.monotonic()) - self.asked < CANCEL_EVERY_SECONDS:
            return
        self.asked = now
        rows = ImpactReport.objects.filter(pk=self.report.pk, cancel_asked_at__isnull=False)
        if (row := rows.select_related("cancel_asked_by").first()) is not None:
            raise MissionsError(
                _("Cancelled by %(person)s.") % {"person": row.cancel_asked_by or _("somebody")},
                next_step=_("start it again when it suits."),
            )


def _read(report: ImpactReport, progress: Progress) -> StudyInputs:
    asked = report.config_snapshot
    keys = {
        name: [row["id"] for row in asked[name]] for name in ("crime_types", "districts", "beats", "shifts")
    }
    types = list(CrimeType.objects.filter(agency=report.agency, pk__in=keys["crime_types"]).order_by("pk"))
    return study_inputs(
        report.agency,
        crime_types=types,
        first=report.first,
        last=report.last,
        window_hours=asked["window_hours"],
        stop_at_next_draw=asked["stop_at_next_draw"],
        districts=keys["districts"],
        beats=keys["beats"],
        shifts=keys["shifts"],
        progress=progress,
    )


def _report(report: ImpactReport, reporter: RunReporter) -> None:
    told, asked = _Told(report, reporter), report.config_snapshot
    inputs = _read(report, told)
    study = inputs.study()
    per_ten = _per_ten(inputs, asked["confidence"])
    found = analyse(
        replace(study, delivered_minutes=None) if per_ten is None else study,
        history=inputs.history(),
        rng=np.random.default_rng(report.seed),
        draws=asked["draws"],
        plain=asked["with_plain"],
        confidence=asked["confidence"],
        progress=told,
    )
    figures = report_figures(found, inputs, per_ten, asked["estimand"])
    _carried_out(figures, inputs, study)
    # Stored in one language, whoever asked for it: pages say it in the reader's, from the figures.
    with translation.override("en"):
        words = types_in_words([row["name"] for row in asked["crime_types"]])
        sentence = sentence_of(
            figures, crimes=words, hours=asked["window_hours"], confidence=asked["confidence"]
        )
    for line in figures["notes"]:
        reporter.log(line)
    with transaction.atomic():
        reporter.record(
            figures=figures,
            sentence=sentence[:500],
            verdict=str(verdict_of(figures)),
            data_hash=inputs.data_hash,
            counts={
                "plans": figures["checks"]["plans"],
                "rows": figures["checks"]["rows"],
                "missions": figures["checks"]["missions"],
                "crimes": figures["crimes"],
                "refused plans": figures["n_refused"],
                "draws": figures["fisher"]["draws"] if figures["fisher"] else 0,
            },
        )
        ImpactStudy.objects.filter(
            pk=report.study_id, kind=ImpactStudy.Kind.REGISTERED,
            state__in=[ImpactStudy.State.FROZEN, ImpactStudy.State.RUNNING],
        ).update(state=ImpactStudy.State.REPORTED, next_report_at=None)  # fmt: skip


def _per_ten(inputs: StudyInputs, confidence: float) -> PerMinutes | None:
    """Crimes per ten delivered minutes over the shifts with vehicle positions: timers run on missions only."""
    table, measured = inputs.table, inputs.measured_plans()
    if table.delivered_minutes is None or not measured.any():
        return None
    sums = plan_sums(table, ("missions",))["missions"]
    return complier_effect(sums if measured.all() else sums.take(np.flatnonzero(measured)), confidence)


def _carried_out(figures: dict[str, Any], inputs: StudyInputs, study: Study) -> None:
    """Compliance over the shifts with positions, where some have none: the engine says it only for all."""
    table, measured = inputs.table, inputs.measured_plans()
    if study.delivered_minutes is not None or table.delivered_minutes is None or not measured.any():
        return
    rows, visited = np.repeat(measured, table.plan_sizes), positive(table.delivered_minutes)
    figures["checks"]["carried_out"] = number(float(visited[rows & table.drawn].mean()))
    figures["checks"]["visited_undrawn"] = number(float(visited[rows & ~table.drawn].mean()))


def _power(report: ImpactReport, reporter: RunReporter) -> None:
    """What the study could show, from the plans of the last weeks: as many crimes a shift, as many shifts as it will have."""
    told, study = _Told(report, reporter), report.study
    inputs = _read(report, told)
    table = inputs.study()
    found = analyse(table, confidence=report.config_snapshot["confidence"], progress=told)
    factor = _days(study.first, study.last) / max(len({row.on for row in inputs.rows}), 1)
    precision = study_precision(plan_sums(table, ("missions",))["missions"]).times(factor)
    net_se = found.displacement.net.se_log / np.sqrt(factor)
    detectable = precision.detectable()
    net = min(POWERFUL * net_se, 1.0) if np.isfinite(net_se) else 1.0
    shifts = int(inputs.studied.sum())
    basis = (
        f"{shifts:,} shifts from {inputs.rows[0].on:%Y-%m-%d} to {inputs.rows[-1].on:%Y-%m-%d}, "
        f"{precision.expected:,.0f} crimes to be expected in visited boxes"
    )
    reporter.record(
        figures={
            "detectable": number(detectable),
            "net_detectable": number(float(net)),
            "expected": number(precision.expected),
            "curve": [[effect, precision.power(effect)] for effect in EFFECTS],
            "shifts_read": shifts,
            "basis": basis,
        },
        data_hash=inputs.data_hash,
    )
    _store_power(report, float(detectable), float(net), basis)


def _store_power(report: ImpactReport, detectable: float, net: float, basis: str) -> None:
    with transaction.atomic():
        study = ImpactStudy.objects.select_for_update().get(pk=report.study_id)
        asked = {k: v for k, v in report.config_snapshot.items() if k in ("first", "last", "window_hours")}
        now = {"first": f"{study.first}", "last": f"{study.last}", "window_hours": study.window_hours}
        if study.is_open and asked == now:
            study.minimum_detectable, study.net_minimum_detectable = round(detectable, 4), round(net, 4)
            study.minimum_basis = basis
            study.save()


def _days(first: dt.date | None, last: dt.date | None) -> float:
    return float((last - first).days + 1) if first and last else 1.0


def succeeded(report: ImpactReport | None) -> bool:
    """Whether there are figures to show."""
    return report is not None and report.status == RunStatus.SUCCEEDED and bool(report.figures)
