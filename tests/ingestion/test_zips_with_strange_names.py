"""Zip files whose members have no name, or a name that is no text: each reader says so in words, and none fails otherwise."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import areas_from_file
from agencies.engine.untrusted_archives import files_of
from ingestion.sources.base import SourceError
from ingestion.sources.containers import MEGABYTE, Limits, opened
from ingestion.sources.recognise import check_kind, recognised_kind

LIMITS = Limits(64 * MEGABYTE, 1_000)
KINDS = ("csv_file", "json_lines_file", "excel_file", "parquet_file", "ndex_xml_file")


def zip_of(**members: str) -> bytes:
    """A zip file whose members are named as they are, in UTF-8."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return made.getvalue()


@pytest.fixture
def nameless(tmp_path: Path) -> Path:
    """Two members, one of them without a name in the list at the archive's end."""
    path = tmp_path / "nameless.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.csv", "id\n1\n")
        empty = zipfile.ZipInfo("x")
        archive.writestr(empty, "id\n2\n")
        empty.filename = ""
    assert [info.filename for info in zipfile.ZipFile(path).infolist()] == ["rows.csv", ""]
    return path


@pytest.fixture
def no_text(tmp_path: Path) -> Path:
    """A member whose name says that it is UTF-8 and is not."""
    path = tmp_path / "no_text.zip"
    data = zip_of(**{"xl/é.xml": "<x/>"})
    path.write_bytes(data.replace("é".encode(), b"\x96\x96"))
    with pytest.raises(UnicodeDecodeError):
        zipfile.ZipFile(path)
    return path


def test_a_member_without_a_name_is_a_file(nameless: Path) -> None:
    assert [info.filename for info in files_of(zipfile.ZipFile(nameless))] == ["rows.csv", ""]
    with pytest.raises(SourceError, match="2 files"), opened(nameless, LIMITS):
        pass


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["nameless", "no_text"])
def test_every_reader_of_tables_says_it_in_words(
    request: pytest.FixtureRequest, which: str, kind: str
) -> None:
    path: Path = request.getfixturevalue(which)
    assert recognised_kind(path) is None
    if kind != "csv_file":
        with pytest.raises(SourceError):
            check_kind(path, kind)
    with pytest.raises(SourceError) as told, opened(path, LIMITS) as (stream, _):
        stream.read()
    assert told.value.next_step


@pytest.mark.parametrize("which", ["nameless", "no_text"])
def test_files_of_areas_say_it_in_words(request: pytest.FixtureRequest, which: str) -> None:
    with pytest.raises(GeometryProblem):
        areas_from_file(request.getfixturevalue(which))
