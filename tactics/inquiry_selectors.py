"""Reading questions that were asked of the history, their answers, and what is proposed."""

import math
from collections.abc import Mapping
from typing import Any

from agencies.models import Agency
from missions_project.lib.runs import RunStatus
from tactics.engine.optimise import Finding
from tactics.models import ImpactReport, Inquiry, PolicyProposal


def inquiry_for(
    agency: Agency, kind: str, choices: Mapping[str, Any]
) -> tuple[Inquiry | None, Inquiry | None]:
    """Return the newest answered question with these choices, and the newest one whatever became of it. Two queries."""
    mark = Inquiry.mark_of(choices)
    rows = Inquiry.objects.filter(agency=agency, kind=kind, choices_hash=mark).select_related("requested_by")
    return rows.filter(status=RunStatus.SUCCEEDED).first(), rows.defer("answer").first()


def latest_report(agency: Agency) -> ImpactReport | None:
    """Return the agency's newest finished report of any study, with its study; None before the first. One query."""
    return (
        ImpactReport.objects.filter(
            agency=agency, purpose=ImpactReport.Purpose.REPORT, status=RunStatus.SUCCEEDED
        )
        .select_related("study")
        .order_by("-finished_at", "-pk")
        .first()
    )


def measured_overdispersion(agency: Agency) -> float | None:
    """Return how much more than by chance crimes vary, as the newest report measured it; None without one. One query."""
    report = latest_report(agency)
    value = report.figures.get("overdispersion") if report else None
    return float(value) if value else None


def finding_of(report: ImpactReport, key: str) -> Finding:
    """Return one of the report's effects with its interval; without one (or with a failed check) the limits are NaN. No query."""
    row = next((one for one in report.figures.get("effects", []) if one.get("key") == key), None) or {}
    limits = [float(row[name]) for name in ("estimate", "low", "high") if row.get(name) is not None]
    if len(limits) < 3 or any(one.get("fails") for one in report.figures.get("controls", [])):
        # What missions cannot have changed differs: no figure of this study may move a dial.
        return Finding(math.nan, math.nan, math.nan)
    return Finding(limits[0], limits[1], limits[2], report.study.confidence)


def proposals_of(agency: Agency, *, decided: int = 20) -> tuple[list[PolicyProposal], list[PolicyProposal]]:
    """Return the open proposals, those that prevent more first, and the latest decided or outdated ones. Two queries."""
    rows = PolicyProposal.objects.filter(agency=agency).select_related(
        "policy", "rule__tactic", "rule__crime_type", "decided_by"
    )
    still = rows.filter(status=PolicyProposal.Status.OPEN).order_by("purpose", "-gain", "pk")
    return list(still), list(rows.exclude(status=PolicyProposal.Status.OPEN)[:decided])
