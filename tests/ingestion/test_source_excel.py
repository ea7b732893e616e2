"""A workbook is read as Excel shows it, or refused with what is wrong and what to do."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import numbers

from ingestion.engine.mapping import FeedMapping
from ingestion.models import Incident, QuarantinedRow
from ingestion.sources import ExcelFile, SourceError, source_from
from ingestion.sources.excel_cells import serial_text
from tests.ingestion.files import COLUMNS, good_row, plain_feed, run_import
from tests.ingestion.reports import write_excel

MAPPING = FeedMapping(columns={"external_id": "id", "occurred_from": "at"})


def book(path: Path, *rows: list[Any], name: str = "Data") -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = name
    for row in rows:
        sheet.append(row)
    workbook.save(path)
    return path


def opened(path: Path, **params: Any) -> ExcelFile:
    return source_from("excel_file", params).open(path)


def edited(path: Path, part: str, old: str, new: str) -> Path:
    """The workbook with one of its parts changed by hand."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as after:
        for info in before.infolist():
            data = before.read(info)
            if info.filename == part:
                assert old.encode() in data
                data = data.replace(old.encode(), new.encode(), 1)
            after.writestr(info.filename, data)
    path.write_bytes(content.getvalue())
    return path


SHEET = "xl/worksheets/sheet1.xml"


def test_dates_are_iso_texts_with_the_precision_that_the_cell_has(tmp_path):
    moment = datetime(2025, 3, 9, 2, 30)  # noqa: DTZ001  # Excel knows wall clocks only
    path = book(
        tmp_path / "a.xlsx", ["id", "at", "day", "hour"], ["1", moment, date(2025, 3, 9), time(14, 5)]
    )
    assert opened(path).sample() == [
        {"id": "1", "at": "2025-03-09T02:30:00", "day": "2025-03-09", "hour": "14:05:00"}
    ]


@pytest.mark.parametrize(
    ("serial", "shown", "text"),
    [
        (45725.1041666667, "datetime", "2025-03-09T02:30:00"),
        (45725.99999, "datetime", "2025-03-09T23:59:59"),
        (45725.5, "date", "2025-03-09T12:00:00"),
        (1, "date", "1900-01-01"),
        (60.25, "datetime", "1900-02-28T06:00:00"),
    ],
)
def test_day_numbers_become_times_to_the_second(serial, shown, text):
    assert serial_text(serial, shown) == text


def test_a_workbook_made_on_a_mac_counts_its_days_from_1904(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.epoch = openpyxl.utils.datetime.MAC_EPOCH
    workbook.active.append(["id", "at"])
    workbook.active.append(["1", datetime(2025, 3, 9, 2, 30)])  # noqa: DTZ001
    workbook.save(tmp_path / "a.xlsx")
    assert opened(tmp_path / "a.xlsx").sample()[0]["at"] == "2025-03-09T02:30:00"


def test_numbers_keep_their_digits_and_truths_are_words(tmp_path):
    row = [202500000123, -87.6298, 1.5, True, 0.1 + 0.2]
    path = book(tmp_path / "a.xlsx", ["id", "lon", "half", "flag", "sum"], row)
    assert list(opened(path).sample()[0].values()) == ["202500000123", "-87.6298", "1.5", "true", "0.3"]


def test_a_day_number_in_a_column_that_is_shown_as_a_number_stays_a_number(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.append(["id", "at"])
    workbook.active.append([45725, 45725])
    workbook.active["B2"].number_format = numbers.FORMAT_DATE_DATETIME
    workbook.save(tmp_path / "a.xlsx")
    assert opened(tmp_path / "a.xlsx").sample() == [{"id": "45725", "at": "2025-03-09T00:00:00"}]


ONE = '<c r="A2" t="inlineStr"><is><t>1</t></is></c>'


def with_shared_texts(path: Path, texts: str, cell: str) -> Path:
    """The workbook as Excel itself writes it: texts in a part of their own, cells with their numbers."""
    edited(path, SHEET, ONE, cell)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="x">{texts}</sst>')
    return path


def test_the_stored_value_of_a_formula_is_read(tmp_path):
    path = book(tmp_path / "a.xlsx", ["id", "at"], ["1", "x"])
    edited(path, SHEET, ONE, '<c r="A2" t="str"><f>"R"&amp;1</f><v>R1</v></c>')
    assert opened(path).sample()[0]["id"] == "R1"


def test_shared_texts_are_found_with_their_formatting_left_out_and_reading_aids_too(tmp_path):
    texts = "<si><t>a</t></si><si><r><t>R&#252;</t></r><r><t xml:space='preserve'> 2</t></r><rPh><t>no</t></rPh></si>"
    path = book(tmp_path / "a.xlsx", ["id", "at"], ["1", "x"])
    assert opened(with_shared_texts(path, texts, '<c r="A2" t="s"><v>1</v></c>')).sample()[0]["id"] == "Rü 2"


def test_a_text_that_the_workbook_lacks_is_damage(tmp_path):
    path = book(tmp_path / "a.xlsx", ["id", "at"], ["1", "x"])
    with_shared_texts(path, "<si><t>a</t></si>", '<c r="A2" t="s"><v>9</v></c>')
    with pytest.raises(SourceError, match="text 9 is not in the workbook"):
        opened(path).survey(MAPPING)


def test_an_error_of_a_formula_keeps_its_row_aside_only_where_the_column_is_mapped(agency, tmp_path):
    rows = [good_row(n) for n in range(30)]
    rows[3] |= {"lat": "#N/A"}
    rows[4] |= {"other": "#DIV/0!"}
    path = write_excel(tmp_path / "a.xlsx", rows, (*COLUMNS, "other"))
    run = run_import(plain_feed(agency, kind="excel_file"), path)
    assert run.counts["inserted"] == 29
    assert run.rejections == {"formula_error": 1}
    row = QuarantinedRow.objects.get()
    assert (row.row_number, row.field, row.values) == (5, "lat", {})


def test_titles_blank_rows_and_merged_cells_are_passed_over_and_excels_row_numbers_kept(tmp_path):
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet["A1"] = "Incidents of the north district"
    sheet.merge_cells("A1:D1")
    for row, values in ((3, ["id", "at"]), (5, ["1", "x"]), (9, ["2", "y"])):
        for column, value in enumerate(values, 1):
            sheet.cell(row, column, value)
    sheet.merge_cells("A9:A10")
    workbook.save(tmp_path / "a.xlsx")
    reader = opened(tmp_path / "a.xlsx")
    (chunk,) = reader.chunks(MAPPING)
    assert reader.header == ("id", "at")
    assert chunk.row_numbers.tolist() == [5, 9]
    assert reader.survey(MAPPING).row_count == 2


def test_a_sheet_and_a_row_of_names_can_be_declared(tmp_path):
    path = book(tmp_path / "a.xlsx", ["made", "by"], ["id", "at"], ["1", "x"], name="First")
    workbook = openpyxl.load_workbook(path)
    workbook.create_sheet("Second").append(["other", "columns"])
    workbook.save(path)
    assert opened(path, header_row=2).header == ("id", "at")
    assert opened(path, sheet="second").header == ("other", "columns")
    assert "First, Second" in opened(path).survey().warnings[0]
    with pytest.raises(SourceError, match=r"no sheet 'Third'\. It has: First, Second"):
        opened(path, sheet="Third")
    with pytest.raises(SourceError, match="names no columns in row 9"):
        opened(path, header_row=9)


def test_a_hidden_sheet_is_not_taken_for_the_table(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.append(["secret", "list"])
    workbook.active.sheet_state = "hidden"
    workbook.create_sheet("Data").append(["id", "at"])
    workbook.save(tmp_path / "a.xlsx")
    assert opened(tmp_path / "a.xlsx").header == ("id", "at")


def test_a_file_named_wrongly_is_read_by_its_content(tmp_path):
    path = book(tmp_path / "a.xlsx", ["id", "at"], ["1", "x"]).rename(tmp_path / "upload")
    assert opened(path).sample() == [{"id": "1", "at": "x"}]


def test_the_old_format_and_one_with_a_password_say_how_to_save_it(tmp_path):
    path = tmp_path / "a.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    for kind in ("csv_file", "excel_file"):
        with pytest.raises(SourceError, match="old Excel workbook"):
            source_from(kind, {}).open(path)


def test_a_workbook_that_unpacks_to_a_disk_full_is_refused_before_it_is_unpacked(tmp_path):
    path = book(tmp_path / "a.xlsx", ["id", "at"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/a.bin", bytes(70 * 1024 * 1024))
    with pytest.raises(SourceError, match="fill a disk"):
        opened(path)
    with pytest.raises(SourceError, match="larger than 1 MB"):
        opened(path, max_unpacked_mb=1)


def test_a_document_type_inside_is_refused(tmp_path):
    path = book(tmp_path / "a.xlsx", ["id", "at"], ["1", "x"])
    edited(path, SHEET, "<worksheet", '<!DOCTYPE x [<!ENTITY e "boom">]><worksheet')
    with pytest.raises(SourceError, match="document type or entities"):
        opened(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<row r="2"', '<row r="99999999999"'),
        ('<row r="2"', '<row r="1"'),
        ('<row r="2"', '<row r="two"'),
        ('r="A2"', 'r="ZZZ2"'),
        ("</sheetData>", ""),
    ],
)
def test_a_damaged_sheet_is_refused_and_not_half_read(old, new, tmp_path):
    path = edited(book(tmp_path / "a.xlsx", ["id", "at"], ["1", "x"]), SHEET, old, new)
    with pytest.raises(SourceError, match="damaged"):
        opened(path).survey(MAPPING)


def test_columns_that_are_not_mapped_never_leave_the_reader(agency, tmp_path):
    rows = [good_row(n, victim_name="Victor Victimson") for n in range(30)]
    path = write_excel(tmp_path / "a.xlsx", rows, (*COLUMNS, "victim_name"))
    feed = plain_feed(agency, kind="excel_file")
    run = run_import(feed, path)
    assert Incident.objects.count() == 30
    assert "Victor" not in f"{run.log}{run.config_snapshot}{run.counts}"
    mapping = FeedMapping.from_json(feed.mapping)
    (chunk,) = source_from("excel_file", {}).open(path, mapping=mapping).chunks(mapping)
    assert set(chunk.columns) == set(COLUMNS)
