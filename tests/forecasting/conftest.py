"""The forecasting room's scene: a small trained city."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agencies.models import User
from tests import factories
from tests.forecasting.scenes import Scene, make_scene


@pytest.fixture
def scene(db: None) -> Scene:
    """An agency with incidents, a hot place, live models and the forecast of tomorrow's evening."""
    return make_scene()


@pytest.fixture
def analyst(scene: Scene) -> User:
    return factories.make_member(scene.agency, "analyst", username="analyst")


@pytest.fixture
def supervisor(scene: Scene) -> User:
    return factories.make_member(scene.agency, "supervisor", username="supervisor")


@pytest.fixture
def member(scene: Scene) -> Callable[[str], User]:
    """A function: a new person with this role in the scene's agency."""
    return lambda role: factories.make_member(scene.agency, role)
