"""What machines send when they are broken: refused with a code and a next step, and never half stored."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from agencies.models import Agency
from ingestion.engine.batches import MAX_ROWS
from ingestion.models import Feed, ImportRun, Incident, QuarantinedRow
from tests.ingestion.files import good_row
from tests.ingestion.pushing import counts_of, make_token, push, push_feed

pytestmark = pytest.mark.django_db
SECRET = "Zebulon Quackenbush"


@pytest.fixture
def token(agency: Agency) -> str:
    return make_token(push_feed(agency))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ('[{"id": "1",}]', "bad_json"),
        ("\x00", "bad_json"),
        (b"\xff\xfe\x00", "bad_json"),
        ('[{"lon": NaN}]', "bad_json"),
        ('[{"lon": -Infinity}]', "bad_json"),
        ("[" * 100_000, "bad_json"),
        ('[{"id": ' + "9" * 5_000 + "}]", "bad_json"),
        ("null", "not_a_list"),
        ('"rows"', "not_a_list"),
        ('{"rows": {"id": 1}}', "not_a_list"),
        ('{"id": 1}', "not_a_list"),
    ],
)
def test_a_body_that_is_no_batch_is_400(token: str, body: str | bytes, code: str) -> None:
    answer = push(token, "incidents", body)
    assert answer.status_code == 400
    assert answer.json()["code"] == code
    assert "Next step" in answer.json()["detail"]
    assert not ImportRun.objects.exists()


@pytest.mark.parametrize("kind", ["incidents", "positions"])
def test_ten_thousand_rows_are_taken_and_one_more_is_413(agency: Agency, kind: str) -> None:
    token = make_token(push_feed(agency, kind))
    answer = push(token, kind, [{}] * (MAX_ROWS + 1))
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_many_rows"
    assert "10,001" in answer.json()["detail"]
    assert "split it" in answer.json()["detail"]
    lines = "id,code,occurred_at,lon,lat,unit,at\r\n" + ",,,,,,\r\n" * (MAX_ROWS + 1)
    assert push(token, kind, lines, content_type="text/csv").status_code == 413
    assert push(token, kind, []).json() == {
        "received": 0, "inserted": 0, "updated": 0, "unchanged": 0, "quarantined": 0, "refused": 0, "results": [],
    }  # fmt: skip


def test_a_body_that_is_too_long_is_413(token: str, settings: Any) -> None:
    settings.PUSH_MAX_BYTES = 1_000
    answer = push(token, "incidents", json.dumps([good_row(1, note="x" * 2_000)]))
    assert answer.status_code == 413
    assert "Next step" in answer.json()["detail"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_another_form_is_415(token: str, content_type: str) -> None:
    assert push(token, "incidents", b"--x--", content_type=content_type).status_code == 415


def test_rows_of_the_wrong_shape_are_kept_aside_and_the_others_stored(token: str) -> None:
    rows = [
        None,
        "text",
        7,
        [],
        good_row(1),
        good_row(2, code=["B"]),
        good_row(3, lat={"deg": 41}),
        good_row(4, id=None),
    ]
    answer = push(token, "incidents", rows)
    assert counts_of(answer) == {"received": 8, "inserted": 1, "quarantined": 7}
    codes = [row.get("code") for row in answer.json()["results"]]
    assert codes == [*["wrong_value_type"] * 4, None, "wrong_value_type", "wrong_value_type", "missing_id"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lat": "nan"}, "bad_coordinates"),
        ({"lat": "1e999"}, "bad_coordinates"),
        ({"lat": "inf"}, "bad_coordinates"),
        ({"lat": True}, "bad_coordinates"),
        ({"lat": 0, "lon": 0}, "zero_coordinates"),
        ({"lat": -87.65, "lon": 41.82}, "swapped_coordinates"),
        ({"lat": 4_182_000, "lon": 1_100_000}, "coordinates_out_of_range"),
        ({"lat": 48.2, "lon": 16.37}, "outside_boundary"),
        ({"occurred_at": "soon"}, "bad_timestamp"),
        ({"occurred_at": 20250101}, "bad_timestamp"),
        ({"occurred_at": "2199-01-01T00:00:00Z"}, "future_timestamp"),
        ({"occurred_at": "1900-01-01"}, "implausible_past"),
        ({"occurred_at": None}, "missing_timestamp"),
        ({"occurred_to": "2024-01-01T00:00:00Z"}, "end_before_start"),
        ({"id": "x" * 5_000_000}, "field_too_long"),
        ({"code": "c" * 100}, "field_too_long"),
        ({"id": "a\x00b"}, "nul_byte"),
        ({"id": "\ud800"}, "bad_encoding"),
        ({"code": "", "nibrs_code": ""}, "missing_code"),
        ({"discovery": "telepathy"}, "unknown_discovery"),
    ],
)
def test_each_fault_of_a_row_has_its_code(token: str, change: dict[str, Any], code: str) -> None:
    answer = push(token, "incidents", [good_row(1, **change)])
    assert answer.status_code == 200, answer.content
    (told,) = answer.json()["results"]
    assert (told["outcome"], told["code"]) == ("quarantined", code)
    assert len(answer.content) < 2_000
    assert not Incident.objects.exists()
    assert all(len(str(value)) < 600 for row in QuarantinedRow.objects.all() for value in row.values.values())


def test_a_naive_time_is_the_agencys_wall_clock(token: str) -> None:
    rows = [
        good_row(1, occurred_at="2025-07-01T12:00:00"),
        good_row(2, occurred_at="2025-07-01T12:00:00-5:00"),
        # In the repeated hour of autumn: the first occurrence, marked.
        good_row(3, occurred_at="2025-11-02T01:30:00"),
        good_row(4, occurred_at="2025-11-03"),
    ]
    assert counts_of(push(token, "incidents", rows)) == {"received": 4, "inserted": 4}
    stored = {row.external_id: row for row in Incident.objects.all()}
    assert stored["R00001"].occurred_from == stored["R00002"].occurred_from
    assert stored["R00001"].occurred_from.isoformat() == "2025-07-01T17:00:00+00:00"
    assert (stored["R00003"].occurred_from.isoformat(), stored["R00003"].time_precision) == (
        "2025-11-02T06:30:00+00:00", "ambiguous",
    )  # fmt: skip
    assert stored["R00004"].time_precision == "day"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "bad_json", "not JSON"),
        ("\r\n", "bad_header", "names: nothing"),
        ("a,b\r\n1,2\r\n", "bad_header", "lacks id"),
        ("id,id,occurred_at,lon,lat\r\n", "bad_header", "twice"),
        ('id,occurred_at,lon,lat\r\n"1,2\r\n', "bad_csv", "CSV"),
        (b"id,occurred_at,lon,lat\r\n\xe9,1,2,3\r\n", "bad_encoding", "UTF-8"),
    ],
)
def test_a_csv_that_is_none_is_400(token: str, text: str | bytes, code: str, words: str) -> None:
    answer = push(token, "incidents", text, content_type="text/csv")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert words in answer.json()["detail"]


def test_a_mapping_of_another_kind_is_409_and_says_what_to_do(agency: Agency) -> None:
    feed = push_feed(agency)
    Feed.objects.filter(pk=feed.pk).update(
        mapping={"record_kind": "calls", "columns": {"external_id": "Victim Name"}}
    )
    answer = push(make_token(feed), "incidents", [good_row(1)])
    assert answer.status_code == 409
    assert "Next step" in answer.json()["detail"]


def test_what_is_said_about_persons_is_kept_nowhere(
    agency: Agency, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    about = {"victim_name": SECRET, "narrative": f"{SECRET} said", "officer": SECRET, SECRET: "a key"}
    token = make_token(push_feed(agency))
    rows = [
        good_row(1, **about),
        good_row(2, lat="x", **about),
        good_row(3, nibrs_code="35A", **about),
        SECRET,
        [SECRET],
    ]
    answers = [push(token, "incidents", rows), push(token, "incidents", "[" + SECRET)]
    lines = f"id,occurred_at,code,nibrs_code,lat,lon,victim\r\nR7,2025-01-01,B,220,41.81,-87.69,{SECRET}\r\nR8,{SECRET}\r\n"
    answers.append(push(token, "incidents", lines, content_type="text/csv"))
    car = {"unit": "R11", "at": "2025-01-01T00:00:00Z", "lon": -87.69, "lat": 41.81, "officer_name": SECRET}
    answers.append(push(make_token(push_feed(agency, "positions")), "positions", [car]))
    assert [answer.status_code for answer in answers] == [200, 400, 200, 200]
    for needle in ("Zebulon", "Quackenbush"):
        assert not any(needle in answer.content.decode() for answer in answers)
        assert needle not in caplog.text
        assert not [table for table in connection.introspection.table_names() if needle in dump(table)]
        kept = [
            path for path in Path(settings.VAR_DIR).rglob("*") if path.is_file() and "sqlite" not in path.name
        ]
        assert not [path for path in kept if needle.encode() in path.read_bytes()]


def dump(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
        return str(cursor.fetchall())


def test_a_busy_database_is_503_and_nothing_is_stored(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    from ingestion.services import push as pushing

    def busy(**_: Any) -> None:
        raise OperationalError(f"database is locked: {SECRET}")

    with monkeypatch.context() as patched:
        patched.setattr(pushing, "incidents_upsert", busy)
        answer = push(token, "incidents", [good_row(1)])
    assert answer.status_code == 503
    assert "send the same batch again" in answer.json()["detail"]
    assert SECRET not in answer.content.decode()
    assert counts_of(push(token, "incidents", [good_row(1)])) == {"received": 1, "inserted": 1}
