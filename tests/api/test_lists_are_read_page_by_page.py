"""Cursors, filters, refusals of nonsense, and a number of queries that does not grow with the rows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agencies.models import Agency, Shift
from patrols.models import Assignment, Engagement, Mission, Suppression
from tests.api.scenes import ApiScene, make_api_scene
from tests.factories import make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> ApiScene:
    return make_api_scene()


def all_pages(client: Client, address: str) -> list[list[Any]]:
    pages = []
    while address:
        told = client.get(address).json()
        pages.append(told["results"])
        address = (told["next"] or "").removeprefix("http://testserver")
        assert len(pages) < 100
    return pages


def test_pages_hold_every_row_once_in_order_whatever_is_added_meanwhile(scene: ApiScene) -> None:
    client = scene.client("read key")
    pages = all_pages(client, f"{scene.root}missions/?limit=3")
    rows = [row for page in pages for row in page]
    assert [len(page) for page in pages[:-1]] == [3] * (len(pages) - 1)
    assert len(rows) == len({row["id"] for row in rows}) == scene.plan.missions.count()
    assert [row["visits"][0]["starts_at"] for row in rows] == sorted(
        row["visits"][0]["starts_at"] for row in rows
    )
    first = client.get(f"{scene.root}suppressions/?limit=1").json()
    Suppression.objects.create(
        agency=scene.agency, beat=scene.agency.beat_set.all()[0], reason="A newer one",
        expires_at=timezone.now() + dt.timedelta(days=1),
    )  # fmt: skip
    assert first["next"] is None
    assert len(all_pages(client, f"{scene.root}suppressions/?limit=1")) == 2


def test_equal_starts_are_told_apart(scene: ApiScene) -> None:
    Mission.objects.update(starts_at=scene.plan.period_from)
    rows = [
        row for page in all_pages(scene.client("admin"), f"{scene.root}missions/?limit=2") for row in page
    ]
    assert [row["id"] for row in rows] == sorted(scene.plan.missions.values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("stat=done", "stat"),
        ("state=finished", "state"),
        ("from=yesterday", "from"),
        ("from=2026-01-01&to=2025-12-01", "to"),
        ("from=2026-01-01&to=2026-12-01", "to"),
        ("from=0001-01-01", "from"),
        ("limit=0", "limit"),
        ("limit=1000", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WzEsMl0", "cursor"),
        ("unit=Z99", "unit"),
        ("beat=%00", "beat"),
        ("plan=99999999999999999999", "plan"),
    ],
)
def test_nonsense_is_400_and_names_the_parameter_and_the_next_step(
    scene: ApiScene, query: str, name: str
) -> None:
    answer = scene.get("read key", f"missions/?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert name in told["errors"]
    assert (told["code"], told["status"], told["title"]) == ("invalid", 400, "Bad Request")
    assert "Next step" in told["detail"]


def test_an_unknown_parameter_is_told_those_that_exist(scene: ApiScene) -> None:
    told = scene.get("read key", "plans/?stat=done").json()
    assert "from, to, cursor, limit, shift, state" in told["errors"]["stat"][0]
    assert scene.get("read key", f"plans/{scene.plan.pk}/?x=1").status_code == 400


def test_filters_keep_what_they_say(scene: ApiScene) -> None:
    def listed(query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = scene.get("admin", f"missions/?{query}").json()["results"]
        return found

    everything = listed("")
    for name, key in (
        ("beat", "beat"),
        ("district", "district"),
        ("crime_type", "crime_type"),
        ("unit", "unit"),
    ):
        for value in {row[key] for row in everything}:
            expected = {row["id"] for row in everything if row[key] == value}
            assert {row["id"] for row in listed(f"{name}={value}")} == expected, (name, value)
    assert len(listed(f"plan={scene.plan.pk}")) == len(everything)
    assert listed("from=2026-01-01&to=2026-01-02") == []
    other = Shift.objects.exclude(pk=scene.scene.shift.pk)[0]
    assert listed(f"shift={other.slug}") == []
    assert len(listed(f"shift={scene.scene.shift.slug}")) == len(everything)


def test_each_state_is_filtered_as_the_shift_map_says_it(scene: ApiScene) -> None:
    done, here, withdrawn, planned, late, *_ = scene.missions(engagements__isnull=True)
    unit, now = scene.unit, timezone.now()
    scene.plan.__class__.objects.update(
        period_from=now - dt.timedelta(hours=2), period_to=now + dt.timedelta(hours=6)
    )
    Mission.objects.update(visit_starts=[(now + dt.timedelta(hours=2)).isoformat()])
    Mission.objects.filter(pk=late.pk).update(visit_starts=[(now - dt.timedelta(hours=2)).isoformat()])
    Engagement.objects.create(
        agency=scene.agency, mission=done, unit=unit, arrived_at=timezone.now(), left_at=timezone.now()
    )
    Engagement.objects.create(agency=scene.agency, mission=here, unit=unit, arrived_at=timezone.now())
    Mission.objects.filter(pk=withdrawn.pk).update(withdrawn_at=timezone.now())
    Assignment.objects.filter(mission=planned).delete()
    everything = scene.get("admin", "missions/").json()["results"]
    states = {row["state"] for row in everything}
    assert states == {"planned", "assigned", "under way", "done", "missed", "withdrawn"}
    for state in states:
        found = {row["id"] for row in scene.get("admin", f"missions/?state={state}").json()["results"]}
        assert found == {row["id"] for row in everything if row["state"] == state}, state
    Mission.objects.update(withdrawn_at=None)
    scene.plan.__class__.objects.update(period_to=timezone.now() - dt.timedelta(minutes=1))
    missed = scene.get("admin", "missions/?state=missed").json()["results"]
    assert {row["state"] for row in missed} == {"missed"}
    assert len(missed) == len(everything) - 3


def test_shifts_are_right_on_days_when_clocks_change(scene: ApiScene) -> None:
    """Chicago, 8 March 2026: 02:00 does not exist. 1 November: 01:00 happens twice."""
    Shift.objects.filter(slug="night").update(starts_at=dt.time(0))
    rows = scene.get("officer", "shifts/?from=2026-03-07&to=2026-03-08&shift=night").json()["results"]
    spring = rows[1]
    assert spring["starts_at"] == "2026-03-08T06:00:00Z"
    assert (spring["local_starts_at"], spring["local_ends_at"]) == (
        "2026-03-08T00:00:00-06:00",
        "2026-03-08T09:00:00-05:00",
    )
    assert spring["minutes"] == 480
    autumn = scene.get("officer", "shifts/2026-11-01/night/").json()
    assert (autumn["local_starts_at"], autumn["local_ends_at"]) == (
        "2026-11-01T00:00:00-05:00",
        "2026-11-01T07:00:00-06:00",
    )
    assert autumn["time_zone"] == "America/Chicago"
    assert scene.get("officer", "shifts/2026-02-30/night/").status_code == 404
    Shift.objects.filter(slug="night").update(weekdays="0")
    assert scene.get("officer", "shifts/2026-11-01/night/").status_code == 404


def test_a_shift_names_its_forecast_and_its_published_plan(scene: ApiScene) -> None:
    now = scene.get("officer", f"shifts/{scene.plan.on}/{scene.scene.shift.slug}/").json()
    assert (now["forecast"], now["plan"]) == (scene.scene.run.pk, scene.plan.pk)
    rows = [
        row for page in all_pages(scene.client("officer"), f"{scene.root}shifts/?limit=4") for row in page
    ]
    assert len(rows) == 21
    assert sum(row["plan"] is not None for row in rows) == (scene.plan.on >= today(scene.agency))


def today(agency: Agency) -> dt.date:
    from zoneinfo import ZoneInfo

    return timezone.localdate(timezone=ZoneInfo(agency.time_zone))


def test_a_plan_tells_what_it_covers_and_the_decisions_that_followed(scene: ApiScene) -> None:
    later = scene.scene.plan(seed=8)
    type(later).objects.filter(pk=later.pk).update(decision=1, trigger="gunfire", reason="Shots at the park")
    told = scene.get("auditor", f"plans/{scene.plan.pk}/").json()
    assert told["coverage"]["missions"] == scene.plan.missions.count()
    assert 0 < told["coverage"]["harm_share"] < 1
    assert told["design_hash"] == scene.plan.design_hash
    assert int(told["seed"]) == scene.plan.seed
    assert told["k_by_beat"]["11"] >= 1
    (decision,) = told["decisions"]
    assert (decision["decision"], decision["trigger"], decision["reason"]) == (
        1,
        "gunfire",
        "Shots at the park",
    )
    listed = scene.get("auditor", "plans/?state=published").json()["results"]
    assert [row["id"] for row in listed] == [scene.plan.pk]


QUERIES = {
    "shifts/": 5,
    "forecasts/": 4,
    "plans/": 3,
    "missions/": 5,
    "engagements/": 3,
    "suppressions/": 3,
    "additions/": 3,
    "roster/": 3,
}


@pytest.mark.parametrize("path", QUERIES)
def test_a_list_takes_so_many_queries_however_long_it_is(scene: ApiScene, path: str) -> None:
    client = scene.client("read key")
    counts = []
    for limit in (1, 200):
        with CaptureQueriesContext(
            connection,
        ) as context:
            assert client.get(f"{scene.root}{path}?limit={limit}").status_code == 200
        counts.append(len(context))
    assert counts[0] == counts[1] <= QUERIES[path], context.captured_queries


def test_one_row_takes_few_queries(scene: ApiScene) -> None:
    own = scene.missions()[0]
    for path, most in {
        f"missions/{own.pk}/": 4,
        f"plans/{scene.plan.pk}/": 3,
        f"forecasts/{scene.scene.run.pk}/": 3,
        f"forecasts/{scene.scene.run.pk}/cells/": 9,
        f"units/{scene.unit.call_sign}/missions/now/": 5,
    }.items():
        with CaptureQueriesContext(connection) as context:
            assert scene.get("patrols key", path).status_code == 200
        assert len(context) <= most, (path, [query["sql"][:150] for query in context.captured_queries])


def test_a_person_without_a_unit_is_shown_no_mission(scene: ApiScene) -> None:
    scene.people["unitless"] = make_member(scene.agency, "officer")
    assert scene.get("unitless", "missions/").json() == {"next": None, "results": []}
    assert scene.get("unitless", "engagements/").json()["results"] == []
