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
    """Return the tables as an Excel workbook: a sheet of what it is, then a sheet a table.

    A table longer than ``in_workbook`` rows is cut there, and both its own sheet and the first one say so.
    """
    # Here: a command or worker that makes no workbook should not wait for it.
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet(_sheet_name(_("About")))
    for line in (
        *report.provenance,
        "",
        report.sentence,
        *report.notes,
        *filter(None, map(_cut, report.tables)),
    ):
        sheet.append([plain_cell(line)])
    for figure in report.figures:
        sheet.append([plain_cell(figure.label), plain_cell(figure.value), plain_cell(figure.note)])
    for table in report.tables:
        _fill(book.create_sheet(_sheet_name(table.slug)), table)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _cut(table: Table) -> str:
    """What the workbook says of a table that it does not hold whole, else nothing."""
    if table.in_workbook == len(table.rows):
        return ""
    return _("“%(table)s”: the first %(most)s of %(rows)s rows. The CSV file and the API hold all.") % {
        "table": table.title, "most": f"{table.in_workbook:,}", "rows": f"{len(table.rows):,}",
    }  # fmt: skip


def _fill(sheet: Any, table: Table) -> None:
    """Write the head, the rows, and what is left out into an empty sheet of a write-only workbook."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    def styled(value: Any, *, bold: bool = False, form: str | None = None) -> Any:
        cell = WriteOnlyCell(sheet, plain_cell(value))
        if bold:
            cell.font = Font(bold=True)
        if form:
            cell.number_format = form
        return cell

    sheet.freeze_panes = "A2"
    formats = [_FORMATS.get(column.kind) for column in table.columns]
    sheet.append([styled(column.title, bold=True) for column in table.columns])
    for row in table.rows[: table.in_workbook]:
        sheet.append(
            [
                styled(value, form=form) if form and value is not None else plain_cell(value)
                for value, form in zip(row, formats, strict=True)
            ]
        )
    if cut := _cut(table):
        sheet.append([styled(cut, bold=True)])


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
