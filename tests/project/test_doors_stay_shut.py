"""Doors that a person with some rights might try: the admin's own sign-in, hostile values, wide policies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from agencies.models import Agency, User
from agencies.validators import validate_tile_url
from tests.factories import PASSWORD, make_member, make_operator
from tests.patrols.scenes import ON, make_scene

SignIn = Callable[[User | None], Client]


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_nobody_signs_in_by_the_admins_own_page(owner: User, sign_in: SignIn, is_signed_in: bool) -> None:
    """It knows neither throttling nor second factors, for people who are signed in either."""
    operator = make_operator()
    client = sign_in(owner if is_signed_in else None)
    answer = client.post(reverse("admin:login"), {"username": operator.username, "password": PASSWORD})
    assert answer.status_code == 302
    assert client.session.get("_auth_user_id") != str(operator.pk)


def test_only_this_account_reads_the_installations_own_folder(tmp_path: Path) -> None:
    from missions_project.settings.dev import local_secret_key

    key = tmp_path / "var" / "secret_key"
    assert local_secret_key(key) == local_secret_key(key)
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert key.stat().st_mode & 0o777 == 0o600


HOSTILE_DATES = ["9999-12-31", "0001-01-01", "2026-W10-6", "²", "1" * 5000]


@pytest.mark.parametrize("on", HOSTILE_DATES)
def test_a_hostile_date_is_answered_and_not_crashed_on(
    agency: Agency, owner: User, sign_in: SignIn, on: str
) -> None:
    client = sign_in(owner)
    board = reverse("patrols:board", args=["riverton", on, "evening"])
    assert client.get(board).status_code in (200, 404)
    assert client.get(reverse("patrols:plan_geojson", args=["riverton", on, "evening"])).status_code in (
        200,
        404,
    )
    assert client.post(reverse("patrols:board_plan", args=["riverton", on, "evening"])).status_code in (
        302,
        404,
    )
    assert client.get(reverse("forecasting:risk", args=["riverton"]), {"date": on}).status_code in (200, 404)
    assert client.get(reverse("patrols:missions_csv", args=["riverton"]), {"from": on}).status_code in (
        200,
        400,
    )
    forecast = client.post(
        reverse("forecasting:risk_forecast", args=["riverton"]), {"shift": "evening", "date": on}
    )
    assert forecast.status_code == 302


@pytest.mark.parametrize("number", ["²", "٣", "1" * 5000, "9" * 30, "-1", "nan"])
def test_a_hostile_number_is_answered_and_not_crashed_on(
    agency: Agency, owner: User, sign_in: SignIn, number: str
) -> None:
    client = sign_in(owner)
    layer = reverse("forecasting:layer_incidents", args=["riverton"])
    assert client.get(layer, {"run": number}).status_code == 404
    for name in ("forecasting_trainingrun", "forecasting_grid", "forecasting_forecastrun"):
        assert client.post(reverse(f"admin:{name}_queue"), {"agency": number}).status_code == 404
    assert client.post(reverse("admin:patrols_missionplan_plan_next"), {"agency": number}).status_code == 404
    assert client.post(reverse("admin:tactics_tactic_starter"), {"agency": number}).status_code == 404
    assert client.get(reverse("admin:agencies_beat_add"), {"agency": number}).status_code == 200
    mission = reverse("patrols:drawer", args=["riverton", 10**30])
    assert client.get(mission).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("place", [("nan", "nan"), ("inf", "0"), ("1e308", "1e308"), ("-87.69", "91")])
def test_a_place_that_is_none_is_outside(sign_in: SignIn, place: tuple[str, str]) -> None:
    scene = make_scene()
    client = sign_in(make_member(scene.agency, "supervisor"))
    cell = reverse("forecasting:risk_cell", args=["riverton", scene.run.pk, "burglary"])
    assert client.get(cell, {"lon": place[0], "lat": place[1]}).status_code in (200, 404)
    plan = scene.plan()
    before = plan.missions.count()
    area = f'{{"type": "Point", "coordinates": [{place[0].replace("nan", "NaN").replace("inf", "Infinity")}, {place[1]}]}}'
    data = {"area": area, "until": "shift", "crime_type": scene.agency.crimetype_set.get(slug="burglary").pk,
            "start": "17:00", "dose_minutes": 12, "reason": "x"}  # fmt: skip
    added = client.post(reverse("patrols:mission_add", args=["riverton", plan.pk]), data)
    assert added.status_code == 200
    assert plan.missions.count() == before


@pytest.mark.django_db
def test_a_mission_added_to_a_plan_that_is_not_drawn_yet_is_refused_with_a_reason(sign_in: SignIn) -> None:
    from patrols.services import plan_queue

    scene = make_scene()
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=ON)
    area = '{"type": "Point", "coordinates": [-87.69, 41.81]}'
    data = {"area": area, "until": "shift", "crime_type": scene.agency.crimetype_set.get(slug="burglary").pk,
            "start": "17:00", "dose_minutes": 12, "reason": "x"}  # fmt: skip
    client = sign_in(make_member(scene.agency, "supervisor"))
    page = client.post(reverse("patrols:mission_add", args=["riverton", plan.pk]), data, follow=True)
    assert "not drawn yet" in page.content.decode()


@pytest.mark.parametrize(
    "address",
    ["https://{s}.com/{z}/{x}/{y}.png", "https://{s}/{z}/{x}/{y}.png", "https://a{s}.b.org/{z}/{x}/{y}"],
)
def test_tiles_do_not_open_the_policy_to_a_whole_top_level_domain(address: str) -> None:
    with pytest.raises(ValidationError, match=r"\{s\}"):
        validate_tile_url(address)
    validate_tile_url("https://{s}.tile.openstreetmap.org/{z}/{x}/{y}.png")
