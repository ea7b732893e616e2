"""What turning each dial by one step would be expected to bring: from the newest report, forecasts and tactics' draws. Reads only."""

import datetime as dt
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from agencies.models import Agency
from forecasting.models import ForecastRun
from forecasting.selectors import expected_by_type
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from patrols.engine.design import DesignPolicy
from patrols.engine.preview import PreviewInputs, design_preview
from patrols.models import PatrolPolicy
from patrols.preview import preview_inputs, preview_runs
from patrols.selectors import active_policy
from tactics.engine.impact.study import Floats
from tactics.engine.optimise import (
    Allocation,
    Change,
    Finding,
    allocation_of,
    coverage_change,
    dose_change,
    judged,
)
from tactics.inquiry_selectors import finding_of, latest_report
from tactics.models import ImpactReport
from tactics.weights import WeightsFound, weight_changes

GAMMA_STEP, EXPLORATION_STEP, DOSE_STEP_MINUTES = 0.25, 0.05, 2
LABELS = {
    "gamma": gettext_noop("Pull towards harm (γ)"),
    "exploration": gettext_noop("Exploration (share)"),
    "dose_min_minutes": gettext_noop("Shortest visit (minutes)"),
    "dose_max_minutes": gettext_noop("Longest visit (minutes)"),
}
UNKNOWN = Finding(float("nan"), float("nan"), float("nan"))


class _Tonight:
    """The newest forecast shifts, each as its plan would find it, and the study's crimes expected in them."""

    def __init__(self, policy: PatrolPolicy, runs: list[ForecastRun], types: list[int]) -> None:
        self.inputs: list[PreviewInputs] = [preview_inputs(run, policy) for run in runs]
        self.expected: list[Floats] = []
        for run, inputs in zip(runs, self.inputs, strict=True):
            total = np.zeros(len(inputs.harm))
            for crime_type, values in expected_by_type(run).items():
                if not types or crime_type.pk in types:
                    total += values
            planned = np.isin(inputs.beat_of_cell, [beat for beat, k in inputs.beat_k.items() if k > 0])
            self.expected.append(np.where(planned, total, 0.0))
        days = [len(run.shift.weekday_numbers) for run in runs]
        self.crimes_a_year = sum(
            float(one.sum()) * n / 7.0 * 365.0 for one, n in zip(self.expected, days, strict=True)
        )

    def under(self, dials: DesignPolicy, overdispersion: float) -> Allocation:
        """What these dials would do in all of these shifts together."""
        made = [design_preview(inputs, dials) for inputs in self.inputs]
        return allocation_of(
            np.stack([one.pi for one in made]),
            np.stack(self.expected),
            float(np.mean([one.predictability for one in made])),
            overdispersion,
        )


def proposals_found(
    agency: Agency, progress: Progress
) -> tuple[PatrolPolicy, list[Change], WeightsFound, dict[str, Any]]:
    """Return the active policy, every change looked at with its verdict, what tactics' draws show, and what all rests on.

    About 25 queries a shift, and fifteen for the tactics. Raises ``MissionsError`` without a policy or a forecast.
    """
    policy = active_policy(agency)
    if policy is None:
        raise MissionsError(
            _("There is no active patrol policy."), next_step=_("Admin → Patrol policies → Add.")
        )
    runs = preview_runs(agency)
    if not runs:
        raise MissionsError(
            _("There is no forecast yet, so nobody knows what a dial would change."),
            next_step=_("forecast a shift first (Risk → Forecast this shift)."),
        )
    report = latest_report(agency)
    effect = finding_of(report, "net") if report else UNKNOWN
    progress(0, 8, "Reading forecast shifts")
    tonight = _Tonight(policy, runs, report.study.crime_types if report else [])
    overdispersion = float((report.figures.get("overdispersion") if report else None) or 1.0)
    dials = policy.as_design_policy()
    now = tonight.under(dials, overdispersion)
    changes: list[Change] = []
    for at, (dial, value) in enumerate(_steps(policy)):
        progress(1 + at, 8, f"Trying {LABELS[dial]} {value:g}")
        turned: dict[str, Any] = {dial: value}
        tried = replace(dials, **turned)
        if tried.problems():
            continue
        then = tonight.under(tried, overdispersion)
        changes.append(
            coverage_change(
                effect, now, then, field=dial, value_from=float(getattr(policy, dial)), value_to=value
            )
        )
    if report is not None:
        changes += _dose_changes(report, policy, now)
    progress(6, 8, "Comparing tactics")
    weights = weight_changes(
        agency, now=now, crimes_a_year=tonight.crimes_a_year, until=timezone.now(), progress=progress
    )
    changes += weights.changes
    basis = {
        "report": report.pk if report else None,
        "study": report.study.name if report else "",
        "sentence": report.sentence if report else "",
        "data_hash": report.data_hash if report else "",
        "design_hash": report.design_hash if report else "",
        "effect": _plain(asdict(effect)),
        "times_longer": report.figures.get("times_longer") if report else None,
        "study_days": _days(report),
        "forecasts": [run.pk for run in runs],
        "policy": {name: getattr(policy, name) for name in LABELS} | {"id": policy.pk, "name": policy.name},
        "covered": round(now.covered, 6),
        "predictability": round(now.predictability, 6),
        "crimes_a_year": round(tonight.crimes_a_year, 1),
        "tactics": weights.about,
    }
    return policy, judged(changes), weights, basis


def _steps(policy: PatrolPolicy) -> list[tuple[str, float]]:
    """Each dial one step up and down, inside what a policy may have."""
    found = [("gamma", round(policy.gamma + step, 4)) for step in (-GAMMA_STEP, GAMMA_STEP)] + [
        ("exploration", round(policy.exploration + step, 4)) for step in (-EXPLORATION_STEP, EXPLORATION_STEP)
    ]
    limits = {"gamma": (0.0, 4.0), "exploration": (0.01, 1.0)}
    return [(dial, value) for dial, value in found if limits[dial][0] <= value <= limits[dial][1]]


def _dose_changes(report: ImpactReport, policy: PatrolPolicy, now: Allocation) -> list[Change]:
    """The longest visit two minutes up or down, if the study drew doses that wide."""
    dose = report.figures.get("dose")
    if (
        not dose
        or any(dose.get(name) is None for name in ("per_ten_minutes", "low", "high"))
        or not dose["bins"]
    ):
        return []
    if any(one.get("fails") for one in report.figures.get("controls", [])):
        return []
    slope = Finding(dose["per_ten_minutes"], dose["low"], dose["high"], report.study.confidence)
    tested = (
        min(one["from_minutes"] for one in dose["bins"]),
        max(one["to_minutes"] for one in dose["bins"]),
    )
    found = []
    for step in (-DOSE_STEP_MINUTES, DOSE_STEP_MINUTES):
        value = policy.dose_max_minutes + step
        if not max(policy.dose_min_minutes, 5) <= value <= 60:
            continue
        change = dose_change(
            slope, now, field="dose_max_minutes", value_from=float(policy.dose_max_minutes), value_to=float(value),
            mean_minutes_more=step / 2.0, tested=tested,
        )  # fmt: skip
        if change is not None:
            found.append(change)
    return found


def _days(report: ImpactReport | None) -> int | None:
    return (report.last - report.first + dt.timedelta(days=1)).days if report else None


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def change_json(change: Change, weights: WeightsFound) -> dict[str, Any]:
    """A change for storage: plain numbers, None for what is not known; of a tactic's weight with what its draws show."""
    evidence = weights.rows[change.subject] if change.subject is not None else None
    label = evidence["label"] if evidence else LABELS.get(change.field, change.field)
    return {
        "question": change.question, "field": change.field, "label": label, "evidence": evidence,
        "value_from": change.value_from, "value_to": change.value_to, "gain": _plain(asdict(change.gain)),
        "covered_from": change.covered_from, "covered_to": change.covered_to,
        "predictability_from": change.predictability_from, "predictability_to": change.predictability_to,
        "longer": change.longer if np.isfinite(change.longer) else None, "verdict": change.verdict,
    }  # fmt: skip
