"""Lists of all missions and draws in the admin: their dates come from an index, their queries are few and fixed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agencies.admin_dates import DatedQuerySet
from agencies.models import User
from patrols.models import Engagement, Mission
from tactics.models import Tactic, TacticUse
from tactics.services import starter_catalogue_create
from tests.factories import make_member
from tests.patrols.scenes import Scene, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
LISTS = {
    "/admin/patrols/mission/": 17,
    "/admin/patrols/engagement/": 17,
    "/admin/tactics/tacticdraw/": 18,
    "/admin/tactics/tacticuse/": 18,
}


@pytest.fixture
def scene(db: None) -> Scene:
    made = make_scene()
    starter_catalogue_create(agency=made.agency)
    return made


@pytest.mark.parametrize("path", LISTS)
def test_the_list_costs_as_many_queries_with_one_row_as_with_twelve(
    scene: Scene, sign_in: SignIn, path: str
) -> None:
    scene.plan(publish=True)
    tactic = Tactic.objects.earliest("pk")
    for mission in Mission.objects.all():
        visit = Engagement.objects.create(agency=scene.agency, mission=mission, arrived_at=mission.starts_at)
        TacticUse.objects.create(agency=scene.agency, engagement=visit, tactic=tactic, was_recommended=True)
    client = sign_in(make_member(scene.agency, "admin"))
    client.get(path)
    with CaptureQueriesContext(connection) as many:
        assert client.get(path).status_code == 200
    kept = Mission.objects.earliest("pk")
    Mission.objects.exclude(pk=kept.pk).delete()
    with CaptureQueriesContext(connection) as one:
        assert client.get(path).status_code == 200
    assert len(one) <= len(many) <= LISTS[path]
    dates = [query["sql"] for query in many if "EXISTS(" in query["sql"].partition(" FROM ")[0]]
    assert dates
    assert not [sql for sql in dates if "ORDER BY" in sql], "the model's order would sort all rows for one"


@pytest.mark.parametrize("kind", ["year", "month", "day"])
def test_the_dates_are_those_that_the_database_finds_by_reading_every_row(scene: Scene, kind: str) -> None:
    scene.plan(publish=True)
    missions = list(Mission.objects.order_by("pk"))
    days = [-800, -420, -35, -31, -1, 0]
    for mission, day in zip(missions, days, strict=False):
        Mission.objects.filter(pk=mission.pk).update(starts_at=mission.starts_at + dt.timedelta(days=day))
    plain: Any = Mission.objects.datetimes("starts_at", kind)
    asked = DatedQuerySet(Mission).datetimes("starts_at", kind)
    assert [one.isoformat() for one in asked] == [one.isoformat() for one in plain]
    assert len(asked) > 1


def test_months_start_at_midnight_by_the_wall_on_both_sides_of_a_clock_change(scene: Scene) -> None:
    scene.plan(publish=True)
    first, second = Mission.objects.order_by("pk")[:2]
    Mission.objects.filter(pk=first.pk).update(starts_at=dt.datetime(2026, 3, 1, 4, 30, tzinfo=dt.UTC))
    Mission.objects.filter(pk=second.pk).update(starts_at=dt.datetime(2026, 5, 1, 4, 30, tzinfo=dt.UTC))
    with timezone.override("America/New_York"):
        rows = DatedQuerySet(Mission).filter(pk__in=[first.pk, second.pk])
        months = rows.datetimes("starts_at", "month")
        assert [month.isoformat() for month in months] == [
            "2026-02-01T00:00:00-05:00",
            "2026-05-01T00:00:00-04:00",
        ]


def test_an_empty_list_has_no_dates(db: None) -> None:
    assert DatedQuerySet(Mission).datetimes("starts_at", "year") == []
