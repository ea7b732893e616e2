"""A unit with a mission, and its officer."""

from __future__ import annotations

import pytest

from agencies.models import Agency, Unit, User
from patrols.models import Mission, MissionPlan
from tests.factories import make_member
from tests.tactics import factories


@pytest.fixture
def unit(agency: Agency) -> Unit:
    """The unit of beat 11."""
    return Unit.objects.get(agency=agency, call_sign="R11")


@pytest.fixture
def officer(agency: Agency, unit: Unit) -> User:
    """An officer of that unit."""
    return make_member(agency, "officer", username="officer", unit=unit)


@pytest.fixture
def plan(agency: Agency) -> MissionPlan:
    """A published plan whose shift is running."""
    return factories.make_plan(agency)


@pytest.fixture
def mission(plan: MissionPlan, unit: Unit) -> Mission:
    """The unit's mission, due now."""
    return factories.make_mission(plan, unit=unit)
