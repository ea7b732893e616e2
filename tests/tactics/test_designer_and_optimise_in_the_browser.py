"""An analyst designs an experiment, has it worked out, and makes it a study; an administrator declines a proposal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from patrols.models import PatrolPolicy
from tactics import experiment_inputs
from tactics.models import Inquiry, PolicyProposal
from tactics.services import inquiry_answer, inquiry_ask
from tests.factories import make_member
from tests.patrols.scenes import make_scene
from tests.tactics.drawn_history import make_tactics, plant_draws
from tests.tactics.histories import make_past
from tests.tactics.test_dials_are_proposed_and_people_decide import look, make_report

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
SIZES = [{"width": 1440, "height": 900}, {"width": 390, "height": 844}]


def fits(page: Page, shots: Path | None, name: str) -> None:
    """No page is wider than its window: tables scroll inside themselves."""
    for size in SIZES:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        if shots is not None and shots.is_dir():
            page.screenshot(path=shots / f"{name}-{size['width']}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], (name, size)


@pytest.fixture
def shots() -> Path | None:
    """Where somebody wants to look at the pages: a folder that the environment names; nowhere otherwise."""
    import os

    named = os.environ.get("SHOTS_FOLDER")
    return Path(named) if named else None


def test_an_experiment_is_designed_and_becomes_a_study(
    signed_in_page: Callable[..., Page], monkeypatch: Any, shots: Path | None
) -> None:
    monkeypatch.setattr(experiment_inputs, "STRETCH_DAYS", 14)
    past = make_past(days=18, shifts=2)
    page = signed_in_page(make_member(past.agency, "analyst"))
    page.goto(reverse("tactics:design", args=["riverton"]))
    fits(page, shots, "design-empty")
    page.set_viewport_size(SIZES[0])  # type: ignore[arg-type]
    page.get_by_label("Boxes per beat and shift").fill("3")
    # Worked out at once: the tests' worker is eager.
    page.get_by_role("button", name="Work it out").click()
    page.get_by_text("With 3 boxes per beat and shift and three months you would show").wait_for()
    assert "k=3" in page.url
    assert page.locator("img.chart").evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    fits(page, shots, "design")
    page.get_by_role("link", name="Make this a study").click()
    page.get_by_label("Name").first.wait_for()
    assert page.get_by_label("Burglary").is_checked()
    assert page.locator("[name=first]").input_value()
    assert float(page.locator("[name=minimum_percent]").input_value()) > 0


def test_curves_are_shown_with_their_warning(signed_in_page: Callable[..., Page], shots: Path | None) -> None:
    past = make_past(days=8, shifts=2, per_shift=60.0)
    page = signed_in_page(make_member(past.agency, "analyst"))
    page.goto(
        f"{reverse('tactics:curves', args=['riverton'])}?from={past.first}&to={past.last}&types=robbery&types=burglary"
    )
    page.get_by_role("button", name="Work it out").click()
    page.get_by_text("Do not compare these lines").wait_for()
    for picture in page.locator("img.chart").all():
        # Also so that no request is still on its way when the test's database is gone.
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    fits(page, shots, "curves")


def test_an_administrator_decides_a_proposal(signed_in_page: Callable[..., Page], shots: Path | None) -> None:
    scene = make_scene()
    make_report(scene, 0.25, 0.15, 0.35)
    look(scene)
    proposal = PolicyProposal.objects.get()
    page = signed_in_page(make_member(scene.agency, "admin"))
    page.goto(reverse("tactics:optimise", args=["riverton"]))
    fits(page, shots, "optimise")
    page.get_by_label("Reason").fill("After the summer, not during it.")
    page.get_by_role("button", name="Decline").click()
    page.get_by_text("Declined: nothing changed.").wait_for()
    page.get_by_role("cell", name="After the summer, not during it.").wait_for()
    fits(page, shots, "optimise-decided")
    assert getattr(PatrolPolicy.objects.get(pk=scene.policy.pk), proposal.field) == proposal.value_from


def test_a_page_that_waits_follows_its_question_by_itself(
    signed_in_page: Callable[..., Page], monkeypatch: Any, shots: Path | None
) -> None:
    scene = make_scene()
    inquiry = inquiry_ask(agency=scene.agency, kind=Inquiry.Kind.PROPOSALS, choices={})
    page = signed_in_page(make_member(scene.agency, "analyst"))
    page.goto(reverse("tactics:optimise", args=["riverton"]))
    page.get_by_text("Waiting for the worker").wait_for()
    fits(page, shots, "optimise-waiting")
    inquiry_answer(inquiry=inquiry)
    page.get_by_role("heading", name="Looked at, and kept").wait_for()


def test_an_administrator_gives_a_better_tactic_more_weight(
    signed_in_page: Callable[..., Page], shots: Path | None
) -> None:
    scene = make_scene()
    rates = {"foot-patrol": 0.15, "park-walk": 0.55, "parked-car": 0.55}
    rules = make_tactics(scene, dict.fromkeys(rates, 1.0))
    plant_draws(scene, rates)
    make_tactics(scene, {"foot-patrol": 2.0, "park-walk": 1.0}, crime_type="burglary")
    plant_draws(scene, {"foot-patrol": 0.4, "park-walk": 0.4}, crime_type="burglary", nights=40, skip=60)
    look(scene)
    page = signed_in_page(make_member(scene.agency, "admin"))
    page.goto(reverse("tactics:optimise", args=["riverton"]))
    fits(page, shots, "optimise-weights")
    card = page.locator(".proposal", has_text="Weight of “Foot patrol” for Robbery")
    assert "1 → 1.5" in card.locator("h2").inner_text()
    assert "Not shown: keep. The interval covers no difference." in page.locator("main").inner_text()
    card.get_by_label("Reason").fill("Two months of draws showed it.")
    card.get_by_role("button", name="Approve").click()
    page.get_by_text("Approved: plans drawn from now on use it.").wait_for()
    rules["foot-patrol"].refresh_from_db()
    assert rules["foot-patrol"].preference == 1.5
