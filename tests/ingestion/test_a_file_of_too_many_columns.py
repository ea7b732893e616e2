"""A file whose first line is one long row of names is refused before a page lists them all: such a page was never done."""

from __future__ import annotations

from typing import Any

import pytest

from ingestion.engine.header_limits import MOST_COLUMNS
from ingestion.services.drafts import draft_reader, draft_start
from ingestion.services.spool import spool_path
from missions_project.lib.errors import MissionsError
from tests.factories import make_agency
from tests.ingestion.files import plain_feed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _spool(settings: Any, tmp_path: Any) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"


def table(columns: int, letters: int = 6) -> list[bytes]:
    names = [f"column_{number}".ljust(letters, "x") for number in range(columns)]
    return [(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n").encode()]


@pytest.mark.parametrize(("columns", "letters"), [(1_001, 6), (90_000, 6), (30, 2_000)])
def test_too_many_columns_or_names_too_long_are_refused_and_nothing_is_kept(
    columns: int, letters: int, tmp_path: Any
) -> None:
    feed = plain_feed(make_agency())
    with pytest.raises(MissionsError, match="first line holds the columns"):
        draft_start(feed=feed, chunks=table(columns, letters), file_name="wide.csv")
    feed.refresh_from_db()
    assert feed.draft == {}
    assert not list((tmp_path / "spool").glob("*"))


def test_as_many_as_are_listed_are_read_and_a_draft_of_before_is_not() -> None:
    feed = plain_feed(make_agency())
    draft_start(feed=feed, chunks=table(MOST_COLUMNS), file_name="wide.csv")
    assert len(draft_reader(feed).header) == MOST_COLUMNS
    spool_path(feed.draft["spool_name"]).write_bytes(table(MOST_COLUMNS + 1)[0])
    with pytest.raises(MissionsError, match="1,001 columns"):
        draft_reader(feed)
