"""One page of the admin tells how an agency's feeds, runs and models are doing, at a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies import dashboards
from agencies.dashboards import Panel
from agencies.models import Agency, User
from forecasting.models import ForecastRun, ModelVersion
from ingestion.models import ImportRun, QuarantinedRow
from missions_project.lib.runs import RunStatus
from patrols.models import ShiftPlanning
from tests.factories import make_agency, make_member
from tests.ingestion.files import plain_feed
from tests.patrols.scenes import ON, Scene, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
QUERIES = 24
START_QUERIES = 31


def panel(agency: Agency, title: str) -> Panel:
    return next(panel for panel in dashboards.panels(agency) if panel.title == title)


def texts(found: Panel) -> list[list[str]]:
    return [[cell.text for cell in row] for row in found.rows]


def here(agency: Agency) -> str:
    return reverse("admin:agencies_agency_dashboard", args=[agency.pk])


@pytest.fixture
def scene() -> Scene:
    return make_scene()


def fill(scene: Scene, number: int) -> None:
    """Feeds with imports and kept rows, failed forecasts, rounds of the schedule."""
    now = timezone.now()
    for i in range(number):
        feed = plain_feed(scene.agency, slug=f"feed-{i}")
        run = ImportRun.objects.create(
            agency=scene.agency, feed=feed, status=RunStatus.SUCCEEDED, started_at=now, finished_at=now,
            counts={"received": 12, "refused": 3},
        )  # fmt: skip
        QuarantinedRow.objects.create(
            agency=scene.agency,
            feed=feed,
            run=run,
            row_number=1,
            code="unmapped_code",
            values={},
            fingerprint=f"{i}",
        )
        ShiftPlanning.objects.create(
            agency=scene.agency, shift=scene.shift, on=ON + timedelta(days=i), round=0, due_at=now,
            state=ShiftPlanning.State.FAILED, message="No units.",
        )  # fmt: skip


def test_an_empty_agency_is_told_what_to_do(sign_in: SignIn, agency: Agency, owner: User) -> None:
    page = sign_in(owner).get(here(agency)).content.decode()
    for words in (
        "No feed yet",
        "no live model",
        "never",
        "No shift was planned by schedule yet",
        "America/Chicago",
    ):
        assert words in page


def test_a_feed_tells_its_last_success_freshness_and_rejections(scene: Scene) -> None:
    fill(scene, 1)
    row = texts(panel(scene.agency, "Feeds"))[0]
    assert row[2] != "never"
    assert row[5:] == ["1", "3"]


def test_a_feed_that_never_succeeded_says_so(scene: Scene) -> None:
    feed = plain_feed(scene.agency)
    ImportRun.objects.create(agency=scene.agency, feed=feed, status=RunStatus.FAILED, error="No file.")
    assert texts(panel(scene.agency, "Feeds"))[0][2] == "never"
    imports = texts(panel(scene.agency, "Imports"))[0]
    assert imports[2] == "Failed"
    assert imports[5:] == ["1", "No file."]


def test_a_run_tells_seconds_state_and_error(scene: Scene) -> None:
    later = timezone.now() + timedelta(minutes=1)
    ForecastRun.objects.create(
        agency=scene.agency, shift=scene.shift, on=ON, period_from=later, period_to=later, as_of=later,
        status=RunStatus.FAILED, queued_at=later, started_at=later, finished_at=later + timedelta(seconds=12),
        error="The grid is gone.",
    )  # fmt: skip
    row = next(row for row in texts(panel(scene.agency, "Trainings and forecasts")) if row[0] == "Forecast")
    assert row[2:4] == ["Failed", "12.0 s"]
    assert row[4] != "–"
    assert row[5:] == ["1", "The grid is gone."]


def test_a_model_tells_champion_skill_and_drift(scene: Scene) -> None:
    version = ModelVersion.objects.live().filter(agency=scene.agency, crime_type__slug="robbery").get()
    league = [{
        "name": version.champion, "log_skill": {"value": 0.1234},
        "areas": [{"area": "1%", "hit_rate": {"value": 0.125}}],
    }]  # fmt: skip
    ModelVersion.objects.filter(pk=version.pk).update(summary={"league": league, "card": "x" * 1000})
    row = next(row for row in texts(panel(scene.agency, "Models")) if row[0] == "Robbery")
    assert f"v{version.number}" in row[1]
    assert row[4:] == ["12.5 %", "+0.123", "no alarm"]


def test_a_model_of_before_without_figures_still_shows(scene: Scene) -> None:
    ModelVersion.objects.filter(agency=scene.agency).update(summary={"league": "none"})
    assert all(row[4:6] == ["–", "–"] for row in texts(panel(scene.agency, "Models")))


def test_the_page_costs_the_same_for_one_feed_and_many(
    sign_in: SignIn, scene: Scene, django_assert_num_queries: Any
) -> None:
    client = sign_in(make_member(scene.agency, "admin", username="owner"))
    fill(scene, 1)
    with django_assert_num_queries(QUERIES):
        client.get(here(scene.agency))
    ImportRun.objects.all().delete()
    ShiftPlanning.objects.all().delete()
    scene.agency.feed_set.all().delete()  # type: ignore[attr-defined]
    fill(scene, 8)
    with django_assert_num_queries(QUERIES):
        client.get(here(scene.agency))


def test_the_start_page_costs_the_same_each_time(
    sign_in: SignIn, scene: Scene, django_assert_num_queries: Any
) -> None:
    fill(scene, 5)
    client = sign_in(make_member(scene.agency, "admin", username="owner"))
    with django_assert_num_queries(START_QUERIES):
        client.get(reverse("admin:index"))


def test_strangers_find_no_dashboard(sign_in: SignIn, scene: Scene) -> None:
    stranger = make_member(make_agency("lakeside"), "admin", username="stranger")
    assert sign_in(stranger).get(here(scene.agency)).status_code == 404
    assert sign_in(make_member(scene.agency, "supervisor")).get(here(scene.agency)).status_code in (302, 403)
    assert sign_in(None).get(here(scene.agency)).status_code == 302
