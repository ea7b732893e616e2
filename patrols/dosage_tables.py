"""The tables of the dosage and completeness pages: a line for each beat, shift, crime type and week."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from agencies.clocks import date_read
from missions_project.lib.table_rows import table_rows, whole_numbers
from patrols.dosage import DosageReport
from patrols.engine.reconcile import SOURCES


def dose_tables(report: DosageReport) -> list[tuple[str, SafeString]]:
    """(what the lines are, their rows as HTML): missions, with record, recommended, delivered, share, by source, outside missions."""
    said = whole_numbers()
    numeric = [False, *[True] * (6 + len(SOURCES))]
    return [
        (
            by,
            table_rows(
                [
                    (
                        line.name, said(line.missions), _percent(said(line.share_recorded)), said(line.recommended),
                        said(line.delivered), _percent(said(line.share_delivered)), *map(said, line.minutes_in_order),
                        said(line.passive),
                    )
                    for line in lines
                ],
                numeric,
            ),
        )
        for by, lines in report.groups
    ]  # fmt: skip


def record_tables(report: DosageReport) -> list[tuple[str, SafeString]]:
    """(what the lines are, their rows as HTML): missions, with any record, share, by source. Lines without missions are left out."""
    said = whole_numbers()
    numeric = [False, *[True] * (3 + len(SOURCES))]
    return [
        (
            by,
            table_rows(
                [
                    (
                        date_read(line.name), said(line.missions), said(line.recorded), _percent(said(line.share_recorded)),
                        *(
                            format_html('{} <small class="muted">{}</small>', said(n), _percent(said(share)))
                            for n, share in line.records_in_order
                        ),
                    )
                    for line in lines
                    if line.missions
                ],
                numeric,
            ),
        )
        for by, lines in report.record_groups
    ]  # fmt: skip


def _percent(number: str) -> str:
    return number if number == "–" else f"{number} %"
