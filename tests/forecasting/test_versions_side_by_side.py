"""A waiting version beside the live one: the figures of both, what differs, and who may look."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from agencies.models import User
from forecasting.comparison import compared_versions, comparison_context
from forecasting.comparison_chart import comparison_svg
from forecasting.engine.difference import difference, estimate_from
from forecasting.engine.metrics import Estimate
from forecasting.models import ModelVersion, TrainingRun
from tests.factories import make_member
from tests.forecasting.scenes import Scene, make_scene
from tests.forecasting.test_drift_is_measured import weeks
from tests.forecasting.test_model_governance import another

if TYPE_CHECKING:
    from playwright.sync_api import Page

SignIn = Callable[[User | None], Client]
SHOTS = settings.BASE_DIR / "tests" / "artifacts"


def waiting(scene: Scene, number: int = 2, **figures: float) -> ModelVersion:
    """A newer version in the queue, its champion's log skill moved by ``skill`` and its hit rates by ``hits``."""
    live = scene.version()
    summary = copy.deepcopy(live.summary)
    for row in summary["league"]:
        if row["name"] == live.champion:
            moved(row["log_skill"], figures.get("skill", 0.0))
            for area in row["areas"]:
                moved(area["hit_rate"], figures.get("hits", 0.0))
    run = TrainingRun.objects.create(
        agency=scene.agency, status="succeeded", config_snapshot=scene.training.config_snapshot
    )
    return another(live, number, summary=summary, run=run, data_hash="f" * 32)


def moved(estimate: dict[str, float | None], by: float) -> None:
    for end, value in estimate.items():
        estimate[end] = None if value is None else value + by


def page_of(scene: Scene, name: str = "model_compare", *numbers: int) -> str:
    return reverse(f"forecasting:{name}", args=[scene.agency.slug, "burglary", *(numbers or (2,))])


def test_the_difference_is_taken_figure_by_figure(scene: Scene) -> None:
    new, live = waiting(scene, skill=0.25, hits=0.125), scene.version()
    found = comparison_context(scene.agency, new, live)
    decides = {row["label"]: row["pair"] for row in found["main"]}
    assert decides["Log skill per crime"].difference.value == pytest.approx(0.25)
    assert decides["Hit rate at 1 %"].difference.value == pytest.approx(0.125)
    assert decides["Expected / observed"].difference.value == 0
    for row in found["area_rows"]:
        assert row["hit_rate"].difference.value == pytest.approx(0.125)
    for row in found["league_rows"]:
        both = row["is_champion"] == (True, True)
        assert row["log_skill"].difference.value == pytest.approx(0.25 if both else 0.0)
    assert sum(row["is_champion"][0] for row in found["league_rows"]) == 1
    facts = {label: (mine, theirs) for label, mine, theirs in found["facts"]}
    assert facts["Data hash"] == ("f" * 32, live.data_hash)
    assert facts["Champion"][0] == facts["Champion"][1]


def test_the_page_shows_the_figures_of_both_and_the_way_to_decide(
    scene: Scene, member: Callable[[str], User], analyst: User, sign_in: SignIn
) -> None:
    new = waiting(scene, skill=0.25)
    link = reverse("admin:forecasting_modelversion_change", args=[new.pk])
    page = sign_in(member("admin")).get(page_of(scene)).content.decode()
    assert "Burglary: v2 beside v1 (live)" in page
    assert f'<a href="{link}">Decide about v2</a>' in page
    for version in (new, scene.version()):
        row = next(row for row in version.summary["league"] if row["name"] == version.champion)
        assert f"{row['log_skill']['value']:+.3f}" in page
    assert "+0.250" in page
    for heading in ("What decides", "Two versions", "The same training’s crime types", "How few cells hold how much", "League",
                    "Do they mean what they say?", "By shift", "By beat"):  # fmt: skip
        assert f"<h2>{heading}" in page, heading
    assert link not in sign_in(analyst).get(page_of(scene)).content.decode()


def test_every_type_of_the_training_stands_beside_its_live_champion(scene: Scene) -> None:
    new = waiting(scene)
    robbery = scene.version("robbery")
    other = another(robbery, 2, run=new.run, champion="boosting")
    types = comparison_context(scene.agency, new, scene.version())["types"]
    found = {row["version"].crime_type.slug: row for row in types}
    assert set(found) == {"burglary", "robbery"}
    assert found["burglary"]["is_this"]
    assert (found["robbery"]["version"], found["robbery"]["other"]) == (other, robbery)
    assert not found["robbery"]["is_this"]


def test_it_is_reached_from_the_card_the_admins_list_and_its_approval_page(
    scene: Scene, member: Callable[[str], User], sign_in: SignIn
) -> None:
    new = waiting(scene)
    client = sign_in(member("admin"))
    card = reverse("forecasting:model", args=[scene.agency.slug, "burglary"])
    listed = reverse("admin:forecasting_modelversion_changelist")
    change = reverse("admin:forecasting_modelversion_change", args=[new.pk])
    for address in (card, f"{card}?v=2", listed, change):
        assert page_of(scene) in client.get(address).content.decode(), address


def test_any_two_versions_can_be_compared_and_a_live_alarm_is_told(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    waiting(scene, 2)
    waiting(scene, 3)
    client = sign_in(analyst)
    page = client.get(page_of(scene, "model_compare_with", 3, 2)).content.decode()
    assert "v3 beside v2</h1>" in page
    assert "drift alarm" not in page
    weeks(scene.version(), [1.0, 1.0, 1.8, 1.9])
    assert "v1 has a drift alarm" in client.get(page_of(scene)).content.decode()
    for numbers in ((9, 1), (3, 9), (3, 3)):
        assert client.get(page_of(scene, "model_compare_with", *numbers)).status_code == 404
        assert client.get(page_of(scene, "model_compare_svg", *numbers)).status_code == 404
    assert client.get(page_of(scene, "model_compare", 9)).status_code == 404


def test_without_a_live_version_or_for_the_live_one_itself_it_says_so(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    assert "v1 is the live version itself" in client.get(page_of(scene, "model_compare", 1)).content.decode()
    ModelVersion.objects.filter(agency=scene.agency).update(
        state=ModelVersion.State.TRAINED, approved_at=None
    )
    page = client.get(page_of(scene, "model_compare", 1)).content.decode()
    assert "No version is live for Burglary" in page


def test_a_version_with_fewer_figures_is_compared_by_what_it_has(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    new = waiting(scene)
    del new.summary["card"]
    new.summary["league"] = new.summary["league"][:1]
    new.summary["league"][0]["log_skill"] = {"value": None, "low": None, "high": None}
    new.save()
    page = sign_in(analyst).get(page_of(scene)).content.decode()
    assert "trained before the curve was collected" in page
    assert "n/a" in page
    assert "nan" not in re.sub(r"<[^>]*>", "", page)
    assert comparison_svg(new, scene.version()).startswith(b"<?xml")


def test_the_chart_names_both_and_is_kept_by_the_browser(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    waiting(scene)
    address = page_of(scene, "model_compare_svg", 2, 1)
    first = sign_in(analyst).get(address)
    told = re.findall(r"<!--(.*?)-->", first.content.decode())
    assert " v2 " in told
    assert " v1 (live) " in told
    assert sign_in(analyst).get(address).content == first.content
    assert sign_in(analyst).get(address, headers={"if-none-match": first["ETag"]}).status_code == 304


@pytest.mark.parametrize(("name", "numbers"), [("model_compare", (2,)), ("model_compare_with", (2, 1)), ("model_compare_svg", (2, 1))])  # fmt: skip
def test_the_four_people_at_the_comparison(
    scene: Scene, supervisor: User, member: Callable[[str], User], stranger: User, sign_in: SignIn, name: str,
    numbers: tuple[int, ...],
) -> None:  # fmt: skip
    waiting(scene)
    address = page_of(scene, name, *numbers)
    people = {"owner": member("admin"), "colleague": supervisor, "officer": member("officer"), "stranger": stranger, "nobody": None}  # fmt: skip
    answers = {who: sign_in(person).get(address).status_code for who, person in people.items()}
    assert answers == {"owner": 200, "colleague": 200, "officer": 403, "stranger": 404, "nobody": 302}


def test_no_other_agencys_version_is_ever_found(scene: Scene) -> None:
    elsewhere = make_scene("elsewhere")
    theirs = waiting(elsewhere)
    assert compared_versions(scene.agency, theirs.crime_type, theirs.number, None) == (None, None)
    live, new = scene.version(), waiting(scene)
    types = comparison_context(scene.agency, new, live)["types"]
    assert {row["version"].agency_id for row in types} == {scene.agency.pk}
    assert {row["other"].agency_id for row in types} == {scene.agency.pk}


def test_it_costs_the_same_for_many_versions(
    scene: Scene, analyst: User, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    for number in range(2, 9):
        waiting(scene, number)
    client = sign_in(analyst)
    with django_assert_max_num_queries(16):
        assert client.get(page_of(scene)).status_code == 200


def test_intervals_of_a_difference_hold_what_they_promise() -> None:
    rng = np.random.default_rng(3)
    draws, held = 4_000, 0
    a, b = rng.normal(0.3, 0.1, draws), rng.normal(0.1, 0.2, draws)
    for x, y in zip(a, b, strict=True):
        found = difference(Estimate(x, x - 0.196, x + 0.196), Estimate(y, y - 0.392, y + 0.392))
        held += found.low <= 0.2 <= found.high
    assert 0.94 < held / draws < 0.96


def test_what_was_not_measured_has_no_difference() -> None:
    known = Estimate(1.0, 0.5, 1.5)
    for missing in (None, {}, {"value": None, "low": None, "high": None}):
        assert math.isnan(difference(known, estimate_from(missing)).value)
    no_interval = difference(known, Estimate(0.5, math.nan, math.nan))
    assert no_interval.value == 0.5
    assert math.isnan(no_interval.low)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_comparison_fits_a_desk_and_a_phone(
    transactional_db: None, signed_in_page: Callable[..., Page]
) -> None:
    SHOTS.mkdir(exist_ok=True)
    made = make_scene()
    new = waiting(made, skill=0.25, hits=0.08)
    for slug in ("robbery", "motor-vehicle-theft"):
        another(made.version(slug), 2, run=new.run)
    weeks(made.version(), [1.0, 0.9, 1.1, 1.0, 1.2, 1.7, 1.8], gain=1.0)
    page = signed_in_page(make_member(made.agency, "analyst", username="analyst"))
    for label, size in (("desk", {"width": 1440, "height": 900}), ("phone", {"width": 390, "height": 844})):
        page.set_viewport_size(size)
        page.goto(page_of(made))
        for chart in page.locator(".model__chart").all():
            chart.scroll_into_view_if_needed()
            chart.wait_for()
        assert page.evaluate(
            "[...document.querySelectorAll('.model__chart')].every(i => i.complete && i.naturalWidth > 0)"
        )
        # The page itself never scrolls sideways; wide tables scroll within.
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.screenshot(path=str(SHOTS / f"model-compare-{label}.png"), full_page=True)
