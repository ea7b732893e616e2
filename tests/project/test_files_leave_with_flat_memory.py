"""A file ten times as long takes no more of the server's memory while it leaves (a million rows: benchmarks/bench_exports.py)."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from collections.abc import Callable

import pytest
from django.test import Client

from agencies.models import Agency, User
from ingestion.models import Feed, Incident
from patrols.models import Engagement, MissionPlan
from tests.factories import make_member
from tests.patrols.scenes import ON, Scene
from tests.patrols.test_dosage_page import plan as plan
from tests.patrols.test_dosage_page import scene as scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
FEW, MANY = 3_000, 30_000
MOST_MORE = 1_500_000
"""Bytes: blocks of lines and of rows are larger than a file of a few rows. The longer file itself has three million and more."""


def incidents(agency: Agency, count: int) -> None:
    feed = Feed.objects.get_or_create(agency=agency, slug="flat", name="Flat")[0]
    kind = agency.crimetype_set.all()[0]
    begins = dt.datetime.combine(ON, dt.time(18), tzinfo=dt.UTC)
    Incident.objects.bulk_create(
        Incident(
            agency=agency, feed=feed, external_id=f"{count}-{number}", crime_type=kind, code="0610", content_hash=number, lon=-87.6,
            lat=41.8, occurred_from=begins, occurred_to=begins, reported_at=begins,
        )
        for number in range(count)
    )  # fmt: skip


def visits(agency: Agency, count: int) -> None:
    mission = MissionPlan.objects.get(agency=agency).missions.select_related("assignment__unit")[0]
    begins = mission.starts_at
    Engagement.objects.bulk_create(
        Engagement(
            agency=agency, mission=mission, unit=mission.assignment.unit, arrived_at=begins + dt.timedelta(seconds=number % 600),
            left_at=begins + dt.timedelta(minutes=12),
        )
        for number in range(count)
    )  # fmt: skip


def taken(client: Client, address: str) -> tuple[int, int]:
    """How many bytes leave, and the most that is held while they do."""
    answer = client.get(address)
    assert answer.status_code == 200
    tracemalloc.start()
    length = sum(len(block) for block in answer)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return length, most


@pytest.mark.parametrize(
    ("fill", "file"),
    [(incidents, "incidents.csv"), (visits, "engagements.csv"), (visits, "engagements.geojson")],
)
def test_ten_times_the_rows_take_no_more_memory(
    scene: Scene, plan: MissionPlan, sign_in: SignIn, fill: Callable[[Agency, int], None], file: str
) -> None:
    client = sign_in(make_member(scene.agency, "analyst"))
    address = f"/{scene.agency.slug}/{file}?from={ON}&to={ON}"
    fill(scene.agency, FEW)
    short, little = taken(client, address)
    fill(scene.agency, MANY - FEW)
    long, much = taken(client, address)
    assert long > 9 * short
    assert long > 2 * MOST_MORE
    assert much < little + MOST_MORE, (short, little, long, much)
