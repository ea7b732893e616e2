"""Every `curl` line of docs/api.md is sent as it stands there, and answered."""

from __future__ import annotations

import datetime as dt
import shlex
from string import Template

import pytest
from django.test import Client
from django.utils import timezone

from tests.api.scenes import ApiScene, make_api_scene
from tests.project.sources import ROOT

pytestmark = pytest.mark.django_db
LINES = [line for line in (ROOT / "docs" / "api.md").read_text().splitlines() if line.startswith("curl ")]


def variables(scene: ApiScene) -> dict[str, str]:
    now = timezone.now()
    own = [mission for mission in scene.missions() if mission.beat.code == "11"]
    return {
        "KEY": scene.keys["patrols key"],
        "SITE": "http://testserver",
        "MISSION": str(own[-1].pk),
        "PLAN": str(scene.plan.pk),
        "FORECAST": str(scene.scene.run.pk),
        "DATE": scene.plan.on.isoformat(),
        "SHIFT": scene.scene.shift.slug,
        "NOW": now.isoformat(),
        "EARLIER": (now - dt.timedelta(minutes=14)).isoformat(),
        "SOON": (scene.plan.period_to - dt.timedelta(minutes=20)).isoformat(),
        "LATER": (now + dt.timedelta(days=2)).isoformat(),
    }


def send(line: str) -> int:
    words = shlex.split(line)[1:]
    method, address, body, headers = "GET", "", "", dict[str, str]()
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, value = words.pop(0).split(": ", 1)
            headers[name] = value
        elif word == "-d":
            body = words.pop(0)
        elif word == "-o":
            words.pop(0)
        else:
            address = word
    content_type = headers.pop("Content-Type", "application/octet-stream")
    answer = Client().generic(method, address, body, content_type=content_type, headers=headers)
    return answer.status_code


def test_the_examples_are_answered_in_their_order() -> None:
    assert len(LINES) >= 20
    scene = make_api_scene()
    known = variables(scene)
    for line in LINES:
        assert send(Template(line).substitute(known)) in (200, 201, 202, 204), line
