"""The map beside a policy's dials is read as a table too: every box that may get a mission, by beat, with the same chance."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agencies.models import User
from forecasting.models import ForecastRun
from patrols.engine.preview import design_preview
from patrols.preview import preview_inputs
from tests.factories import make_agency, make_member
from tests.patrols.scenes import Scene, make_scene

SignIn = Callable[[User | None], Client]


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def boxes(scene: Scene) -> str:
    return reverse("patrols:policy_boxes", args=[scene.agency.slug])


def all_rows(client: Client, address: str, query: dict[str, Any]) -> list[Any]:
    rows: list[Any] = []
    number = 1
    while True:
        page = client.get(address, query | {"page": number}).context["page"]
        rows += page
        if not page.has_next():
            return rows
        number += 1


@pytest.mark.parametrize("gamma", ["", "3"])
def test_the_table_holds_the_chances_of_the_map(scene: Scene, sign_in: SignIn, gamma: str) -> None:
    client = sign_in(make_member(scene.agency, "supervisor"))
    rows = all_rows(client, boxes(scene), {"gamma": gamma} if gamma else {})
    tried = scene.policy
    tried.gamma = float(gamma or tried.gamma)
    pi = design_preview(preview_inputs(scene.run, tried), tried.as_design_policy()).pi
    assert {row.cell_id: row.chance_percent for row in rows} == pytest.approx(
        {int(scene.spec.cells[at]): 100 * float(pi[at]) for at in np.flatnonzero(pi > 0)}
    )
    assert [(row.beat, -row.chance_percent) for row in rows] == sorted(
        (row.beat, -row.chance_percent) for row in rows
    )
    lon, lat = scene.spec.centres_lonlat()
    at = int(scene.spec.index_of([rows[0].cell_id])[0])
    assert [rows[0].lon, rows[0].lat] == pytest.approx([lon[at], lat[at]])


def test_the_preview_leads_to_it_with_the_dials_as_they_stand(scene: Scene, sign_in: SignIn) -> None:
    client = sign_in(make_member(scene.agency, "admin"))
    for figures, query in (
        (reverse("patrols:policy_figures", args=["riverton"]), {}),
        (reverse("admin:patrols_patrolpolicy_preview"), {"agency": scene.agency.pk}),
    ):
        text = client.get(figures, query | {"gamma": "2", "exploration": "0.3"}).content.decode()
        link = unescape(next(part for part in text.split('"') if part.startswith(boxes(scene))))
        assert "gamma=2" in link
        assert "exploration=0.3" in link
        page = client.get(link)
        assert f"preview_run={scene.run.pk}" in link
        # Back, the dials are as they were; another beat keeps them, too.
        assert "gamma=2" in page.context["back"]
        assert '<input type="hidden" name="gamma" value="2">' in page.content.decode()


def test_one_beat_is_asked_for_and_one_that_is_none_is_refused(scene: Scene, sign_in: SignIn) -> None:
    client = sign_in(make_member(scene.agency, "analyst"))
    everything = all_rows(client, boxes(scene), {})
    code = everything[0].beat
    assert all_rows(client, boxes(scene), {"beat": code}) == [row for row in everything if row.beat == code]
    assert client.get(boxes(scene), {"beat": "none"}).status_code == 404


def test_dials_that_make_no_sense_and_no_forecast_are_said(scene: Scene, sign_in: SignIn) -> None:
    client = sign_in(make_member(scene.agency, "analyst"))
    assert client.get(boxes(scene), {"gamma": "-7"}).context["error"]
    ForecastRun.objects.all().delete()
    assert "no forecast" in client.get(boxes(scene)).context["error"]


@pytest.mark.parametrize(
    ("role", "status"),
    [("admin", 200), ("supervisor", 200), ("analyst", 200), ("auditor", 200), ("officer", 403)],
)
def test_it_is_for_those_who_see_the_preview(scene: Scene, sign_in: SignIn, role: str, status: int) -> None:
    client = sign_in(make_member(scene.agency, role))
    assert client.get(boxes(scene)).status_code == status
    assert client.get(reverse("patrols:policy_preview", args=["riverton"])).status_code == status
    other = make_agency("lakeside")
    assert sign_in(make_member(other, role, username="stranger")).get(boxes(scene)).status_code == 404


def test_another_agencys_forecast_is_not_shown(scene: Scene, sign_in: SignIn) -> None:
    other = make_scene("lakeside")
    client = sign_in(make_member(scene.agency, "analyst"))
    assert client.get(boxes(scene), {"preview_run": other.run.pk}).context["run"] == scene.run


def test_it_asks_no_more_than_the_figures(scene: Scene, sign_in: SignIn) -> None:
    client = sign_in(make_member(scene.agency, "analyst"))
    client.get(boxes(scene))
    with CaptureQueriesContext(connection) as asked:
        client.get(boxes(scene))
    assert len(asked) <= 26
