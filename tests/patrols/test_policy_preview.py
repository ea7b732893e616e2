"""The preview beside a policy's dials: the figures of the design that a plan would use, at once and without saving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.forms.models import model_to_dict
from django.test import Client

from agencies.models import Agency, User
from patrols.engine.design import DesignPolicy, PolicyError
from patrols.engine.oversight import plan_oversight
from patrols.engine.plan import design_from_bytes, plan_draw
from patrols.engine.preview import PreviewInputs, design_preview, gamma_curve
from patrols.models import MissionPlan, PatrolPolicy
from patrols.preview import preview_inputs, preview_runs
from tests.factories import make_member
from tests.patrols.scenes import Scene, make_scene

SignIn = Callable[[User | None], Client]
PREVIEW = "/admin/patrols/patrolpolicy/preview/"


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture
def agency_owner(scene: Scene) -> User:
    return make_member(scene.agency, "admin", username="owner")


def made_up(seed: int = 1, n: int = 60) -> PreviewInputs:
    rng = np.random.default_rng(seed)
    return PreviewInputs(
        harm=rng.gamma(0.3, 1.0, n),
        beat_of_cell=np.repeat([4, 9, -1], n // 3),
        beat_k={4: 3, 9: 2, 11: 0},
        suppressed=rng.random(n) < 0.1,
        planned_minutes=rng.integers(0, 300, n).astype(float),
        days_since_last=rng.choice([0.2, 1.0, np.inf], n),
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.5])
def test_the_preview_gives_the_chances_that_a_plan_would_draw_with(seed: int, gamma: float) -> None:
    inputs, policy = made_up(seed), DesignPolicy(gamma=gamma)
    shown = design_preview(inputs, policy)
    plan = plan_draw(
        harm=inputs.harm,
        beat_of_cell=np.where(np.isin(inputs.beat_of_cell, [4, 9]), inputs.beat_of_cell, -1),
        beat_k={4: 3, 9: 2},
        suppressed=inputs.suppressed,
        planned_minutes=inputs.planned_minutes,
        days_since_last=inputs.days_since_last,
        x_m=np.arange(60.0),
        y_m=np.zeros(60),
        shift_minutes=480,
        policy=policy,
        seed=3,
    )
    everywhere = np.zeros(60)
    everywhere[plan.cell] = plan.pi
    assert np.array_equal(shown.pi, everywhere)
    summed = plan_oversight(plan)
    for name in (
        "missions",
        "candidates",
        "harm_share",
        "price_of_randomisation",
        "predictability",
        "low_risk_share",
    ):
        assert getattr(shown, name) == getattr(summed, name), name
    assert shown.entropy_bits_per_mission * shown.missions == pytest.approx(summed.entropy_bits)


def test_a_stronger_pull_towards_harm_covers_more_and_is_easier_to_guess() -> None:
    curve = gamma_curve(made_up(), DesignPolicy())
    covered = [point.harm_share for _, point in curve]
    guessed = [point.predictability for _, point in curve]
    assert covered == sorted(covered)
    assert covered[-1] > covered[0]
    assert guessed[-1] > guessed[0]


def test_beats_that_cannot_be_planned_are_named_and_the_others_shown() -> None:
    inputs = replace(made_up(), suppressed=made_up().beat_of_cell == 4)
    shown = design_preview(inputs, DesignPolicy())
    assert [row.beat for row in shown.infeasible] == [4]
    assert shown.pi[inputs.beat_of_cell == 4].sum() == 0
    assert shown.pi[inputs.beat_of_cell == 9].sum() == pytest.approx(2)


def test_dials_that_cannot_work_raise_as_a_plan_would() -> None:
    with pytest.raises(PolicyError):
        design_preview(made_up(), DesignPolicy(cap_max=0.0))


def dials(agency: Agency, **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = model_to_dict(PatrolPolicy(agency=agency)) | {"agency": agency.pk} | changes
    return {name: value for name, value in data.items() if value is not None and value is not False}


def test_the_admin_shows_what_typed_dials_would_do_and_saves_nothing(
    scene: Scene, agency_owner: User, sign_in: SignIn
) -> None:
    before = model_to_dict(scene.policy)
    client = sign_in(agency_owner)
    change = client.get(f"/admin/patrols/patrolpolicy/{scene.policy.pk}/change/").content.decode()
    assert 'id="policy-preview"' in change
    page = client.get(PREVIEW, dials(scene.agency, gamma="2.5"))
    text = page.content.decode()
    assert page.status_code == 200
    for words in (
        "Expected harm in missions",
        "Price of randomisation",
        "Entropy a mission",
        "data:image/png;base64,",
    ):
        assert words in text
    saved, tried = (
        design_preview(
            preview_inputs(scene.run, scene.policy), replace(scene.policy.as_design_policy(), gamma=gamma)
        )
        for gamma in (scene.policy.gamma, 2.5)
    )
    assert f"{100 * saved.harm_share:.1f} %" in text
    assert f"{100 * tried.harm_share:.1f} %" in text
    scene.policy.refresh_from_db()
    assert model_to_dict(scene.policy) == before
    assert not MissionPlan.objects.exists()


def test_the_shown_design_is_that_of_the_plan_which_is_then_drawn(scene: Scene) -> None:
    policy = scene.policy.as_design_policy()
    shown = design_preview(preview_inputs(scene.run, scene.policy), policy)
    plan = design_from_bytes(bytes(scene.plan().design))
    assert np.allclose(shown.pi[plan.cell], plan.pi, rtol=0, atol=1e-12)


def test_dials_that_make_no_sense_are_answered_with_the_next_step(
    scene: Scene, agency_owner: User, sign_in: SignIn
) -> None:
    text = sign_in(agency_owner).get(PREVIEW, dials(scene.agency, dose_min_minutes="30")).content.decode()
    assert "raise it or lower the shortest stay" in text
    assert "data:image/png" not in text


def test_strangers_and_members_without_the_role_see_no_preview(
    scene: Scene, stranger: User, sign_in: SignIn
) -> None:
    supervisor = make_member(scene.agency, "supervisor", username="evening")
    for person in (supervisor, None):
        assert sign_in(person).get(PREVIEW, dials(scene.agency)).status_code in (302, 403, 404)
    # An administrator of one agency is asked about that one, whatever the address says.
    asked = dials(scene.agency) | {"preview_run": scene.run.pk}
    assert (
        "There is no forecast to try the dials on yet"
        in sign_in(stranger).get(PREVIEW, asked).content.decode()
    )


def test_the_preview_asks_the_database_a_fixed_number_of_times(
    scene: Scene, agency_owner: User, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    client = sign_in(agency_owner)
    client.get(PREVIEW, dials(scene.agency))
    with django_assert_max_num_queries(27):
        client.get(PREVIEW, dials(scene.agency))


def test_the_newest_forecast_of_each_shift_is_offered(scene: Scene) -> None:
    assert [run.pk for run in preview_runs(scene.agency)] == [scene.run.pk]
