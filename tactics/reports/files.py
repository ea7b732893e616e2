"""Reports as files: CSV of one table, an Excel workbook of all, JSON. Each says whose it is, what was asked, and when."""

import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from missions_project.lib.cells import plain_cell
from missions_project.lib.exports import About, csv_lines, csv_response
from tactics.reports.shapes import Report, Table

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\]")
_FORMATS = {"int": "#,##0", "share": "0.0 %"}


def table_csv(report: Report, table: Table) -> HttpResponseBase:
    """One table as CSV; shares as numbers 0..1, unknown cells empty."""
    return csv_response(
        report.file_name(table.slug, "csv"),
        about=_about(report, (table.note,) if table.note else ()),
        columns=[column.key for column in table.columns],
        rows=_values(table.rows),
    )


def _about(report: Report, notes: tuple[str, ...] = ()) -> About:
    return About(
        what=report.title,
        agency=report.agency,
        asked=report.asked.words,
        zone=report.zone,
        model=report.model,
        more=(*report.about, *notes),
        made_at=report.made_at,
    )


def table_csv_text(report: Report, table: Table) -> str:
    """The same as text, for an e-mail."""
    keys = [column.key for column in table.columns]
    return "".join(csv_lines(report.provenance, keys, _values(table.rows)))


def _values(rows: Iterable[Sequence[Any]]) -> Iterable[list[Any]]:
    return (["" if value is None else value for value in row] for row in rows)


def _sheet_name(text: str) -> str:
    """Excel takes 31 letters and not all of them."""
    return _NOT_IN_SHEET_NAMES.sub(" ", text)[:31]


def workbook(report: Report) -> bytes:
    """All tables as an Excel workbook: a sheet of what it is, then a sheet a table."""
    # Here: a command or worker that makes no workbook should not wait for it.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    sheet = book.create_sheet(_sheet_name(_("About")))
    lines = [*report.provenance, "", report.sentence, *report.notes]
    for line in lines:
        sheet.append([plain_cell(line)])
    for figure in report.figures:
        sheet.append([plain_cell(figure.label), plain_cell(figure.value), plain_cell(figure.note)])
    for table in report.tables:
        sheet = book.create_sheet(_sheet_name(table.slug))
        sheet.freeze_panes = "A2"
        head = []
        for column in table.columns:
            cell = WriteOnlyCell(sheet, plain_cell(column.title))
            cell.font = Font(bold=True)
            head.append(cell)
        sheet.append(head)
        formats = [_FORMATS.get(column.kind) for column in table.columns]
        for row in table.rows:
            cells = []
            for value, form in zip(row, formats, strict=True):
                cell = WriteOnlyCell(sheet, plain_cell(value))
                if form and value is not None:
                    cell.number_format = form
                cells.append(cell)
            sheet.append(cells)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def workbook_response(report: Report) -> HttpResponse:
    return HttpResponse(
        workbook(report),
        content_type=XLSX,
        headers={"Content-Disposition": f'attachment; filename="{report.file_name("", "xlsx")}"'},
    )


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain data, for the API: tables as lists of objects by column key."""
    return {
        "report": report.slug,
        "title": report.title,
        "agency": report.agency_slug,
        "period": {"from": report.asked.first.isoformat(), "to": report.asked.last.isoformat()},
        "filters": {
            name: list(getattr(report.asked, name)) for name in ("district", "beat", "shift", "type")
        },
        "options": {name: list(values) for name, values in report.asked.options},
        "time_zone": report.zone,
        "generated_at": report.made_at.isoformat(timespec="seconds"),
        "model": report.model,
        "about": list(report.about),
        "sentence": report.sentence,
        "figures": [{"label": one.label, "value": one.value, "note": one.note} for one in report.figures],
        "tables": [
            {
                "table": table.slug,
                "title": table.title,
                "note": table.note,
                "columns": [
                    {"key": c.key, "title": c.title, "kind": c.kind, "unit": c.unit} for c in table.columns
                ],
                "rows": [dict(zip([c.key for c in table.columns], row, strict=True)) for row in table.rows],
            }
            for table in report.tables
        ],
        "notes": list(report.notes),
    }
