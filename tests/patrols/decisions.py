"""Asking for a decision during a shift, drawing it, publishing it while the shift runs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from patrols.models import MissionPlan
from patrols.services import plan_decide, plan_missions, plan_publish
from tests.patrols.scenes import ON, Scene

Trigger = MissionPlan.Trigger


def ask(scene: Scene, at: dt.datetime, **changes: Any) -> MissionPlan:
    asked: dict[str, Any] = {
        "beats": None, "missions": 2, "reason": "shots near the station", "trigger": Trigger.PERSON, "actor": None,
    }  # fmt: skip
    return plan_decide(agency=scene.agency, shift=scene.shift, on=ON, at=at, **asked | changes)


def decided(scene: Scene, at: dt.datetime, **changes: Any) -> MissionPlan:
    return plan_missions(plan=ask(scene, at, **changes), with_reasons=False)


def published(plan: MissionPlan, monkeypatch: pytest.MonkeyPatch, at: dt.datetime) -> MissionPlan:
    with monkeypatch.context() as patched:
        patched.setattr("patrols.services.plans.timezone.now", lambda: at)
        return plan_publish(plan=plan, actor=None)
