"""Pulling a database: one SELECT, from the last watermark on, mapped columns only; SQLite here, PostgreSQL where it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from agencies.models import Agency
from ingestion.models import Feed, ImportRun, Incident
from ingestion.services import draft_fetch
from ingestion.sources import SourceError, pull_source
from ingestion.sources.sql_guard import select_problem
from missions_project.lib.errors import MissionsError
from tests.ingestion.portals import crime
from tests.ingestion.pulled import account, pull, pulled_feed

COLUMNS = ("case_number", "date", "iucr", "fbi_code", "victim_name", "latitude", "longitude")
CREATE = (
    "CREATE TABLE cad_calls (case_number text, date text, iucr text, fbi_code text, victim_name text, "
    "latitude float, longitude float, changed_at {type})"
)
QUERY = (
    "SELECT case_number, date, iucr, fbi_code, victim_name, latitude, longitude, changed_at FROM cad_calls "
    "WHERE iucr <> 'x; DROP' -- all of them"
)


def values(number: int, changed: str, **changes: Any) -> tuple[Any, ...]:
    row = crime(number, **changes)
    return (*(row[name] for name in COLUMNS), changed)


@pytest.fixture
def cad(tmp_path: Path, settings: Any) -> Callable[..., None]:
    """A function that writes rows (number, changed at) into a CAD database in a SQLite file."""
    settings.SPOOL_DIR, settings.PULL_ALLOW_SQLITE = tmp_path / "spool", True
    with sqlite3.connect(tmp_path / "cad.db") as made:
        made.execute(CREATE.format(type="text"))

    def write(*rows: tuple[Any, ...]) -> None:
        with sqlite3.connect(tmp_path / "cad.db") as database:
            database.executemany("INSERT INTO cad_calls VALUES (?,?,?,?,?,?,?,?)", rows)

    return write


@pytest.fixture
def feed(agency: Agency, tmp_path: Path, cad: Callable[..., None]) -> Feed:
    cad(*(values(number, f"2025-06-01 {number:02d}:00:00") for number in range(20)))
    params = {
        "dialect": "sqlite",
        "database": str(tmp_path / "cad.db"),
        "query": QUERY,
        "watermark_column": "changed_at",
    }
    return pulled_feed(agency, "database", params)


def test_rows_come_from_the_last_watermark_on(feed: Feed, cad: Callable[..., None], monkeypatch: Any) -> None:
    monkeypatch.setattr("ingestion.sources.database.BATCH_ROWS", 8)
    run = pull(feed)
    assert account(run) == (20, 20, 0, 0, 0, 0)
    assert run.pull["pages"] == 3
    feed.refresh_from_db()
    assert feed.cursor == {"type": "text", "value": "2025-06-01 19:00:00"}
    cad(
        values(30, "2025-06-01 19:00:00"),
        values(31, "2025-06-02 00:00:00"),
        values(3, "2025-06-02 01:00:00", iucr="9"),
    )
    assert account(pull(feed)) == (4, 2, 1, 1, 0, 0), "one of the same moment comes again and is unchanged"


def test_nobody_s_name_is_read(feed: Feed, settings: Any, monkeypatch: Any) -> None:
    from ingestion.services import imports

    monkeypatch.setattr(imports, "spool_delete", lambda name: None)
    pull(feed)
    draft_fetch(feed=feed)
    texts = [path.read_text() for path in Path(settings.SPOOL_DIR).iterdir()]
    assert len(texts) == 2
    assert not any("Jane" in text for text in texts)
    assert any("victim_name" in text for text in texts), "the wizard shows the column, in red"


def test_the_file_cannot_be_written_whatever_the_query_says(feed: Feed, tmp_path: Path) -> None:
    from ingestion.sources import database_links

    source: Any = pull_source("database", feed.params, {})
    with (
        pytest.raises(SourceError, match="readonly"),
        database_links.alchemy(source.parameters, "", 0, 10) as link,
    ):
        link.run("DELETE FROM cad_calls", {})


def test_what_the_database_says_is_passed_on(feed: Feed) -> None:
    feed.params |= {"query": "SELECT case_number FROM nowhere"}
    feed.save()
    with pytest.raises(MissionsError, match="no such table: nowhere"):
        pull(feed)


def test_sqlite_files_are_closed_unless_the_operator_opens_them(feed: Feed, settings: Any) -> None:
    settings.PULL_ALLOW_SQLITE = False
    with pytest.raises(SourceError, match="are not read"):
        pull(feed)


def test_a_server_inside_is_refused_and_a_missing_driver_is_named(feed: Feed, settings: Any) -> None:
    feed.params = {**feed.params, "dialect": "postgresql", "host": "localhost", "database": "missions"}
    feed.save()
    with pytest.raises(MissionsError, match="PULL_PRIVATE_HOSTS"):
        pull(feed)
    # What the operator has opened for another agency is closed for this one.
    settings.PULL_PRIVATE_HOSTS = ("lakeside=localhost", "lakeside=127.0.0.0/8", "lakeside=::1")
    with pytest.raises(MissionsError, match="PULL_PRIVATE_HOSTS"):
        pull(feed)
    settings.PULL_PRIVATE_HOSTS = (f"{feed.agency.slug}=localhost",)
    feed.params = {**feed.params, "dialect": "oracle+oracledb"}
    feed.save()
    with pytest.raises(MissionsError, match="pip install oracledb"):
        pull(feed)


def test_a_query_with_a_watermark_of_its_own_needs_a_beginning(feed: Feed, cad: Callable[..., None]) -> None:
    query = "SELECT * FROM cad_calls WHERE changed_at >= :watermark"
    with pytest.raises(SourceError, match="Begin at"):
        pull_source("database", {**feed.params, "query": query}, {})
    feed.params = {**feed.params, "query": query, "begin_at": "2025-06-01 15:00:00"}
    feed.save()
    assert account(pull(feed)) == (5, 5, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM calls",
        "SELECT 1; DROP TABLE calls",
        "SELECT * INTO copy FROM calls",
        "WITH gone AS (DELETE FROM calls RETURNING *) SELECT * FROM gone",
        "SELECT 1 /* */ ; UPDATE calls SET a = 1",
        "SELECT pg_sleep(1000)",
        "SELECT pg_sleep_for('5 minutes')",
        "SELECT * FROM dblink_connect('host=inside')",
        "SELECT query_to_xml('DELETE FROM calls', true, true, '')",
        "SELECT pg_terminate_backend(1)",
        "SELECT lo_get(1)",
        "SELECT 'never closed",
        "SELECT 'a\\'; DELETE FROM calls; --'",
        "SELECT pg_read_file('/x')",
        "EXEC xp_cmdshell",
        "TABLE calls",
    ],
)
def test_anything_but_one_select_is_refused(sql: str) -> None:
    assert select_problem(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM calls",
        "select id from calls;",
        "WITH c AS (SELECT 1 AS id) SELECT id FROM c",
        "SELECT 'delete; drop' AS words, \"update\" FROM calls -- insert",
        "SELECT updated_at, created FROM callset",
        "SELECT 1; -- done",
    ],
)
def test_a_select_that_only_mentions_such_words_passes(sql: str) -> None:
    assert select_problem(sql) == ""


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_postgresql_is_read_in_batches_in_a_transaction_that_cannot_write(
    agency: Agency, settings: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    settings.SPOOL_DIR, settings.PULL_PRIVATE_HOSTS = tmp_path / "spool", ("127.0.0.1", "localhost")
    monkeypatch.setattr("ingestion.sources.database.BATCH_ROWS", 8)
    known = connection.settings_dict
    with connection.cursor() as cursor:
        cursor.execute(CREATE.format(type="timestamptz"))
        for number in range(20):
            cursor.execute(
                "INSERT INTO cad_calls VALUES (%s,%s,%s,%s,%s,%s,%s,%s)",
                values(number, f"2025-06-01 {number:02d}:00:00+00"),
            )
        cursor.execute(
            "CREATE FUNCTION sneaky() RETURNS int LANGUAGE sql AS 'DELETE FROM cad_calls; SELECT 1'"
        )
    params = {
        "host": known["HOST"] or "localhost",
        "port": int(known["PORT"] or 5432),
        "database": known["NAME"],
        "user": known["USER"],
        "query": QUERY,
        "watermark_column": "changed_at",
    }
    secrets = {"password": known["PASSWORD"]} if known["PASSWORD"] else {}
    feed = pulled_feed(agency, "database", params, secrets=secrets)
    try:
        assert account(pull(feed)) == (20, 20, 0, 0, 0, 0)
        feed.refresh_from_db()
        assert feed.cursor == {"type": "datetime", "value": "2025-06-01T19:00:00+00:00"}
        assert account(pull(feed)) == (2, 0, 0, 2, 0, 0), "an hour's overlap"
        Feed.objects.update(params={**params, "query": "SELECT *, sneaky() AS s FROM cad_calls"}, cursor={})
        with pytest.raises(MissionsError, match="read-only transaction"):
            pull(feed)
        Feed.objects.update(
            params={
                **params,
                "query": "SELECT *, case_number::int AS n FROM cad_calls",
                "watermark_column": "n",
            }
        )
        with pytest.raises(MissionsError, match="a value in the data does not fit"):
            pull(feed)
        assert "C00000" not in repr(list(ImportRun.objects.values_list("error", "log")))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE cad_calls CASCADE; DROP FUNCTION sneaky")
    assert Incident.objects.count() == 20
