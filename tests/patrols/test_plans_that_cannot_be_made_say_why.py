"""Whatever stands in the way of a plan is named with its setting and the next step; other beats are planned all the same."""

from __future__ import annotations

import pytest

from agencies.models import Beat, Unit
from missions_project.lib.errors import MissionsError
from patrols.models import Suppression
from tests.factories import rectangle
from tests.patrols.scenes import Scene

pytestmark = pytest.mark.django_db


def test_a_beat_without_a_cell_is_named_and_the_others_are_planned(scene: Scene) -> None:
    tiny = Beat.objects.create(
        agency=scene.agency, district=Beat.objects.all()[0].district, code="99",
        geometry=rectangle(9000, 9000, 9010, 9010),
    )  # fmt: skip
    Unit.objects.create(agency=scene.agency, call_sign="R99", beat=tiny)
    plan = scene.plan()
    assert "Beat 99 holds no grid cell. Check that its boundary" in plan.log
    assert plan.missions.count() == 12


def test_without_anybody_on_duty_the_roster_is_named(scene: Scene) -> None:
    Unit.objects.all().update(missions_per_shift=0)
    with pytest.raises(MissionsError, match=r"No unit is on duty.*roster page"):
        scene.plan()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exploration": 1.0, "cap_max": 0.05}, "exploration"),
        ({"exploration": 0.01, "cap_max": 0.05}, "cap_max"),
    ],
)
def test_a_floor_above_the_cap_or_a_cap_below_the_need_names_the_setting(
    scene: Scene, changes: dict[str, float], words: str
) -> None:
    for name, value in changes.items():
        setattr(scene.policy, name, value)
    scene.policy.save()
    Unit.objects.all().update(missions_per_shift=20)
    with pytest.raises(MissionsError, match=rf"{words}.*lower the missions per shift"):
        scene.plan()


def test_a_suppression_of_everything_says_to_end_one(scene: Scene) -> None:
    for beat in Beat.objects.all():
        Suppression.objects.create(
            agency=scene.agency, beat=beat, reason="parade",
            starts_at=scene.run.period_from, expires_at=scene.run.period_to,
        )  # fmt: skip
    with pytest.raises(MissionsError, match="End a suppression"):
        scene.plan()
