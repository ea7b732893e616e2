"""Machines push rows: taken at once, answered one by one, and sent again without harm."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from agencies.models import Agency
from ingestion.models import (
    CallForService,
    GunfireAlert,
    ImportRun,
    Incident,
    PushTally,
    QuarantinedRow,
    VehiclePosition,
)
from ingestion.selectors import feeds_with_health
from ingestion.services import push_days_fold
from tests.factories import degrees
from tests.ingestion.files import good_row, plain_feed
from tests.ingestion.pushing import counts_of, make_gunfire_type, make_token, push, push_feed

pytestmark = pytest.mark.django_db
REFUSED = {"nibrs_code": "35A"}


def test_a_batch_is_stored_and_each_row_answered_for(agency: Agency) -> None:
    token = make_token(push_feed(agency))
    rows = [good_row(1), good_row(2, lat="north"), good_row(3, **REFUSED), good_row(4)]
    answer = push(token, "incidents", rows)
    assert answer.status_code == 200, answer.content
    assert counts_of(answer) == {"received": 4, "inserted": 2, "quarantined": 1, "refused": 1}
    told = answer.json()["results"]
    assert [row["index"] for row in told] == [0, 1, 2, 3]
    assert [row["outcome"] for row in told] == ["inserted", "quarantined", "refused", "inserted"]
    assert told[0] == {"index": 0, "external_id": "R00001", "outcome": "inserted"}
    assert told[1]["code"] == "bad_coordinates"
    assert "decimals need a point" in told[1]["message"]
    assert "drug" in told[2]["message"].lower()
    assert Incident.objects.count() == 2
    # The refused row is counted by code and stored nowhere.
    assert not QuarantinedRow.objects.filter(external_id="R00003").exists()


def test_the_same_batch_again_changes_nothing(agency: Agency) -> None:
    token = make_token(push_feed(agency))
    rows = [good_row(1), good_row(2, lat="north")]
    push(token, "incidents", rows)
    before = list(Incident.objects.values())
    answer = push(token, "incidents", {"rows": rows})
    assert counts_of(answer) == {"received": 2, "unchanged": 1, "quarantined": 1}
    assert list(Incident.objects.values()) == before
    assert QuarantinedRow.objects.count() == 1


def test_other_content_updates_and_a_mended_row_leaves_the_quarantine(agency: Agency) -> None:
    token = make_token(push_feed(agency))
    push(token, "incidents", [good_row(1), good_row(2, lat="north")])
    answer = push(token, "incidents", [good_row(1, nibrs_code="120"), good_row(2)])
    assert counts_of(answer) == {"received": 2, "inserted": 1, "updated": 1}
    assert Incident.objects.get(external_id="R00001").crime_type.slug == "robbery"
    assert not QuarantinedRow.objects.filter(resolved_at=None).exists()


def test_one_identifier_twice_in_a_batch_is_one_record(agency: Agency) -> None:
    token = make_token(push_feed(agency))
    newer = good_row(1, nibrs_code="120", last_updated="2025-12-02T00:00:00Z")
    answer = push(token, "incidents", [newer, good_row(1, last_updated="2025-12-01T00:00:00Z")])
    assert [row["outcome"] for row in answer.json()["results"]] == ["inserted", "unchanged"]
    assert Incident.objects.get().crime_type.slug == "robbery"


def test_csv_and_the_feeds_own_mapping_are_read_too(agency: Agency) -> None:
    feed = plain_feed(agency)
    token = make_token(feed)
    lines = "id,occurred_at,code,nibrs_code,lat,lon,Victim Name\r\n"
    for number in (1, 2):
        row = good_row(number)
        lines += f'{row["id"]},{row["occurred_at"]},B-1,220,{row["lat"]},{row["lon"]},"Doe, Jane"\r\n'
    lines += "R9,too,few\r\n"
    answer = push(token, "incidents", "\ufeff" + lines, content_type="text/csv; charset=utf-8")
    assert counts_of(answer) == {"received": 3, "inserted": 2, "quarantined": 1}
    assert answer.json()["results"][2]["code"] == "wrong_column_count"


def test_calls_keep_how_they_became_known(agency: Agency) -> None:
    token = make_token(push_feed(agency, "calls"))
    rows = [
        good_row(1, nibrs_code="", code="ALARM", discovery="911"),
        good_row(2, nibrs_code="", code="STOP-X", discovery="on view"),
    ]
    answer = push(token, "calls", rows)
    assert counts_of(answer) == {"received": 2, "inserted": 2}
    assert set(CallForService.objects.values_list("external_id", "discovery")) == {
        ("R00001", "reported"),
        ("R00002", "officer_initiated"),
    }


def test_positions_are_stored_once_and_unknown_units_are_flagged(agency: Agency) -> None:
    token = make_token(push_feed(agency, "positions"))
    lon, lat = degrees(1_000, 1_000)
    far_lon, far_lat = degrees(90_000, 1_000)
    now = timezone.now().replace(microsecond=0)
    at = now.isoformat()
    rows = [
        {"unit": "R11", "at": at, "lon": lon, "lat": lat, "officer_name": "Doe"},
        {"unit": "R11", "at": at, "lon": lon, "lat": lat},
        {"unit": "X99", "at": at, "lon": lon, "lat": lat},
        {"unit": "R11", "at": at, "lon": far_lon, "lat": far_lat},
        {"unit": "R12", "at": (now + dt.timedelta(days=1)).isoformat(), "lon": lon, "lat": lat},
        {"unit": "", "at": at, "lon": lon, "lat": lat},
        {"unit": "R12", "at": "soon", "lon": lon, "lat": lat},
        {"unit": "R12", "at": at, "lon": 0, "lat": 0},
    ]
    answer = push(token, "positions", rows)
    assert counts_of(answer) == {"received": 8, "inserted": 2, "unchanged": 1, "refused": 5}
    told = answer.json()["results"]
    assert [row.get("code", "") for row in told] == [
        "", "", "unknown_unit", "outside_boundary", "future_timestamp", "missing_unit", "bad_timestamp", "zero_coordinates",
    ]  # fmt: skip
    assert told[2]["outcome"] == "inserted"
    stored = {row.unit_code: row for row in VehiclePosition.objects.all()}
    assert stored["R11"].is_known_unit
    assert not stored["X99"].is_known_unit
    assert stored["R11"].at == now
    # Where a car was outside the agency is kept nowhere, not even in the quarantine.
    assert not QuarantinedRow.objects.exists()
    again = push(token, "positions", rows)
    assert counts_of(again) == {"received": 8, "unchanged": 3, "refused": 5}
    assert VehiclePosition.objects.count() == 2


@pytest.mark.parametrize("n", [64, 300])
def test_positions_of_a_large_and_a_small_batch_fare_alike(agency: Agency, n: int) -> None:
    token = make_token(push_feed(agency, "positions"))
    now = timezone.now().replace(microsecond=0)
    lon, lat = degrees(1_000, 1_000)
    rows = [
        {
            "unit": f"R\\{number % 7}",
            "at": (now - dt.timedelta(seconds=number)).isoformat(),
            "lon": lon,
            "lat": lat,
        }
        for number in range(n)
    ]
    assert counts_of(push(token, "positions", rows[: n // 2])) == {"received": n // 2, "inserted": n // 2}
    answer = push(token, "positions", rows)
    assert counts_of(answer) == {"received": n, "inserted": n - n // 2, "unchanged": n // 2}
    assert {row["outcome"] for row in answer.json()["results"][: n // 2]} == {"unchanged"}
    assert VehiclePosition.objects.filter(unit_code="R\\3").exists()


def test_a_days_pushes_add_up_in_one_run_and_in_the_feed_list(agency: Agency) -> None:
    feed = push_feed(agency)
    token = make_token(feed)
    for number in range(5):
        push(
            token,
            "incidents",
            [good_row(number), good_row(100 + number, **REFUSED), good_row(200 + number, lat="")],
        )
    row = feeds_with_health(agency, now=timezone.now())[0]
    assert row.last_run is not None
    counts = row.last_run.counts
    assert (
        counts["received"]
        == 15
        == sum(counts[name] for name in ("inserted", "updated", "unchanged", "quarantined", "refused"))
    )
    assert (counts["inserted"], counts["refused"], counts["quarantined"]) == (5, 5, 5)
    assert "15 rows that day in 5 batches" in row.words
    assert row.waiting == 5
    push_days_fold(now=timezone.now())
    run = ImportRun.objects.get(feed=feed)
    assert run.counts == {name: counts[name] for name in run.counts}
    assert run.rejections == {"missing_coordinates": 5}
    assert sum(sum(codes.values()) for codes in run.refusals.values()) == 5
    assert push_days_fold(now=timezone.now()) == 0


def test_a_part_of_the_account_that_does_not_add_up_is_refused_by_the_database(agency: Agency) -> None:
    from django.db import IntegrityError

    push(make_token(push_feed(agency)), "incidents", [good_row(1)])
    with pytest.raises(IntegrityError, match="push_tally_adds_up"):
        PushTally.objects.update(received=7)


def test_only_problems_are_listed_where_asked(agency: Agency) -> None:
    token = make_token(push_feed(agency))
    answer = push(token, "incidents", [good_row(1), good_row(2, lat="")], QUERY_STRING="results=problems")
    assert [row["index"] for row in answer.json()["results"]] == [1]


def test_an_agency_without_a_gunfire_type_keeps_alerts_aside(agency: Agency) -> None:
    token = make_token(push_feed(agency, "gunfire"))
    assert counts_of(push(token, "gunfire", [good_row(1, nibrs_code="", code="")])) == {
        "received": 1,
        "quarantined": 1,
    }
    make_gunfire_type(agency)
    assert counts_of(push(token, "gunfire", [good_row(1, nibrs_code="", code="")])) == {
        "received": 1,
        "inserted": 1,
    }
    assert GunfireAlert.objects.get().stage == "detected"


def test_an_alert_is_stored_with_few_queries(agency: Agency, django_assert_max_num_queries: object) -> None:
    make_gunfire_type(agency)
    token = make_token(push_feed(agency, "gunfire"))
    push(token, "gunfire", [good_row(1, nibrs_code="", code="")])
    # 1 key, 5 to read the agency anew (kept for two seconds in service), 8 at most to store and account for it.
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        push(token, "gunfire", [good_row(2, nibrs_code="", code="")])
