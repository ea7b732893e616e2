"""What a client that uploaded a file is told about it."""

import uuid

from ingestion.engine.rejections import Rejection
from ingestion.models import Feed, ImportRun, QuarantinedRow
from missions_project.lib.runs import RunStatus

MAX_LOG_ROWS = 1_000
STATUS_WORDS = {
    RunStatus.QUEUED: "SUBM",
    RunStatus.RUNNING: "PROC",
    RunStatus.SUCCEEDED: "COMP",
    RunStatus.FAILED: "FAIL",
}
"""HunchLab's words. CANC, TERM and TIME, which its clients know too, do not occur here: a run fails or succeeds."""


def upload_run(feed: Feed, job_id: uuid.UUID) -> ImportRun | None:
    """Return the feed's upload of this id, or None. One query."""
    return ImportRun.objects.filter(feed=feed, job_id=job_id).first()


def upload_log(run: ImportRun) -> str:
    """Return the counts, each row kept aside with its reason (a thousand of them), and what was refused. One query."""
    if run.status == RunStatus.FAILED:
        return run.error
    counts = run.counts
    if not counts:
        return "Waiting for its turn." if run.status == RunStatus.QUEUED else "Being imported."
    lines = [
        f"{counts['received']} received: {counts['inserted']} inserted, {counts['updated']} updated, "
        f"{counts['unchanged']} unchanged, {counts['quarantined']} kept aside, {counts['refused']} refused."
    ]
    for rule, codes in sorted(run.refusals.items()):
        told = ", ".join(f"{code} × {number}" for code, number in sorted(codes.items()))
        lines.append(f"Refused by policy ({rule}): {told}")
    rows = (
        QuarantinedRow.objects.filter(run=run)
        .order_by("row_number")
        .values_list("row_number", "external_id", "code", "field")[: MAX_LOG_ROWS + 1]
    )
    kept = list(rows)
    for number, external_id, code, field in kept[:MAX_LOG_ROWS]:
        named = f" ({external_id})" if external_id else ""
        lines.append(f"Row {number}{named}: {code}. {Rejection(code, field).message}")
    if len(kept) > MAX_LOG_ROWS:
        lines.append("… and more: see Admin → Rows kept aside.")
    return "\n".join(lines)
