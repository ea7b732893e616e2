"""From the engine's report to the figures that are stored: plain numbers by name, nothing that JSON cannot hold."""

import math
from dataclasses import asdict
from typing import Any

from tactics.engine.impact import ImpactReport
from tactics.engine.impact.dose import PerMinutes
from tactics.engine.impact.estimators import Effect
from tactics.engine.impact.groups import PartEffect
from tactics.studies.inputs import StudyInputs

MOST_NAMED = 200
"""Refused plans and gaps that a report names one by one; it counts them all."""


def number(value: float) -> float | None:
    """The number, or None where there is none (not a number, without bound)."""
    return float(value) if math.isfinite(value) else None


def effect_figures(key: str, effect: Effect) -> dict[str, Any]:
    """One estimate: shares of crime expected without missions, 0.1 is one crime in ten prevented."""
    low, high = number(effect.low), number(effect.high)
    return {
        "key": key,
        "name": effect.name,
        "estimate": number(effect.estimate),
        "low": low,
        "high": high,
        "p": number(effect.p_value) if effect.interval != "none" else None,
        "n": number(effect.treated_events),
        "interval": effect.interval,
        "label": effect.label,
        "shows": effect.shows if low is not None and high is not None else False,
    }


def part_figures(part: PartEffect, name: str) -> dict[str, Any]:
    """One crime type's or district's estimate, its own and pulled towards the others."""
    return {
        **effect_figures(part.part, part.own),
        "name": name,
        "pulled": number(part.pulled),
        "pulled_low": number(part.pulled_low),
        "pulled_high": number(part.pulled_high),
        "adjusted_p": number(part.adjusted_p),
        "few": part.few,
    }


def report_figures(
    report: ImpactReport, inputs: StudyInputs, per_ten: PerMinutes | None, estimand: str
) -> dict[str, Any]:
    """Everything that a report page shows. The same data and seed give the same figures, to the last digit."""
    moved = report.displacement
    effects = [
        ("net", moved.net),
        ("direct", moved.direct),
        ("contrast", report.primary),
        ("overlap", report.overlap),
        ("hajek", report.hajek),
        ("moved", moved.moved),
        *([("plain", report.plain)] if report.plain is not None else []),
    ]
    measured = inputs.measured[inputs.studied]
    return {
        "effects": [effect_figures(key, effect) for key, effect in effects],
        "estimand": estimand,
        "withheld": report.withheld,
        "sentence": report.sentence,
        "detectable": number(report.detectable),
        "net_detectable": number(report.net_detectable),
        "times_longer": number(report.times_longer),
        "overdispersion": number(report.overdispersion),
        "fisher": _plain(asdict(report.fisher)) if report.fisher else None,
        "per_ten_minutes": _plain(asdict(per_ten)) if per_ten else None,
        "measured_shifts": int(measured.sum()),
        "dose": _plain(asdict(report.dose)) if report.dose else None,
        "displacement_difference": _plain(asdict(report.displacement_difference)),
        "controls": [
            {**effect_figures(one.name, one.effect), "adjusted_p": number(one.adjusted_p), "fails": one.fails}
            for one in report.controls
        ],
        "by_type": [part_figures(part, part.part) for part in report.by_type],
        "by_district": [
            part_figures(part, inputs.district_names.get(int(part.part), "no district"))
            for part in report.by_district
        ],
        "checks": _plain(asdict(report.checks)),
        "notes": [*report.notes, *inputs.notes],
        "shifts": int(inputs.studied.sum()),
        "first": f"{inputs.rows[0].on:%Y-%m-%d}",
        "last": f"{inputs.rows[-1].on:%Y-%m-%d}",
        "refused": [
            {"plan": one.plan_id, "label": one.label, "code": one.code, "message": one.message}
            for one in inputs.refused[:MOST_NAMED]
        ],
        "n_refused": len(inputs.refused),
        "gaps": list(inputs.gaps[:MOST_NAMED]),
        "n_gaps": len(inputs.gaps),
        "crimes": len(inputs.events.at_minute),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    return number(float(value))
