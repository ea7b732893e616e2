"""Pulling from a Socrata portal: pages, what is new, bad days, and what never leaves the portal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agencies.models import Agency
from ingestion.models import Feed, ImportRun, Incident
from ingestion.services import draft_fetch, import_run_execute, pull_queue
from missions_project.lib.errors import MissionsError
from tests.ingestion.portals import (
    DATASET,
    Portal,
    answers,
    crime,
    cut_off,
    fine,
    hangs_up,
    sign_in_page,
)
from tests.ingestion.pulled import account, pull, pulled_feed

pytestmark = pytest.mark.django_db


@pytest.fixture
def feed(agency: Agency, portal: Portal) -> Feed:
    params = {"domain": portal.url, "dataset": DATASET, "page_rows": 10}
    return pulled_feed(agency, "socrata", params, secrets={"app_token": "s3cret-token"})


def data_requests(portal: Portal) -> list[dict[str, str]]:
    return [asked.query for asked in portal.asked if asked.path.startswith("/resource/")]


def test_all_pages_are_imported_and_a_second_pull_asks_only_for_what_changed(
    feed: Feed, portal: Portal
) -> None:
    assert account(pull(feed)) == (25, 25, 0, 0, 0, 0)
    assert [query["$order"] for query in data_requests(portal)] == [":id"] * 3
    assert Incident.objects.count() == 25
    newest = max(row[":updated_at"] for row in portal.rows)
    feed.refresh_from_db()
    assert feed.cursor == {"since": newest.replace("T10:", "T09:")}, "an hour before the newest change"
    portal.asked.clear()
    portal.rows.append(crime(77, **{":updated_at": "2025-06-29T00:00:00.000Z"}))
    portal.rows[3] |= {":updated_at": "2025-06-29T00:00:00.000Z", "latitude": portal.rows[4]["latitude"]}
    received, inserted, updated, *_ = account(pull(feed))
    assert (inserted, updated) == (1, 1)
    assert received < 8, "old rows are not asked for again"
    assert all(":updated_at >= " in query["$where"] for query in data_requests(portal))


def test_only_mapped_columns_are_asked_for_and_the_token_travels_in_a_header_alone(
    feed: Feed, portal: Portal
) -> None:
    pull(feed)
    for asked in portal.asked:
        assert "victim_name" not in asked.query["$select"]
        assert asked.headers["x-app-token"] == "s3cret-token"
        assert "s3cret" not in json.dumps(asked.query)


def test_a_portal_that_gives_fewer_rows_than_were_asked_for_is_read_to_the_end(
    feed: Feed, portal: Portal
) -> None:
    portal.rows = [crime(number) for number in range(2_300)]
    portal.socrata_cap = 1_000
    feed.params["page_rows"] = 10_000
    feed.save()
    assert account(pull(feed))[1] == 2_300


def test_a_server_that_sends_one_page_for_ever_is_left(feed: Feed, portal: Portal) -> None:
    page = json.dumps(portal.rows[:10]).encode()
    portal.faults.extend([answers(200, page)] * 5)
    with pytest.raises(MissionsError, match="the same page again and again"):
        pull(feed)
    assert Incident.objects.count() == 10


def test_later_answers_and_lost_connections_are_asked_again(feed: Feed, portal: Portal) -> None:
    portal.faults.extend(
        [answers(429, Retry_After="0"), fine, answers(500), hangs_up, fine, cut_off, answers(503), fine]
    )
    assert account(pull(feed)) == (25, 25, 0, 0, 0, 0)
    assert not portal.faults


def test_a_server_that_wants_too_much_patience_is_left_until_then(feed: Feed, portal: Portal) -> None:
    Feed.objects.update(every_minutes=5, next_due_at="2025-01-01T00:00Z")
    portal.faults.append(answers(429, Retry_After="7200"))
    with pytest.raises(MissionsError, match="patience"):
        pull(feed)
    feed.refresh_from_db()
    assert feed.next_due_at is not None
    assert feed.next_due_at.year > 2025


def test_a_failure_in_the_middle_keeps_what_came_and_the_next_pull_goes_on_there(
    feed: Feed, portal: Portal
) -> None:
    portal.faults.extend([fine, fine, *[answers(502)] * 6])
    with pytest.raises(MissionsError, match="The 20 rows before that are stored"):
        pull(feed)
    run = ImportRun.objects.get()
    assert run.status == "failed"
    assert account(run) == (20, 20, 0, 0, 0, 0)
    portal.asked.clear()
    assert account(pull(feed)) == (5, 5, 0, 0, 0, 0)
    assert f":id > '{portal.rows[19][':id']}'" in data_requests(portal)[0]["$where"]


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_pull_that_is_killed_after_any_page_ends_as_an_undisturbed_one(
    feed: Feed, portal: Portal, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion.services.fetching import _Spool

    class Killed(BaseException):
        pass

    kept, pages = _Spool._keep, []

    def keep(spool: Any, cursor: Any) -> None:
        kept(spool, cursor)
        pages.append(cursor)
        if len(pages) == page:
            spool.file.write(b"half a row that a kill left behi")
            spool.file.flush()
            raise Killed

    monkeypatch.setattr(_Spool, "_keep", keep)
    run = pull_queue(feed=feed)
    with pytest.raises(Killed):
        import_run_execute(run=run)
    monkeypatch.setattr(_Spool, "_keep", kept)
    # A kill leaves the row running; the dispatcher queues it again.
    ImportRun.objects.filter(pk=run.pk).update(status="queued")
    portal.asked.clear()
    done = import_run_execute(run=ImportRun.objects.get(pk=run.pk))
    # Killed after the last page, it looks once more for what is new: the overlap's one row comes again, unchanged.
    assert account(done)[1:] == (25, 0, int(page == 3), 0, 0)
    assert len(data_requests(portal)) == max(1, 3 - page), "good pages are not fetched twice"


def test_the_cursor_moves_with_the_last_rows_and_not_before(
    feed: Feed, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion.services import imports

    def broken(**_: Any) -> None:
        raise MissionsError("The database went away.", next_step="wait.")

    settle = imports.pull_settle
    monkeypatch.setattr(imports, "pull_settle", broken)
    with pytest.raises(MissionsError, match="went away"):
        pull(feed)
    feed.refresh_from_db()
    assert feed.cursor == {}
    assert Incident.objects.count() == 0, "rows and cursor stand or fall together"
    monkeypatch.setattr(imports, "pull_settle", settle)
    assert account(pull(feed)) == (25, 25, 0, 0, 0, 0)


def test_a_run_fetches_only_so_much_and_the_next_one_goes_on_at_once(
    feed: Feed, portal: Portal, settings: Any
) -> None:
    feed.params["page_rows"] = 1
    feed.save()
    Feed.objects.update(every_minutes=600, next_due_at="2999-01-01T00:00Z")
    settings.PULL_MAX_BYTES = 400
    portal.rows = portal.rows[:20]
    first = pull(feed)
    assert 0 < first.counts["received"] < 20
    feed.refresh_from_db()
    assert feed.next_due_at is not None
    assert feed.next_due_at.year < 2999
    for _ in range(10):
        pull(feed)
    assert Incident.objects.count() == 20


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (sign_in_page, "a web page instead of JSON"),
        (answers(200, b'{"rows": 3}'), "no list of rows"),
        (answers(404), "check the address"),
        (answers(403), "refuses access"),
        (answers(200, b"nonsense"), "not JSON"),
    ],
)
def test_an_answer_that_is_none_says_so(feed: Feed, portal: Portal, fault: Any, words: str) -> None:
    portal.faults.append(fault)
    with pytest.raises(MissionsError, match=words):
        pull(feed)
    assert Incident.objects.count() == 0


def test_a_column_that_the_portal_has_renamed_is_named_and_the_token_is_in_no_row(
    feed: Feed, portal: Portal
) -> None:
    for row in portal.rows:
        row["datetime"] = row.pop("date")
    with pytest.raises(MissionsError, match="No such column: date"):
        pull(feed)
    run = ImportRun.objects.values().get()
    assert "s3cret" not in repr(run)


def test_a_cap_on_bytes_stops_an_answer_without_end(feed: Feed, portal: Portal, settings: Any) -> None:
    settings.PULL_MAX_BYTES = 300
    with pytest.raises(MissionsError, match="larger than 300 bytes"):
        pull(feed)


def test_dirty_and_refused_rows_are_accounted_for(feed: Feed, portal: Portal) -> None:
    portal.rows[1]["fbi_code"] = "18"
    portal.rows[2]["latitude"] = None
    portal.rows[3]["date"] = "yesterday"
    assert account(pull(feed)) == (25, 22, 0, 0, 2, 1)


def test_a_sample_for_the_wizard_has_no_values_about_persons(
    feed: Feed, portal: Portal, settings: Any
) -> None:
    draft_fetch(feed=feed)
    assert all("victim_name" not in asked.query.get("$select", "") for asked in portal.asked)
    text = next(Path(settings.SPOOL_DIR).iterdir()).read_text()
    assert "victim_name" in text
    assert "Jane Roe" not in text
    assert feed.draft["mapping"]["columns"]["external_id"] == "case_number"


def test_nothing_new_leaves_the_cursor_where_it_is(feed: Feed, portal: Portal) -> None:
    pull(feed)
    feed.refresh_from_db()
    before, portal.rows = feed.cursor, []
    assert account(pull(feed)) == (0, 0, 0, 0, 0, 0)
    feed.refresh_from_db()
    assert feed.cursor == before
