"""What to do at a mission, over the API: the tactic that was drawn with its chance, the others, and whose missions one sees."""

from __future__ import annotations

from typing import Any

import pytest

from agencies.models import CrimeType
from patrols.models import Mission
from patrols.services import mission_add
from tactics.models import Tactic, TacticDraw, TacticPolicy, TacticRule
from tactics.services import plan_tactics_draw
from tests.api.scenes import ApiScene, make_api_scene

pytestmark = pytest.mark.django_db
WEIGHTS = {"foot-patrol": 3.0, "park-walk": 1.0}


@pytest.fixture
def scene() -> ApiScene:
    made = make_api_scene()
    for slug, weight in WEIGHTS.items():
        tactic = Tactic.objects.create(
            agency=made.agency, slug=slug, name=slug.replace("-", " ").capitalize()
        )
        for crime_type in CrimeType.objects.filter(agency=made.agency):
            TacticRule.objects.create(
                agency=made.agency, crime_type=crime_type, tactic=tactic, preference=weight
            )
    return made


def own_mission(scene: ApiScene) -> Mission:
    return next(row for row in scene.missions() if row.beat.code == "11")


def read(scene: ApiScene, mission: Mission, who: str = "patrols key") -> dict[str, Any]:
    answer = scene.get(who, f"missions/{mission.pk}/tactics/")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_the_drawn_tactic_stands_first_with_its_chance_and_the_others_beside_it(scene: ApiScene) -> None:
    plan_tactics_draw(plan=scene.plan)
    mission = own_mission(scene)
    draw = TacticDraw.objects.get(mission=mission)
    found = read(scene, mission)
    assert (found["mission"], found["method"]) == (mission.pk, "weights")
    assert found["recommended"]["tactic"] == draw.tactic.slug
    rows = [found["recommended"], *found["others"]]
    assert {row["tactic"]: row["probability"] for row in rows} == {"foot-patrol": 0.75, "park-walk": 0.25}
    assert {row["tactic"]: row["preference"] for row in rows} == WEIGHTS
    assert {row["name"] for row in rows} == {"Foot patrol", "Park walk"}
    assert found["drawn_at"] is not None
    TacticRule.objects.update(preference=5.0)
    assert read(scene, mission) == found


def test_adaptive_draws_say_so(scene: ApiScene) -> None:
    TacticPolicy.objects.create(agency=scene.agency, method="adaptive")
    plan_tactics_draw(plan=scene.plan)
    found = read(scene, own_mission(scene))
    assert found["method"] == "adaptive"
    assert found["recommended"]["probability"] + found["others"][0]["probability"] == pytest.approx(1.0)


def test_what_was_not_drawn_has_no_chance_and_nothing_recommended(scene: ApiScene) -> None:
    found = read(scene, own_mission(scene))
    assert (found["method"], found["drawn_at"], found["recommended"]) == ("rules", None, None)
    assert [(row["tactic"], row["probability"]) for row in found["others"]] == [
        ("foot-patrol", None), ("park-walk", None),
    ]  # fmt: skip


def test_what_a_person_asked_for_is_recommended_without_a_chance(scene: ApiScene) -> None:
    taken = {row.cell_id for row in scene.missions()}
    free = next(int(cell) for cell in scene.scene.spec.cells if int(cell) not in taken)
    mission = mission_add(
        plan=scene.plan, actor=scene.people["admin"], cell_id=free,
        crime_type=CrimeType.objects.get(agency=scene.agency, slug="robbery"),
        starts_at=scene.missions()[0].starts_at, dose_minutes=12, reason="Broken lamps",
    )  # fmt: skip
    Mission.objects.filter(pk=mission.pk).update(tactic="park-walk")
    found = read(scene, mission)
    assert (found["method"], found["recommended"]["tactic"]) == ("asked_for", "park-walk")
    assert found["recommended"]["probability"] is None


def test_officers_see_the_own_units_missions_only(scene: ApiScene) -> None:
    plan_tactics_draw(plan=scene.plan)
    elsewhere = next(row for row in scene.missions() if row.beat.code == "21")
    assert read(scene, own_mission(scene), "officer")["recommended"]
    assert scene.get("officer", f"missions/{elsewhere.pk}/tactics/").status_code == 404
    assert scene.get("supervisor", f"missions/{elsewhere.pk}/tactics/").status_code == 200


def test_an_unknown_parameter_is_refused_and_the_answer_has_a_mark(scene: ApiScene) -> None:
    mission = own_mission(scene)
    assert scene.get("admin", f"missions/{mission.pk}/tactics/?tactics=all").status_code == 400
    answer = scene.get("admin", f"missions/{mission.pk}/tactics/")
    again = scene.get("admin", f"missions/{mission.pk}/tactics/", **{"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


def test_it_takes_few_queries(scene: ApiScene, django_assert_max_num_queries: Any) -> None:
    plan_tactics_draw(plan=scene.plan)
    mission = own_mission(scene)
    client = scene.client("analyst")
    with django_assert_max_num_queries(8):
        client.get(f"{scene.root}missions/{mission.pk}/tactics/")
