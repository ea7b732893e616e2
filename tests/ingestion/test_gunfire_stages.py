"""A gunfire alert's last stage wins, in whatever order the stages arrive; what is no gunfire counts nowhere."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agencies.models import Agency
from ingestion.engine.stages import STAGES
from ingestion.models import Feed, GunfireAlert
from ingestion.selectors import data_hash, incident_points, incident_table
from tests.ingestion.files import place
from tests.ingestion.pushing import counts_of, make_gunfire_type, make_token, push, push_feed

pytestmark = pytest.mark.django_db
SHOT_AT = dt.datetime(2026, 3, 1, 21, 40, 7, tzinfo=dt.UTC)
EVER = {"since": SHOT_AT - dt.timedelta(days=1), "until": SHOT_AT + dt.timedelta(days=1)}


def alert(stage: str, after_s: float | None = None, **changes: Any) -> dict[str, Any]:
    lon, lat = place(7)
    row = {"id": "SST-1", "occurred_at": SHOT_AT.isoformat(), "lon": lon, "lat": lat, "stage": stage}
    if after_s is not None:
        row["stage_at"] = (SHOT_AT + dt.timedelta(seconds=after_s)).isoformat()
    return {**row, **changes}


@pytest.fixture
def feed(agency: Agency) -> Feed:
    make_gunfire_type(agency)
    return push_feed(agency, "gunfire")


def seen(agency: Agency) -> int:
    """Gunfire alerts that forecasts and maps count."""
    in_table, on_map = len(incident_table(agency, epsg=32616)), len(incident_points(agency, **EVER))
    assert in_table == on_map
    return in_table


def test_a_dismissed_alert_counts_no_longer_and_stays_for_audit(agency: Agency, feed: Feed) -> None:
    token = make_token(feed)
    push(token, "gunfire", [alert("detected")])
    assert seen(agency) == 1
    before = data_hash(agency)
    assert counts_of(push(token, "gunfire", [alert("dismissed", 60)])) == {"received": 1, "updated": 1}
    assert seen(agency) == 0
    assert data_hash(agency) != before
    assert counts_of(push(token, "gunfire", [alert("detected", 5)])) == {"received": 1, "unchanged": 1}
    stored = GunfireAlert.objects.get()
    assert (stored.stage, stored.is_gunfire) == ("dismissed", False)


def test_an_alert_that_turns_out_to_be_fireworks_is_overwritten_and_not_merely_refused(
    agency: Agency, feed: Feed
) -> None:
    token = make_token(feed)
    push(token, "gunfire", [alert("detected", code="gunfire")])
    answer = push(token, "gunfire", [alert("reclassified", 90, code="fireworks")])
    assert counts_of(answer) == {"received": 1, "updated": 1}
    assert seen(agency) == 0
    assert GunfireAlert.objects.get().code == "fireworks"
    # And back: a second look says gunfire after all.
    push(token, "gunfire", [alert("reclassified", 120, code="gunfire")])
    assert seen(agency) == 1


def test_an_alert_that_carries_another_offence_is_refused_at_any_stage(agency: Agency, feed: Feed) -> None:
    answer = push(make_token(feed), "gunfire", [alert("reclassified", 90, nibrs_code="35A")])
    assert counts_of(answer) == {"received": 1, "refused": 1}
    assert not GunfireAlert.objects.exists()


def test_a_stage_without_its_time_is_kept_aside_unless_it_is_the_first(agency: Agency, feed: Feed) -> None:
    token = make_token(feed)
    answer = push(
        token, "gunfire", [alert("dismissed"), alert("guessed", 5, id="SST-2"), alert("", id="SST-3")]
    )
    assert [row.get("code") for row in answer.json()["results"]] == [
        "missing_stage_time",
        "unknown_stage",
        None,
    ]
    # The record's last update says when, where the vendor has no other time.
    updated = (SHOT_AT + dt.timedelta(minutes=2)).isoformat()
    assert counts_of(push(token, "gunfire", [alert("dismissed", last_updated=updated)])) == {
        "received": 1,
        "inserted": 1,
    }


def test_stages_of_one_second_are_ordered_by_rank(agency: Agency, feed: Feed) -> None:
    token = make_token(feed)
    for stage in ("dismissed", "detected", "reviewed"):
        push(token, "gunfire", [alert(stage, 10)])
    assert GunfireAlert.objects.get().stage == "dismissed"


messages = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from(STAGES), st.sampled_from(["gunfire", "fireworks", ""])),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one[:2],
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=messages, data=st.data())
def test_the_outcome_does_not_depend_on_the_order_of_arrival(
    agency: Agency, feed: Feed, messages: list[tuple[int, str, str]], data: st.DataObject
) -> None:
    token = make_token(feed)
    last = max(messages, key=lambda one: (one[0], STAGES.index(one[1])))
    found = []
    for order in (data.draw(st.permutations(messages)), messages):
        GunfireAlert.objects.all().delete()
        batches = data.draw(st.integers(1, len(order)))
        rows = [alert(stage, after, code=code) for after, stage, code in order]
        for start in range(0, len(rows), batches):
            answer = push(token, "gunfire", rows[start : start + batches])
            assert answer.status_code == 200
        stored = GunfireAlert.objects.get()
        found.append((stored.stage, stored.stage_at, stored.code, stored.is_gunfire, stored.content_hash))
    assert found[0] == found[1]
    assert found[0][:3] == (last[1], SHOT_AT + dt.timedelta(seconds=last[0]), last[2])
    assert found[0][3] == (last[1] != "dismissed" and last[2] != "fireworks")
