"""Reports as files: CSV of one table, an Excel workbook of all, JSON. Each says whose it is, what was asked, and when."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import islice
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from missions_project.lib.cells import plain_cell
from missions_project.lib.exports import LINES_AT_ONCE, About, csv_lines, csv_response
from tactics.reports.shapes import Report, Table

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\]")
ROWS_A_SHEET = 2**20 - 1
"""What a sheet of Excel holds below its head."""
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
        formats = [_FORMATS.get(column.kind) for column in table.columns]
        rows = iter(table.rows)
        # A sheet of its own for what Excel's rows do not hold: cut there, the file would look whole.
        for part in range(1, 2 + max(0, len(table.rows) - 1) // ROWS_A_SHEET):
            sheet = book.create_sheet(_sheet_name(table.slug if part == 1 else f"{table.slug} {part}"))
            sheet.freeze_panes = "A2"
            head = []
            for column in table.columns:
                cell = WriteOnlyCell(sheet, plain_cell(column.title))
                cell.font = Font(bold=True)
                head.append(cell)
            sheet.append(head)
            for row in islice(rows, ROWS_A_SHEET):
                cells: list[Any] = []
                for value, form in zip(row, formats, strict=True):
                    if form and value is not None:
                        cell = WriteOnlyCell(sheet, plain_cell(value))
                        cell.number_format = form
                        cells.append(cell)
                    else:
                        cells.append(plain_cell(value))
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
    return _facts(report) | {
        "tables": [_table_facts(table) | {"rows": list(_objects(table))} for table in report.tables]
    }


def json_pieces(report: Report) -> Iterator[str]:
    """Yield the text of the same, part by part: a long table's rows are never all in memory."""
    yield json.dumps(_facts(report))[:-1] + ', "tables": ['
    for number, table in enumerate(report.tables):
        yield (", " if number else "") + json.dumps(_table_facts(table))[:-1] + ', "rows": ['
        rows, between = _objects(table), ""
        while part := list(islice(rows, LINES_AT_ONCE)):
            yield between + json.dumps(part)[1:-1]
            between = ", "
        yield "]}"
    yield "]}"


def _facts(report: Report) -> dict[str, Any]:
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
        "notes": list(report.notes),
    }


def _table_facts(table: Table) -> dict[str, Any]:
    return {
        "table": table.slug,
        "title": table.title,
        "note": table.note,
        "columns": [{"key": c.key, "title": c.title, "kind": c.kind, "unit": c.unit} for c in table.columns],
    }


def _objects(table: Table) -> Iterator[dict[str, Any]]:
    keys = [column.key for column in table.columns]
    return (dict(zip(keys, row, strict=True)) for row in table.rows)
