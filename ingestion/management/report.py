"""What an import's result looks like in a terminal."""

from typing import Any

from ingestion.engine.rejections import REJECTION_CODES
from ingestion.models import ImportRun, QuarantinedRow
from ingestion.services.tally import CLASSES

SHOWN_ROWS = 3


def run_report(run: ImportRun) -> str:
    """The run's account as a table, each rejection with its remedy and first rows, each refusal by rule."""
    lines = [f"{run.file_name}: {run.counts['received']:,} rows received"]
    lines += [f"  {name:<12}{run.counts[name]:>12,}" for name in CLASSES]
    if run.rejections:
        lines.append("Quarantined, by code:")
        for code, number in _largest(run.rejections):
            lines.append(f"  {code:<26}{number:>10,}  {REJECTION_CODES[code].meaning}.")
            lines.append(f"  {'':<36}  {REJECTION_CODES[code].remedy}")
            rows = QuarantinedRow.objects.filter(run=run, code=code).order_by("row_number")[:SHOWN_ROWS]
            places = ", ".join(
                f"row {row.row_number}" + (f" ({row.field})" if row.field else "") for row in rows
            )
            if places:
                lines.append(f"  {'':<36}  First: {places}.")
    if run.refusals:
        lines.append("Refused by policy, by rule (never stored):")
        totals = {rule: sum(codes.values()) for rule, codes in run.refusals.items()}
        for rule, number in _largest(totals):
            codes = ", ".join(f"{code} {n:,}" for code, n in _largest(run.refusals[rule])[:6])
            lines.append(f"  {rule:<26}{number:>10,}  codes {codes}")
    return "\n".join(lines)


def _largest(counts: dict[str, Any]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
