"""A small agency's shift, its published plan and who supervises it; a test file with another scene has fixtures of its own."""

from __future__ import annotations

import pytest

from agencies.models import User
from patrols.models import MissionPlan
from tests.factories import make_member
from tests.patrols.scenes import Scene, make_scene


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def plan(scene: Scene) -> MissionPlan:
    return scene.plan(publish=True)


@pytest.fixture
def supervisor(scene: Scene) -> User:
    return make_member(scene.agency, "supervisor")
