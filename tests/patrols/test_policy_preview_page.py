"""The policy what-if page: who sees it, what a link brings, who is led on to the admin, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.forms.models import model_to_dict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agencies.models import Shift, User
from patrols.dials import DIALS, GROUPS, LABELS
from patrols.engine.preview import design_preview
from patrols.models import PatrolPolicy
from patrols.preview import preview_inputs
from tests.factories import make_member
from tests.patrols.scenes import Scene, make_forecast, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
PAGE, FIGURES = "/riverton/policy/preview/", "/riverton/policy/preview/figures/"


@pytest.fixture
def analyst(scene: Scene) -> User:
    return make_member(scene.agency, "analyst")


@pytest.mark.parametrize("role", ["analyst", "supervisor", "admin", "auditor"])
def test_those_who_see_plans_see_the_page_and_its_figures(scene: Scene, sign_in: SignIn, role: str) -> None:
    client = sign_in(make_member(scene.agency, role))
    page = client.get(PAGE).content.decode()
    assert all(str(LABELS[name]) in page for name in DIALS)
    assert "Evening, Sat 14 Mar 2026" in page
    assert "Expected harm in missions" in client.get(FIGURES).content.decode()


def test_officers_strangers_and_nobody_do_not(scene: Scene, stranger: User, sign_in: SignIn) -> None:
    officer = make_member(scene.agency, "officer")
    for address in (PAGE, FIGURES):
        assert sign_in(officer).get(address).status_code == 403
        assert sign_in(stranger).get(address).status_code == 404
        assert sign_in(None).get(address).status_code == 302
        assert sign_in(officer).post(address).status_code in (403, 405)


def test_another_agencys_forecast_is_not_shown_whatever_the_address_says(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    other = make_scene("lakeside")
    answer = sign_in(analyst).get(FIGURES, {"preview_run": other.run.pk})
    assert answer.context["run"] == scene.run


def test_a_link_holds_what_differs_and_brings_it_back(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    client, before = sign_in(analyst), model_to_dict(scene.policy)
    answer = client.get(FIGURES, {"gamma": "2.5", "exploration": "0.15", "cooldown_days": "2"})
    assert answer.headers["HX-Replace-Url"] == f"{PAGE}?gamma=2.5"
    text = answer.context["proposal"]
    assert "Pull towards harm (γ): 1 → 2.5" in text
    assert f"http://testserver{PAGE}?gamma=2.5" in text
    assert "Exploration" not in text
    page = client.get(f"{PAGE}?gamma=2.5").content.decode()
    assert 'value="2.5"' in page
    assert "<b>Now 1.</b>" in page
    assert model_to_dict(PatrolPolicy.objects.get()) == before
    assert client.get(FIGURES).context["proposal"] == ""


def test_a_shift_that_is_not_the_newest_stays_in_the_link(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    older = make_forecast(scene.agency, scene.grid, Shift.objects.get(slug="day"), scene.run.on)
    link = sign_in(analyst).get(FIGURES, {"preview_run": older.pk, "gamma": "2"}).headers["HX-Replace-Url"]
    assert link == f"{PAGE}?gamma=2&preview_run={older.pk}"


def test_the_active_policys_column_is_its_own_whatever_window_is_tried(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    scene.plan(publish=True)
    scene.run = make_forecast(
        scene.agency, scene.grid, Shift.objects.get(slug="night"), scene.run.on.replace(day=16)
    )
    PatrolPolicy.objects.update(
        saturation_soft_minutes=10, saturation_hard_minutes=60, saturation_window_days=1
    )
    scene.policy.refresh_from_db()
    own = design_preview(preview_inputs(scene.run, scene.policy), scene.policy.as_design_policy())
    answer = sign_in(analyst).get(FIGURES, {"saturation_window_days": "14"})
    harm = answer.context["figures"][0]
    assert harm.saved == f"{100 * own.harm_share:.1f} %"
    assert answer.context["tried"].candidates < own.candidates


def test_only_who_may_change_the_policy_is_led_to_it_with_the_dials_in_the_form_and_nothing_saved(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    assert "/admin/" not in sign_in(analyst).get(FIGURES, {"gamma": "2.5"}).content.decode()
    client = sign_in(make_member(scene.agency, "admin"))
    link = client.get(FIGURES, {"gamma": "2.5"}).context["admin_link"]
    assert link == reverse("admin:patrols_patrolpolicy_change", args=[scene.policy.pk]) + "?gamma=2.5"
    form = client.get(link)
    assert form.context["adminform"].form["gamma"].value() == 2.5
    assert "Nothing is saved yet" in form.content.decode()
    assert PatrolPolicy.objects.get().gamma == 1.0
    refused = client.get(link.replace("2.5", "9"))
    assert refused.context["adminform"].form["gamma"].value() == 1.0
    # Saved like any other change, from the address that still holds the proposal.
    data = model_to_dict(scene.policy) | {"gamma": 2.5, "replans_on_gunfire": ""}
    client.post(link, data)
    assert PatrolPolicy.objects.get().gamma == 2.5


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"dose_min_minutes": "40"}, "raise it or lower the shortest stay"),
        ({"gamma": "much"}, "Enter a number"),
        ({"gamma": ""}, "This field is required"),
        ({"preview_run": "²"}, "Expected harm in missions"),
    ],
)
def test_dials_that_make_no_sense_are_answered_in_words(
    scene: Scene, analyst: User, sign_in: SignIn, typed: dict[str, str], words: str
) -> None:
    client = sign_in(analyst)
    answer = client.get(FIGURES, typed)
    assert words in answer.content.decode()
    assert ("HX-Replace-Url" in answer.headers) == ("preview_run" in typed)
    assert client.get(PAGE, typed).status_code == 200


def test_without_a_forecast_or_a_policy_the_page_says_so(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    PatrolPolicy.objects.all().delete()
    assert "No policy yet" in client.get(FIGURES).content.decode()
    assert client.get(PAGE).status_code == 200
    scene.run.delete()
    assert "no forecast to try the dials on yet" in client.get(PAGE).content.decode()
    assert "no forecast to try the dials on yet" in client.get(FIGURES).content.decode()


def test_page_and_figures_cost_a_fixed_number_of_queries_however_many_shifts(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    typed: dict[str, Any] = {"gamma": "2", "saturation_window_days": "9"}
    costs = []
    for slug in (None, "day", "night"):
        if slug:
            make_forecast(scene.agency, scene.grid, Shift.objects.get(slug=slug), scene.run.on)
        cost = []
        for address, query in ((PAGE, {}), (FIGURES, typed), (FIGURES, {"gamma": "2"})):
            client.get(address, query)
            with CaptureQueriesContext(connection) as captured:
                client.get(address, query)
            cost.append(len(captured))
        costs.append(cost)
    assert costs[0] == costs[1] == costs[2]
    assert costs[0][0] <= 12
    assert costs[0][1] <= 40
    assert costs[0][2] <= 27


def test_the_board_links_to_the_page_and_every_dial_is_in_one_group(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    board = reverse("patrols:board", args=["riverton", scene.run.on.isoformat(), "evening"])
    assert f'href="{PAGE}"' in sign_in(analyst).get(board).content.decode()
    named = [name for _, names, _ in GROUPS for name in names]
    assert sorted(named) == sorted(set(named)) == sorted(LABELS)
