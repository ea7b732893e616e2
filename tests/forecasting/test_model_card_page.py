"""The model card as people open it: what it tells, who may see it, what it costs, and how it looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import User
from forecasting.charts import ablation_svg, curve_svg, hit_rate_svg, reliability_svg
from forecasting.engine.design import FAMILIES
from forecasting.model_card import FEW_CRIMES, figures
from forecasting.models import LiveScore, ModelVersion
from tests.factories import make_member
from tests.forecasting.scenes import Scene, make_scene
from tests.forecasting.test_drift_is_measured import weeks
from tests.forecasting.test_forecasts_are_sealed_and_scored import scored
from tests.forecasting.test_model_governance import another

if TYPE_CHECKING:
    from playwright.sync_api import Page

SignIn = Callable[[User | None], Client]
CHARTS = ("model_svg", "model_curve", "model_reliability", "model_ablation", "model_drift")
SHOTS = settings.BASE_DIR / "tests" / "artifacts"


def card(scene: Scene) -> str:
    return reverse("forecasting:model", args=[scene.agency.slug, "burglary"])


def test_the_card_tells_what_the_model_learned_from_and_what_it_never_sees(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    version = scene.version()
    page = sign_in(analyst).get(card(scene)).content.decode()
    for fact in (version.artefact_hash, version.data_hash, "numpy ", "scikit-learn ", "automatically", "layers: Bars",
                 "drug and narcotic offences", "race, ethnicity or origin", "officers initiated"):  # fmt: skip
        assert fact in page, fact
    for heading in ("League", "How few cells hold how much", "Does it mean what it says?", "What it leans on", "By shift",
                    "By beat", "Since it went live", "Versions"):  # fmt: skip
        assert f"<h2>{heading}" in page, heading
    assert "No week is measured yet" in page


def test_beats_stand_worst_first_and_those_with_few_crimes_last(scene: Scene) -> None:
    version = scene.version()
    version.summary["card"]["areas"] = [
        {"name": name, "cells": 5, "expected": expected, "observed": observed, "observed_low": observed * 0.7,
         "observed_high": observed * 1.3, "log_skill": {"value": skill, "low": None, "high": None}}
        for name, expected, observed, skill in (
            ("good", 20.0, 20.0, 0.2), ("few", 1.0, FEW_CRIMES - 1.0, -9.0), ("bad", 60.0, 20.0, -0.3),
            ("middling", 21.0, 20.0, 0.0),
        )
    ]  # fmt: skip
    version.is_baseline = False
    rows = figures(version.crime_type, version)["areas"]
    assert [row["name"] for row in rows] == ["bad", "middling", "good", "few"]
    assert [row["is_off"] for row in rows] == [True, False, False, False]
    version.is_baseline = True
    assert figures(version.crime_type, version)["areas"][0]["name"] == "bad"


def test_every_figure_of_the_beats_and_shifts_is_on_the_page(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    record = scene.version().summary["card"]
    assert [row["name"] for row in record["areas"]] == ["11", "12", "21", "22"]
    assert [row["name"] for row in record["shifts"]] == ["night", "day", "evening"]
    page = sign_in(analyst).get(card(scene)).content.decode()
    for row in (*record["areas"], *record["shifts"]):
        assert f"{row['expected']:.1f}" in page
    assert "Evening" in page


def test_an_older_version_without_these_figures_still_has_a_card(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    version = scene.version()
    del version.summary["card"]
    version.save()
    page = sign_in(analyst).get(card(scene)).content.decode()
    assert "trained before the card's other figures" in page
    for draw in (curve_svg, reliability_svg, ablation_svg):
        assert draw(version).startswith(b"<?xml")


def test_versions_are_linked_with_who_decided_and_why(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    boss = make_member(scene.agency, "admin", username="boss")
    now = timezone.now()
    another(
        scene.version(),
        2,
        state=ModelVersion.State.REFUSED,
        approved_at=now,
        approved_by=boss,
        approval_note="Odd weeks.",
    )
    page = sign_in(analyst).get(card(scene)).content.decode()
    assert '<a href="?v=2">v2</a>' in page
    assert "Odd weeks." in page
    assert "boss" in page
    refused = sign_in(analyst).get(card(scene), {"v": 2}).content.decode()
    assert "Refused" in refused


def test_a_type_whose_first_model_waits_says_so(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    ModelVersion.objects.filter(agency=scene.agency).update(
        state=ModelVersion.State.TRAINED, approved_at=None
    )
    page = sign_in(analyst).get(card(scene)).content.decode()
    assert "v1 was trained and waits for approval" in page
    assert sign_in(analyst).get(card(scene), {"v": 1}).status_code == 200


def test_a_newer_version_that_waits_is_named_on_the_live_ones_card(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    page = sign_in(analyst).get(card(scene)).content.decode()
    assert "newer version waits" not in page
    another(scene.version(), 2)
    page = sign_in(analyst).get(card(scene)).content.decode()
    assert 'A newer version waits for approval: <a href="?v=2">v2</a>' in page


def test_charts_are_drawn_for_each_version_and_kept_by_the_browser(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    weeks(scene.version(), [1.0, 1.2, 0.9], gain=2.0)
    for name in CHARTS:
        address = reverse(f"forecasting:{name}", args=[scene.agency.slug, "burglary", 1])
        first = client.get(address)
        assert first.content.startswith(b"<?xml"), name
        assert client.get(address).content == first.content, name
        again = client.get(address, headers={"if-none-match": first["ETag"]})
        assert again.status_code == 304, name
        assert client.get(address.replace("/1/", "/99/")).status_code == 404
    drift = reverse("forecasting:model_drift", args=[scene.agency.slug, "burglary", 1])
    before = client.get(drift)["ETag"]
    scene.version().weeks.update(observed=80)
    assert client.get(drift)["ETag"] != before


def test_charts_name_families_in_words_and_call_no_version_live_that_is_not(scene: Scene) -> None:
    version = scene.version()
    losses = {"value": 0.1, "low": 0.05, "high": 0.2}
    version.summary["card"]["ablation"] = [{"family": name, "lost": losses} for name in FAMILIES]
    drawn = ablation_svg(version).decode()
    assert "_" not in "".join(re.findall(r"<!--(.*?)-->", drawn))
    assert "<!-- Other types -->" in drawn
    assert "live" not in "".join(re.findall(r"<!--(.*?)-->", hit_rate_svg(version).decode()))


@pytest.mark.parametrize("name", ["model", *CHARTS])
def test_the_four_people_at_the_card_and_its_charts(
    scene: Scene, supervisor: User, member: Callable[[str], User], stranger: User, sign_in: SignIn, name: str
) -> None:
    arguments = [scene.agency.slug, "burglary"] + ([] if name == "model" else [1])
    address = reverse(f"forecasting:{name}", args=arguments)
    answers = {
        "owner": sign_in(member("admin")).get(address).status_code,
        "colleague": sign_in(supervisor).get(address).status_code,
        "officer": sign_in(member("officer")).get(address).status_code,
        "stranger": sign_in(stranger).get(address).status_code,
        "nobody": sign_in(None).get(address).status_code,
    }
    assert answers == {"owner": 200, "colleague": 200, "officer": 403, "stranger": 404, "nobody": 302}


def test_the_way_to_decide_is_offered_to_administrators_only(
    scene: Scene, analyst: User, member: Callable[[str], User], sign_in: SignIn
) -> None:
    link = reverse("admin:forecasting_modelversion_change", args=[scene.version().pk])
    assert link in sign_in(member("admin")).get(card(scene)).content.decode()
    assert link not in sign_in(analyst).get(card(scene)).content.decode()


def test_the_card_costs_the_same_for_many_versions(
    scene: Scene, analyst: User, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    for number in range(2, 9):
        another(scene.version(), number)
    client = sign_in(analyst)
    with django_assert_max_num_queries(15):
        assert client.get(card(scene)).status_code == 200


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_card_fits_a_desk_and_a_phone(
    transactional_db: None, signed_in_page: Callable[..., Page]
) -> None:
    SHOTS.mkdir(exist_ok=True)
    made = make_scene()
    weeks(made.version(), [1.0, 0.9, 1.1, 1.0, 1.2, 1.6, 1.7], gain=1.0)
    rng = np.random.default_rng(2)
    scored(made, rng.normal(0.25, 0.6, 200).tolist())
    LiveScore.objects.filter(seal__number__gt=1_100).update(version_number=2)
    page = signed_in_page(make_member(made.agency, "analyst", username="analyst"))
    for label, size in (("desk", {"width": 1440, "height": 900}), ("phone", {"width": 390, "height": 844})):
        page.set_viewport_size(size)
        page.goto(card(made))
        for chart in page.locator(".model__chart").all():
            chart.scroll_into_view_if_needed()
            chart.wait_for()
        assert page.evaluate(
            "[...document.querySelectorAll('.model__chart')].every(i => i.complete && i.naturalWidth > 0)"
        )
        # The page itself never scrolls sideways; wide tables scroll within.
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.screenshot(path=str(SHOTS / f"model-card-{label}.png"), full_page=True)
