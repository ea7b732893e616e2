"""A file whose first line is one long row of names is refused by every reader, whichever door it comes in by, and at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingestion.engine.batches import BatchError, batch_from_csv
from ingestion.engine.header_limits import MOST_COLUMNS
from ingestion.engine.profiles import PLAIN
from ingestion.models import DropFile, Feed, Incident
from ingestion.services.drafts import draft_look, draft_start
from ingestion.services.spool import spool_path
from ingestion.sources import SourceError, reader_source
from missions_project.lib.errors import MissionsError
from tests.factories import make_agency
from tests.ingestion.files import COLUMNS, good_row, plain_feed, write_rows
from tests.ingestion.portals import Portal
from tests.ingestion.pulled import pull, pulled_feed
from tests.ingestion.reports import write_excel, write_parquet

NEXT_STEP = "first line holds the columns"


@pytest.fixture(autouse=True)
def _spool(settings: Any, tmp_path: Any) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"


def table(columns: int, letters: int = 6) -> list[bytes]:
    names = [f"column_{number}".ljust(letters, "x") for number in range(columns)]
    return [(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n").encode()]


def more(columns: int) -> tuple[str, ...]:
    """The plain table's columns, and others up to so many."""
    return (*COLUMNS, *(f"c{number}" for number in range(columns - len(COLUMNS))))


def write_json(path: Path, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Path:
    path.write_text("".join(json.dumps({**dict.fromkeys(columns, "1"), **row}) + "\n" for row in rows))
    return path


@pytest.mark.django_db
@pytest.mark.parametrize(("columns", "letters"), [(1_001, 6), (90_000, 6), (30, 2_000)])
def test_too_many_columns_or_names_too_long_are_refused_in_the_wizard_and_nothing_is_kept(
    columns: int, letters: int, tmp_path: Any
) -> None:
    feed = plain_feed(make_agency())
    with pytest.raises(MissionsError, match=NEXT_STEP):
        draft_start(feed=feed, chunks=table(columns, letters), file_name="wide.csv")
    feed.refresh_from_db()
    assert feed.draft == {}
    assert not list((tmp_path / "spool").glob("*"))


@pytest.mark.django_db
def test_as_many_as_are_read_are_listed_and_a_draft_of_before_is_not() -> None:
    feed = plain_feed(make_agency())
    draft_start(feed=feed, chunks=table(MOST_COLUMNS), file_name="wide.csv")
    assert len(draft_look(feed).header) == MOST_COLUMNS
    spool_path(feed.draft["spool_name"]).write_bytes(table(MOST_COLUMNS + 1)[0])
    with pytest.raises(MissionsError, match="1,001 columns"):
        draft_look(feed)


@pytest.mark.parametrize("is_mapped", [True, False])
@pytest.mark.parametrize(
    ("kind", "write"),
    [("csv_file", write_rows), ("excel_file", write_excel), ("parquet_file", write_parquet)],
)
def test_every_reader_refuses_them_mapped_or_not(
    tmp_path: Path, kind: str, write: Callable[..., Path], is_mapped: bool
) -> None:
    mapping = PLAIN.mapping_for(list(COLUMNS)) if is_mapped else None
    source = reader_source(kind, {})
    fits = write(tmp_path / "fits", [good_row(1)], more(MOST_COLUMNS))
    assert len(source.open(fits, mapping=mapping).header) == MOST_COLUMNS
    wide = write(tmp_path / "wide", [good_row(1)], more(MOST_COLUMNS + 1))
    with pytest.raises(SourceError, match="1,001 columns") as refused:
        source.open(wide, mapping=mapping)
    assert NEXT_STEP in refused.value.next_step


def test_json_of_a_few_very_long_names_is_refused(tmp_path: Path) -> None:
    names = tuple(f"{number}".ljust(1_000, "x") for number in range(60))
    with pytest.raises(SourceError, match="60 columns with 60,000 letters"):
        reader_source("json_lines_file", {}).open(write_json(tmp_path / "a", [{}], names))


@pytest.mark.parametrize("names", ["name," * 100_000, " " * 200_000 + "id,name"])
def test_half_of_a_long_first_line_is_not_taken_for_a_header(tmp_path: Path, names: str) -> None:
    (tmp_path / "a.csv").write_text(names + "\n1,2\n")
    with pytest.raises(SourceError, match="first line is longer than 100,000 characters"):
        reader_source("csv_file", {}).open(tmp_path / "a.csv")


@pytest.mark.django_db
def test_the_command_that_imports_refuses_them(tmp_path: Path) -> None:
    feed = plain_feed(make_agency())
    path = write_rows(tmp_path / "wide.csv", [good_row(1)], more(100_000))
    with pytest.raises(CommandError, match=NEXT_STEP):
        call_command(
            "import_incidents", str(path), agency=feed.agency.slug, feed=feed.slug, stdout=StringIO()
        )
    assert not Incident.objects.exists()


@pytest.mark.django_db
def test_a_drop_folder_refuses_them_in_words(box: Any) -> None:
    (box.path / "wide.csv").write_bytes(table(100_000)[0])
    box.look()
    assert [file.state for file in box.look(60)] == ["failed"]
    assert NEXT_STEP in DropFile.objects.get().reason


@pytest.mark.django_db
@pytest.mark.parametrize("columns", [MOST_COLUMNS + 1, 100_000])
def test_a_pull_refuses_them(portal: Portal, columns: int) -> None:
    portal.files["/rows.csv"] = table(columns)[0], "text/csv"
    feed: Feed = pulled_feed(make_agency(), "csv_url", {"url": f"{portal.url}/rows.csv"})
    with pytest.raises(SourceError, match=NEXT_STEP):
        pull(feed)


def test_a_pushed_table_is_refused_before_its_names_are_compared() -> None:
    with pytest.raises(BatchError, match="1,001 columns"):
        batch_from_csv(table(MOST_COLUMNS + 1)[0], COLUMNS, ("id",))
    with pytest.raises(BatchError, match="100,000 columns"):
        batch_from_csv(table(100_000)[0], COLUMNS, ("id",))
