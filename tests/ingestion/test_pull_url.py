"""Pulling any JSON or CSV address: paths to rows, unchanged files, files that are cut off or something else."""

from __future__ import annotations

import csv
import errno
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from agencies.models import Agency
from ingestion.engine.mapping import FeedMapping
from ingestion.models import Feed, ImportRun, Incident
from ingestion.services import draft_fetch, fetching, import_run_execute, pull_queue
from ingestion.services.fetching import fetch_policy
from ingestion.sources import SourceError, pull_source
from missions_project.lib.errors import MissionsError
from missions_project.lib.http import Fetcher
from tests.ingestion.portals import Portal, answers, cut_off, fine, sign_in_page, zipped
from tests.ingestion.pulled import CRIME, account, pull, pulled_feed

pytestmark = pytest.mark.django_db
NESTED: FeedMapping = CRIME.replaced(columns={**CRIME.columns, "lon": "at.lon", "lat": "at.lat"})


def as_json(portal: Portal, start: int = 0, stop: int = 25) -> list[dict[str, Any]]:
    return [
        {**row, "at": {"lat": float(row["latitude"]), "lon": float(row["longitude"])}}
        for row in portal.rows[start:stop]
    ]


def as_csv(portal: Portal) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(portal.rows[0]))
    writer.writeheader()
    writer.writerows(portal.rows)
    return text.getvalue().encode()


@pytest.fixture
def json_feed(agency: Agency, portal: Portal) -> Feed:
    portal.files["/api"] = json.dumps({"data": {"items": as_json(portal)}}).encode(), "application/json"
    return pulled_feed(agency, "json_url", {"url": f"{portal.url}/api", "rows_path": "data.items"}, NESTED)


@pytest.fixture
def csv_feed(agency: Agency, portal: Portal) -> Feed:
    portal.files["/rows.csv"] = as_csv(portal), "text/csv"
    return pulled_feed(agency, "csv_url", {"url": f"{portal.url}/rows.csv"})


def test_rows_at_a_path_with_nested_places_are_imported_once(json_feed: Feed, portal: Portal) -> None:
    assert account(pull(json_feed)) == (25, 25, 0, 0, 0, 0)
    assert account(pull(json_feed)) == (0, 0, 0, 0, 0, 0)
    assert portal.asked[-1].headers["if-none-match"] == portal.etag
    portal.etag = '"v2"'
    assert account(pull(json_feed)) == (25, 0, 0, 25, 0, 0)


def test_pages_are_followed_and_a_page_elsewhere_is_not(agency: Agency, portal: Portal) -> None:
    for number, (start, stop) in enumerate([(0, 10), (10, 20), (20, 25)]):
        following = f"/page{number + 1}" if number < 2 else None
        page = {"rows": as_json(portal, start, stop), "links": {"next": following}}
        portal.files[f"/page{number}"] = json.dumps(page).encode(), "application/json"
    params = {"url": f"{portal.url}/page0", "rows_path": "rows", "next_path": "links.next"}
    secrets = {"query_secret": "api_key=hush-hush"}
    feed = pulled_feed(agency, "json_url", params, NESTED, secrets=secrets)
    assert account(pull(feed)) == (25, 25, 0, 0, 0, 0)
    assert [asked.query for asked in portal.asked] == [{"api_key": "hush-hush"}] * 3
    elsewhere = {"rows": as_json(portal, 0, 1), "links": {"next": "http://10.0.0.1/steal"}}
    portal.files["/page0"], portal.etag = (json.dumps(elsewhere).encode(), "application/json"), '"v2"'
    with pytest.raises(SourceError, match="another server"):
        pull(feed)
    assert "hush" not in repr(list(ImportRun.objects.values())) + repr(list(Feed.objects.values()))


def test_pages_in_a_circle_end(agency: Agency, portal: Portal) -> None:
    for number in range(2):
        page = {"rows": as_json(portal, number, number + 1), "next": f"/page{1 - number}"}
        portal.files[f"/page{number}"] = json.dumps(page).encode(), "application/json"
    params = {"url": f"{portal.url}/page0", "rows_path": "rows", "next_path": "next"}
    pages = pull_source("json_url", params, {}).pages(NESTED, {}, Fetcher(fetch_policy(None)), timezone.now())
    with pytest.raises(SourceError, match="in a circle"):
        list(pages)
    assert len(portal.asked) == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"data": {"records": []}}', "no rows at 'data.items'"),
        (b"<html>hello</html>", "web page"),
        (b'{"data": {"items": [{"case": 1}]}}', "has the column"),
    ],
)
def test_json_of_another_shape_says_what_is_wrong(
    json_feed: Feed, portal: Portal, body: bytes, words: str
) -> None:
    portal.files["/api"] = body, "application/json"
    with pytest.raises(MissionsError, match=words):
        pull(json_feed)


def test_json_that_is_cut_off_is_asked_for_again(json_feed: Feed, portal: Portal) -> None:
    portal.faults.extend([cut_off, answers(200, b'{"data": {"items": [{"case_nu'), fine])
    assert account(pull(json_feed)) == (25, 25, 0, 0, 0, 0)


@pytest.mark.parametrize("pack", [bytes, zipped])
def test_a_csv_file_is_read_as_it_arrives_and_unchanged_ones_are_not_sent_again(
    csv_feed: Feed, portal: Portal, pack: Any
) -> None:
    portal.files["/rows.csv"] = pack(as_csv(portal)), "application/octet-stream"
    assert account(pull(csv_feed)) == (25, 25, 0, 0, 0, 0)
    assert account(pull(csv_feed)) == (0, 0, 0, 0, 0, 0)


def test_a_csv_file_that_is_cut_off_is_asked_for_anew_and_nothing_is_doubled(
    csv_feed: Feed, portal: Portal
) -> None:
    body = as_csv(portal)

    def half(handler: Any) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2])
        handler.close_connection = True
        return True

    portal.faults.extend([half, fine])
    assert account(pull(csv_feed)) == (25, 25, 0, 0, 0, 0)
    portal.etag = '"v2"'
    portal.faults.extend([half] * 3)
    with pytest.raises(MissionsError, match="cut off 3 times"):
        pull(csv_feed)


def test_a_gzip_file_of_several_parts_is_read_to_its_end(csv_feed: Feed, portal: Portal) -> None:
    """As `cat monday.gz tuesday.gz` writes it, with the padding of a tape behind it."""
    lines = as_csv(portal).splitlines(keepends=True)
    parts = zipped(b"".join(lines[:7])) + zipped(b"".join(lines[7:]))
    portal.files["/rows.csv"] = parts + bytes(512), "application/gzip"
    assert account(pull(csv_feed)) == (25, 25, 0, 0, 0, 0)


def test_half_a_gzip_file_is_no_whole_one(csv_feed: Feed, portal: Portal) -> None:
    whole = zipped(as_csv(portal))
    portal.files["/rows.csv"] = whole[:-20], "application/gzip"
    with pytest.raises(MissionsError, match="cut off 3 times"):
        pull(csv_feed)
    assert Incident.objects.count() == 0


def test_rows_of_another_width_are_kept_aside_without_their_text(
    csv_feed: Feed, portal: Portal, settings: Any
) -> None:
    body = as_csv(portal).decode().splitlines()
    body[3] += ",John Doe"
    body[5] = body[5].rpartition(",")[0]
    portal.files["/rows.csv"] = "\n".join(body).encode(), "text/csv"
    run = pull(csv_feed)
    assert account(run) == (25, 23, 0, 0, 2, 0)
    assert run.rejections == {"wrong_column_count": 2}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (sign_in_page, "web page"),
        (answers(200, b"", "text/csv"), "empty"),
        (answers(200, b"id;date\n1;2\n", "text/csv"), "is not in the file"),
        (answers(200, b"%PDF-1.4 ...", "text/csv"), "PDF"),
    ],
)
def test_a_file_that_is_something_else_says_so(
    csv_feed: Feed, portal: Portal, fault: Any, words: str
) -> None:
    portal.faults.append(fault)
    with pytest.raises(MissionsError, match=words):
        pull(csv_feed)


@pytest.mark.parametrize("kind", ["json_url", "csv_url"])
def test_samples_name_columns_about_persons_without_their_values(
    json_feed: Feed, portal: Portal, settings: Any, kind: str
) -> None:
    feed = json_feed
    if kind == "csv_url":
        portal.files["/rows.csv"] = as_csv(portal), "text/csv"
        feed.kind, feed.params, feed.mapping = kind, {"url": f"{portal.url}/rows.csv"}, {}
        feed.save()
    draft_fetch(feed=feed)
    text = next(Path(settings.SPOOL_DIR).iterdir()).read_text()
    assert "victim_name" in text
    assert "Jane" not in text


@pytest.mark.parametrize("kind", ["json_url", "csv_url"])
def test_persons_reach_neither_spool_nor_database(
    agency: Agency, portal: Portal, settings: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion.services import imports

    monkeypatch.setattr(imports, "spool_delete", lambda name: None)
    portal.files["/j"], portal.files["/c"] = (
        (json.dumps(as_json(portal)).encode(), "x"),
        (as_csv(portal), "x"),
    )
    mapping = NESTED if kind == "json_url" else CRIME
    pull(pulled_feed(agency, kind, {"url": f"{portal.url}/{kind[0]}"}, mapping))
    spooled = b"".join(path.read_bytes() for path in Path(settings.SPOOL_DIR).iterdir())
    assert b"C00001" in spooled
    assert b"Jane" not in spooled
    assert "Jane" not in repr(list(ImportRun.objects.values()))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"url": "https://me:pw@example.org/"}, "holds a key"),
        ({"url": "https://example.org/?api_key=abc"}, "holds a key"),
        ({"url": "https://example.org/?$$app_token=abc"}, "holds a key"),
        ({"url": "file:///etc/passwd"}, "https://"),
        ({"url": ""}, "is empty"),
    ],
)
def test_an_address_with_a_key_or_without_http_is_refused(params: dict[str, str], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        pull_source("csv_url", params, {})


@pytest.mark.parametrize(
    ("trouble", "status"),
    [(OSError(errno.ENOSPC, "No space left on device"), "queued"), (ValueError("odd"), "failed")],
    ids=["a full disk", "an error of ours"],
)
def test_a_disk_that_is_full_puts_the_pull_off_and_is_not_blamed_on_the_source(
    csv_feed: Feed, monkeypatch: pytest.MonkeyPatch, trouble: Exception, status: str
) -> None:
    def full(*args: Any) -> None:
        raise trouble

    run = pull_queue(feed=csv_feed)
    with monkeypatch.context() as broken:
        broken.setattr(fetching._Spool, "_keep", full)
        with pytest.raises(type(trouble) if status == "queued" else MissionsError):
            import_run_execute(run=run)
    run.refresh_from_db()
    assert run.status == status
    assert ("tried again by itself" in run.error) == (status == "queued")
    if status == "queued":
        assert account(import_run_execute(run=run)) == (25, 25, 0, 0, 0, 0)
