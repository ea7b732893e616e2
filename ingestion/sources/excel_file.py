"""A table in an Excel workbook (.xlsx), as records offices send it."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from django.utils.translation import gettext as _

from agencies.engine.untrusted_archives import DAMAGED_ZIP, unbounded_members
from ingestion.engine.mapping import FeedMapping
from ingestion.engine.rejections import Rejection, excerpt
from ingestion.sources.base import SourceError, parameter, register
from ingestion.sources.containers import MEGABYTE, RATIO_FREE_BYTES
from ingestion.sources.excel_cells import Cell, Sheet, Workbook, shown
from ingestion.sources.recognise import check_kind
from ingestion.sources.records import Record, RecordFile
from ingestion.sources.text import check_header, check_width, tidy_header
from missions_project.lib.lazy import gettext_lazy

HEADER_IN_FIRST_ROWS = 50
MIN_HEADER_CELLS = 2


@dataclass(frozen=True)
class ExcelFileParameters:
    """What an administrator can set for an Excel feed."""

    sheet: str = parameter(
        "",
        label=gettext_lazy("Sheet"),
        help=gettext_lazy("The name on the sheet's tab. Empty: the first sheet that is not hidden."),
    )
    header_row: int = parameter(
        0,
        label=gettext_lazy("Row of the column names"),
        help=gettext_lazy(
            "Its number in Excel. 0: the first row with at least two filled cells, so that a title above is passed over."
        ),
        minimum=0,
    )
    max_unpacked_mb: int = parameter(
        2048,
        label=gettext_lazy("Largest size (MB, unpacked)"),
        help=gettext_lazy("A workbook that unpacks to more is refused before anything of it is imported."),
        minimum=1,
    )
    max_ratio: int = parameter(
        200,
        label=gettext_lazy("Largest compression ratio"),
        help=gettext_lazy("A workbook that grows by more than this is refused as a bomb."),
        minimum=2,
    )


class ExcelFile(RecordFile):
    """One sheet of one workbook, opened. Rows are numbered as Excel numbers them; blank ones are no rows.

    Dates come as ISO 8601, formulas as the values that Excel last stored; a formula's error in a mapped column keeps its row
    aside. Of merged cells the first holds the value, as in the file.
    """

    format_name = "Excel workbook"

    def __init__(
        self, path: Path, parameters: ExcelFileParameters, mapping: FeedMapping | None = None
    ) -> None:
        super().__init__(path)
        _check_size(path, parameters)
        self._workbook = Workbook(path)
        self._sheet = self._chosen_sheet(parameters.sheet)
        self._header_row, cells = self._header_cells(parameters.header_row)
        names = [self._workbook.text(cells[i]) if i in cells else "" for i in range(max(cells) + 1)]
        self.header = tidy_header(names)
        check_width(self.header)
        if mapping is None or not set(mapping.column_names) <= set(self.header):
            check_header(self.header)

    def _chosen_sheet(self, name: str) -> Sheet:
        sheets = self._workbook.sheets
        names = ", ".join(sheet.name for sheet in sheets)
        if name:
            found = next((s for s in sheets if s.name.strip().lower() == name.strip().lower()), None)
            if found is None:
                raise SourceError(
                    _("The workbook has no sheet %(name)s. It has: %(names)s.")
                    % {"name": repr(name), "names": names},
                    _("Correct the feed's parameter “Sheet” (Admin → Feeds), or rename the sheet."),
                )
            return found
        visible = [sheet for sheet in sheets if not sheet.is_hidden] or sheets
        if not visible:
            raise SourceError(
                _("The workbook has no sheet with cells."), _("Check that this is the right file.")
            )
        if len(visible) > 1:
            self._warnings.append(
                _(
                    "The workbook has %(count)s sheets (%(names)s); “%(name)s” is read. Another one is chosen by the feed's "
                    "parameter “Sheet”."
                )
                % {"count": len(visible), "names": names, "name": visible[0].name}
            )
        return visible[0]

    def _header_cells(self, declared: int) -> tuple[int, dict[int, Cell]]:
        for number, cells, __ in self._workbook.rows(self._sheet):
            if number == declared or (not declared and shown(cells) >= MIN_HEADER_CELLS):
                return number, cells
            if number > (declared or HEADER_IN_FIRST_ROWS):
                break
        where = f"row {declared}" if declared else f"the first {HEADER_IN_FIRST_ROWS} rows"
        raise SourceError(
            _("Sheet “%(name)s” names no columns in %(where)s.") % {"name": self._sheet.name, "where": where},
            _(
                "Put the column names into one row, or set the feed's parameters “Sheet” and “Row of the column names”."
            ),
            row=declared or 1,
        )

    def _records(self, columns: Sequence[str]) -> Iterator[Record]:
        indices = [self.header.index(column) for column in columns]
        text = self._workbook.text
        rows = self._workbook.rows(self._sheet, frozenset(indices), len(self.header))
        for number, cells, is_filled in rows:
            if number <= self._header_row or not is_filled:
                continue
            values, problem = [], None
            for column, index in zip(columns, indices, strict=True):
                cell = cells.get(index)
                if cell is None:
                    values.append("")
                elif cell[0] == "e":
                    problem = problem or Rejection("formula_error", column, excerpt(cell[2]))
                    values.append("")
                else:
                    values.append(text(cell))
            yield number, values, problem


def _check_size(path: Path, parameters: ExcelFileParameters) -> None:
    """Refuse a bomb by the sizes that the archive declares; unpacking stops at them."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
            encrypted = any(info.flag_bits & 0x1 for info in archive.infolist())
            names = archive.namelist()
            is_strange = bool(unbounded_members(archive))
    except DAMAGED_ZIP as error:
        raise SourceError(
            _("The workbook is damaged or cut off (%(error)s).") % {"error": error},
            _("Send or export it again."),
        ) from error
    if encrypted:
        raise SourceError(_("The workbook is encrypted."), _("Save it without a password and upload that."))
    if is_strange:
        raise SourceError(
            _("The workbook is packed by a method that Excel does not write."),
            _("Open it in Excel, save it again as .xlsx and upload that."),
        )
    if "xl/workbook.bin" in names:
        raise SourceError(
            _("The file is a binary Excel workbook (.xlsb)."), _("Save it as .xlsx and upload that.")
        )
    if unpacked > parameters.max_unpacked_mb * MEGABYTE:
        raise SourceError(
            _("The workbook is larger than %(max_unpacked_mb)s MB when unpacked.")
            % {"max_unpacked_mb": f"{parameters.max_unpacked_mb:,}"},
            _(
                "Split it (by year, for example), or raise the feed's largest size if the machine can bear it."
            ),
        )
    if unpacked > RATIO_FREE_BYTES and unpacked > path.stat().st_size * parameters.max_ratio:
        raise SourceError(
            _(
                "The workbook unpacks to more than %(max_ratio)s times its size, as archives made to fill a disk do."
            )
            % {"max_ratio": parameters.max_ratio},
            _("If it is genuine, save the table as CSV and upload that."),
        )


@register
class ExcelFileSource:
    """A table in a sheet of an .xlsx (or .xlsm) workbook."""

    kind: ClassVar[str] = "excel_file"
    label: ClassVar[str] = gettext_lazy("Excel workbook")
    help: ClassVar[str] = gettext_lazy(
        "An .xlsx workbook: one sheet with a row of column names. Old .xls files are refused."
    )
    Parameters: ClassVar[type] = ExcelFileParameters

    def __init__(self, parameters: ExcelFileParameters | None = None) -> None:
        self.parameters = parameters or ExcelFileParameters()

    def open(self, path: Path, *, mapping: FeedMapping | None = None) -> ExcelFile:
        """Open one workbook. Raises ``SourceError`` for another format, a damaged one, or a sheet that is not there."""
        check_kind(Path(path), self.kind)
        return ExcelFile(Path(path), self.parameters, mapping)
