"""Missions say why: reasons are written with the plan, and the drawer, the sheet and the officer's card show them."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from agencies.models import User
from forecasting.engine.grid import GridSpec
from forecasting.models import ModelVersion
from forecasting.selectors import why_here
from missions_project import pipeline
from missions_project.lib.errors import MissionsError
from patrols.models import Mission, MissionPlan, PatrolPolicy
from patrols.selectors import mission_of, missions_for_unit, why_here_of
from patrols.services import plan_missions, plan_publish, plan_queue, plan_reasons_write
from patrols.tasks import plan_reasons_task
from tests.factories import make_member
from tests.forecasting.scenes import Scene, make_scene
from tests.patrols.scenes import make_scene as make_scene_without_models

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def plan(scene: Scene) -> MissionPlan:
    PatrolPolicy.objects.create(agency=scene.agency)
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on, seed=5)
    return plan_publish(plan=plan_missions(plan=plan), actor=None)


def test_every_drawn_mission_carries_the_reasons_that_the_forecast_gives(
    scene: Scene, plan: MissionPlan
) -> None:
    missions = list(plan.missions.all())
    assert len(missions) >= 3
    spec = GridSpec.from_bytes(bytes(scene.grid.spec))
    for mission in missions:
        position = int(spec.index_of([mission.cell_id])[0])
        (told,) = why_here(scene.run, [position], mission.crime_type)
        assert mission.why["headline"] == told["headline"]
        assert mission.why["clauses"] == told["clauses"]
        assert mission.why["words"] == told["sentences"]
        assert f"{mission.expected:.4f}" in mission.why["words"][0]
        shares = sum(value for _, value in mission.why["bars"])
        assert shares == pytest.approx(math.log(told["times_typical"]), abs=0.012)
        assert 0 < len(mission.headline) <= 110
    assert len({mission.headline for mission in missions}) > 1


def test_the_drawer_shows_three_reasons_everything_in_words_and_the_table(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    mission = max(plan.missions.all(), key=lambda row: row.expected)
    why = why_here_of(mission_of(scene.agency, mission.pk))  # type: ignore[arg-type]
    assert why is not None
    address = reverse("patrols:drawer", args=[scene.agency.slug, mission.pk])
    page = unescape(sign_in(make_member(scene.agency, "supervisor")).get(address).content.decode())
    assert 1 <= len(why.reasons) <= 3
    for reason in why.reasons:
        assert reason[:1].upper() + reason[1:] in page
    for sentence in why.words:
        assert sentence in page
    # A plain count has one driver, a learned model several.
    assert why.bars
    for bar in why.bars:
        assert bar.label in page
        assert f"× {bar.factor:.2f}" in page


def test_without_its_model_the_drawer_keeps_the_reasons_written_with_the_plan(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    ModelVersion.objects.filter(agency=scene.agency).update(artefact="gone.joblib", artefact_hash="0" * 64)
    mission = next(row for row in plan.missions.all() if row.why["clauses"])
    address = reverse("patrols:drawer", args=[scene.agency.slug, mission.pk])
    client = sign_in(make_member(scene.agency, "supervisor"))
    page = unescape(client.get(address).content.decode())
    first = mission.why["clauses"][0]
    assert first[:1].upper() + first[1:] in page
    assert "note--warn" not in page


def test_where_no_reasons_were_written_the_drawer_works_them_out_or_says_what_is_missing(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    mission = next(row for row in plan.missions.all() if row.why["clauses"])
    plan.missions.update(why={})
    address = reverse("patrols:drawer", args=[scene.agency.slug, mission.pk])
    client = sign_in(make_member(scene.agency, "supervisor"))
    assert mission.why["words"][0] in unescape(client.get(address).content.decode())
    ModelVersion.objects.filter(agency=scene.agency).update(artefact="gone.joblib", artefact_hash="0" * 64)
    # Another forecast's data, so that nothing is answered from memory.
    type(scene.run).objects.filter(pk=scene.run.pk).update(data_hash="other")
    page = unescape(client.get(address).content.decode())
    assert "note--warn" in page
    assert mission.why["words"][0] not in page


def test_the_list_and_the_print_sheet_show_the_one_line(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    client = sign_in(make_member(scene.agency, "supervisor"))
    for name in ("print", "board_list"):
        address = reverse(f"patrols:{name}", args=[scene.agency.slug, plan.on.isoformat(), plan.shift.slug])
        page = unescape(client.get(address).content.decode())
        for mission in plan.missions.all():
            assert mission.headline in page


def test_the_officers_card_shows_the_one_line(scene: Scene, plan: MissionPlan, sign_in: SignIn) -> None:
    mission = plan.missions.filter(assignment__isnull=False)[0]
    officer = make_member(scene.agency, "officer", unit=mission.assignment.unit)
    MissionPlan.objects.filter(pk=plan.pk).update(
        period_from=plan.queued_at, period_to=plan.queued_at.replace(year=plan.queued_at.year + 1)
    )
    assert missions_for_unit(scene.agency, mission.assignment.unit, now=plan.queued_at)
    address = reverse("tactics:officer", args=[scene.agency.slug])
    page = unescape(sign_in(officer).get(address, {"mission": mission.pk}).content.decode())
    assert mission.headline in page


def test_a_plan_is_made_even_where_no_reason_can_be_given() -> None:
    scene = make_scene_without_models()
    plan = scene.plan()
    assert plan.missions.exists()
    assert {mission.headline for mission in plan.missions.all()} == {""}
    assert plan_reasons_write(plan=plan) == 0
    with pytest.raises(MissionsError, match="no model file"):
        plan_reasons_write(plan=plan, again=True)


def test_writing_the_reasons_costs_few_queries_however_many_missions(
    scene: Scene, plan: MissionPlan, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    type(scene.run).objects.filter(pk=scene.run.pk).update(data_hash="not asked before")
    plan.forecast_run.refresh_from_db()  # type: ignore[union-attr]
    with django_assert_max_num_queries(25):  # type: ignore[attr-defined]
        assert plan_reasons_write(plan=plan, again=True) == Mission.objects.filter(plan=plan).count()


def test_reasons_left_to_a_worker_are_sent_for_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(pipeline.plan_reasons_task, "delay", sent.append)
    PatrolPolicy.objects.create(agency=scene.agency)
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on)
    plan_missions(plan=plan, with_reasons=False)
    assert {mission.headline for mission in plan.missions.all()} == {""}
    assert pipeline.reasons_due() == 1
    assert pipeline.reasons_due() == 0
    assert sent == [plan.pk]
    plan_reasons_task(plan.pk)
    assert "" not in {mission.headline for mission in plan.missions.all()}
