"""What the mapping wizard finds in an upload is read with little memory, little time and no secrets, and never takes the web server along."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import translation

from agencies.models import Agency, User
from ingestion.engine.mapping import MappingError
from ingestion.engine.profiles import PLAIN
from ingestion.models import Feed
from ingestion.services import draft_files
from ingestion.services.draft_files import table_look
from ingestion.services.drafts import draft_codes, draft_look, draft_review, draft_start
from ingestion.sources import SourceError, reader_source
from ingestion.tables import codes as counting
from ingestion.tables.codes import MOST_CODES, CountedCode, count_codes
from ingestion.tables.packing import TableLook, packed, unpacked
from missions_project.lib import confined as lib
from missions_project.lib.confined import confined
from missions_project.lib.errors import MissionsError
from tests.ingestion.files import COLUMNS, good_row, plain_feed, write_rows
from tests.ingestion.reports import write_excel, write_json_lines, write_parquet, write_xml

READER = "tests.agencies.readers"
SignIn = Callable[[User | None], Client]
KINDS = {
    "csv_file": write_rows,
    "excel_file": write_excel,
    "parquet_file": write_parquet,
    "json_lines_file": write_json_lines,
}
MAPPING = PLAIN.mapping_for(list(COLUMNS))
TOO_MUCH = "takes more than 1 seconds or 1024 MB to look into"


@pytest.fixture(autouse=True)
def own_spool(settings: Any, tmp_path: Path) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A reader that does what its file is called, within a second; the folder for what it leaves behind."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(draft_files, "READER", READER)
    monkeypatch.setattr(draft_files, "SECONDS", 1)
    monkeypatch.setattr(draft_files, "MEGABYTES", 1024)
    monkeypatch.setattr(lib, "SPARE_SECONDS", 2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def rows() -> list[dict[str, Any]]:
    """Forty rows with two codes, one row without a code."""
    found = [good_row(number, code=f"B-{number % 2}") for number in range(40)]
    return [*found, good_row(99, code="")]


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_back_is_what_reading_it_here_gives(tmp_path: Path, kind: str) -> None:
    path = KINDS[kind](tmp_path / "upload", rows(), COLUMNS)
    here = reader_source(kind, {}).open(path, mapping=MAPPING)
    there = table_look(path, kind=kind, params={}, mapping=MAPPING, sample=10, codes=1_000, first=20)
    assert (there.kind, there.header) == (kind, tuple(here.header))
    assert there.sample == here.sample(10)
    assert there.codes == count_codes(here.head(MAPPING, 1_000), MAPPING)
    assert [(code.code, code.rows) for code in there.codes] == [("B-0", 20), ("B-1", 20)]
    first = next(iter(here.head(MAPPING, 20)))
    assert there.first is not None
    assert there.first.row_numbers.tolist() == first.row_numbers.tolist()
    assert there.first.columns == {name: list(texts) for name, texts in first.columns.items()}
    assert there.first.rejections == first.rejections


def test_rows_that_cannot_be_split_come_back_with_their_reason(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.csv", [good_row(1)])
    path.write_text(path.read_text() + "one,two\n" + path.read_text().splitlines()[1] + "\n")
    first = table_look(path, kind="csv_file", params={}, mapping=MAPPING, first=20).first
    assert first is not None
    assert first.row_numbers.tolist() == [2, 4]
    assert [(row.row_number, row.rejection.code) for row in first.rejections] == [(3, "wrong_column_count")]


def test_reports_in_xml_come_back_too(tmp_path: Path) -> None:
    path = write_xml(tmp_path / "a.xml", rows()[:5])
    here = reader_source("ndex_xml_file", {}).open(path)
    there = table_look(path, kind="csv_file", params={}, any_kind=True, sample=3)
    assert (there.kind, there.header, there.sample) == ("ndex_xml_file", tuple(here.header), here.sample(3))
    assert len(there.sample) == 3


def test_the_kind_is_found_by_the_content_only_where_it_may_change(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "upload", rows(), COLUMNS)
    assert table_look(path, kind="csv_file", params={"delimiter": ","}, any_kind=True).kind == "parquet_file"
    with pytest.raises(SourceError, match="not “CSV"):
        table_look(path, kind="csv_file", params={})


@pytest.mark.parametrize("language", ["en", "es"])
def test_what_is_wrong_with_a_file_is_told_in_the_same_words_and_language(
    tmp_path: Path, language: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "pdf").write_bytes(b"%PDF-1.7 nothing")
    (tmp_path / "wide").write_text(",".join(f"c{n}" for n in range(2_000)) + "\n")
    for name in ("empty", "pdf", "wide", "gone"):
        with translation.override(language):
            with pytest.raises(SourceError) as here:
                reader_source("csv_file", {}).open(tmp_path / name)
            with pytest.raises(SourceError) as there:
                table_look(tmp_path / name, kind="csv_file", params={})
            # Some are translated only when they are read.
            words = (str(here.value.message), str(here.value.next_step))
        assert (there.value.message, there.value.next_step) == words
        assert (there.value.row, there.value.column) == (here.value.row, here.value.column)


@pytest.mark.parametrize("deed", ["sleeps", "counts", "allocates", "falls", "babbles"])
def test_a_file_that_takes_too_much_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, strict: Path, deed: str
) -> None:
    (tmp_path / deed).write_text("a,b\n")
    with pytest.raises(SourceError, match=TOO_MUCH) as refused:
        table_look(tmp_path / deed, kind="csv_file", params={})
    assert "Export it as CSV" in refused.value.next_step
    lib.close_waiting()
    assert list(strict.iterdir()) == []


def test_a_table_made_to_fill_the_memory_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand rows with the same four million letters, which stand in the file once."""
    monkeypatch.setattr(draft_files, "MEGABYTES", 1024)
    letters = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array(["x" * 4_000_000]))
    pq.write_table(pa.table({"id": letters}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 1_000_000
    small = write_parquet(tmp_path / "small.parquet", rows())
    assert table_look(small, kind="parquet_file", params={}, sample=5).sample, "1,024 MB do for a small one"
    with pytest.raises(SourceError, match=r"takes more than 90 seconds or 1024 MB"):
        table_look(tmp_path / "a.parquet", kind="parquet_file", params={}, sample=200)


@pytest.mark.django_db
def test_the_wizard_lives_on_and_says_what_to_do(
    agency: Agency, owner: User, sign_in: SignIn, strict: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed.objects.create(agency=agency, name="RMS", slug="rms")
    client = sign_in(owner)

    def deed(name: str) -> None:
        """Have the reader end like this, whatever the file is called in the spool."""
        plain = confined
        monkeypatch.setattr(
            draft_files,
            "confined",
            lambda module, asked, **limits: plain(module, asked | {"path": f"/{name}"}, **limits),
        )

    content = SimpleUploadedFile("march.csv", b"a,b\n1,2\n")
    deed("allocates")
    page = client.post(reverse("admin:ingestion_feed_upload", args=[feed.pk]), {"file": content})
    assert page.status_code == 200
    assert TOO_MUCH in page.content.decode()
    assert "Export it as CSV" in page.content.decode()
    feed.refresh_from_db()
    assert feed.draft == {}
    assert not list(Path(settings.SPOOL_DIR).glob("*")), "what was refused is kept nowhere"
    # A draft that was fine when it came, and takes too much on a later page.
    monkeypatch.setattr(draft_files, "READER", "ingestion.tables.child")
    monkeypatch.setattr(draft_files, "SECONDS", 20)
    monkeypatch.setattr(draft_files, "confined", confined)
    text = write_rows(strict.parent / "rows.csv", rows()).read_bytes()
    draft_start(feed=feed, chunks=[text], file_name="rows.csv")
    monkeypatch.setattr(draft_files, "READER", READER)
    monkeypatch.setattr(draft_files, "SECONDS", 1)
    for step, ending in (("columns", "counts"), ("codes", "allocates"), ("review", "falls")):
        deed(ending)
        page = client.get(reverse(f"admin:ingestion_feed_{step}", args=[feed.pk]), follow=True)
        assert page.status_code == 200, step
        assert TOO_MUCH in page.content.decode(), step
    deed("sleeps")
    places = client.get(reverse("admin:ingestion_feed_places", args=[feed.pk])).json()
    assert TOO_MUCH in places["message"]


@pytest.mark.django_db
def test_a_column_that_holds_no_codes_is_refused_before_a_page_asks_about_each(
    agency: Agency, tmp_path: Path
) -> None:
    feed = plain_feed(agency)
    many = [good_row(number, code=f"N-{number}") for number in range(MOST_CODES + 1)]
    text = write_rows(tmp_path / "many.csv", many).read_bytes()
    draft_start(feed=feed, chunks=[text], file_name="many.csv")
    with pytest.raises(MissionsError, match=r"'code' holds more than 5,000 different codes\."):
        draft_codes(feed)


@pytest.mark.django_db
def test_an_incomplete_mapping_is_told_of_and_nothing_is_counted(agency: Agency, tmp_path: Path) -> None:
    feed = plain_feed(agency)
    text = write_rows(tmp_path / "a.csv", rows()).read_bytes()
    draft_start(feed=feed, chunks=[text], file_name="a.csv")
    columns = {name: column for name, column in MAPPING.columns.items() if name != "occurred_from"}
    feed.draft["mapping"] = MAPPING.replaced(columns=columns).to_json()
    assert draft_look(feed, codes=100, first=10).codes == []
    for step in (draft_codes, draft_review):
        with pytest.raises(MappingError):
            step(feed)


def test_a_code_with_several_parts_counts_for_each_and_long_ones_are_cut() -> None:
    mapping = MAPPING.replaced(code_separator="|")
    chunk = next(
        iter([counting.RowChunk.from_rows([{"code": "A| B ", "nibrs_code": "220"}, {"code": "A|" + "x" * 900}], list(COLUMNS))])
    )  # fmt: skip
    found = {code.code: code for code in count_codes([chunk], mapping)}
    assert found["A"] == CountedCode("A", 2, "220", "", "")
    assert found["B"].rows == 1
    assert found["x" * 200].rows == 1


@pytest.mark.parametrize(
    "change",
    [
        {"header": "abc"},
        {"header": [1]},
        {"kind": 3},
        {"sample": [["1"]]},
        {"codes": [{"code": "A"}]},
        {"codes": [{"code": "A", "rows": "many", "nibrs": "", "ucr": "", "description": ""}]},
        {"first": []},
        {"first": {"numbers": [1], "superseded": [], "columns": {"a": []}, "rejections": []}},
        {"first": {"numbers": [1], "superseded": [], "columns": {}, "rejections": [[1, {"code": "made_up", "field": "", "value_excerpt": ""}]]}},
        {"problem": "none"},
    ],
    ids=str,
)  # fmt: skip
def test_a_reader_that_was_taken_over_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    good = packed(TableLook("csv_file", ("a", "b"), [{"a": "1", "b": "2"}]))
    assert unpacked(json.loads(json.dumps(good))).sample == [{"a": "1", "b": "2"}]
    monkeypatch.setattr(draft_files, "confined", lambda *given, **more: {**good, **change})
    with pytest.raises(SourceError, match="takes more than"):
        table_look(tmp_path / "a.csv", kind="csv_file", params={})


def test_a_broken_answer_leaves_no_value_of_the_file_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = packed(TableLook("csv_file", ("a",))) | {"codes": [{"code": "A", "rows": "Jane Roe"}]}
    monkeypatch.setattr(draft_files, "confined", lambda *given, **more: answer)
    with caplog.at_level(logging.WARNING), pytest.raises(SourceError):
        table_look(tmp_path / "a.csv", kind="csv_file", params={})
    assert "Jane" not in caplog.text


def test_the_reader_knows_no_settings_and_with_them_no_keys() -> None:
    """``missions_project`` reads the installation's .env as soon as it is imported: every key would be in the reader's memory."""
    program = (
        "import sys, json\n"
        "from ingestion.tables import child\n"
        "child.without_settings()\n"
        "child.tongues()\n"
        "import ingestion.tables.looks, missions_project.lib.errors\n"
        "child.speak('en')\n"
        "print(json.dumps([name for name in sys.modules if name.startswith(('missions_project', 'celery'))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=settings.BASE_DIR, check=True,
        env={"PATH": os.environ["PATH"], "MISSIONS_TONGUES": '{"languages": [["en", "English"]], "locale_paths": []}'},
    )  # fmt: skip
    loaded = set(json.loads(done.stdout))
    assert loaded
    assert [name for name in loaded if not name.startswith("missions_project.lib")] == ["missions_project"]
