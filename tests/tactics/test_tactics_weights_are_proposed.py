"""Weights of tactics: proposed where chance's own draws show that one is better, kept where they do not, decided by a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, User
from missions_project.lib.errors import MissionsError
from patrols.models import PatrolPolicy
from patrols.services import PolicyMoved
from tactics.engine.optimise import Allocation, allocation_of
from tactics.engine.trials import compare, plain_trial
from tactics.models import Inquiry, PlaceKind, PolicyProposal, TacticPolicy, TacticRule
from tactics.services import inquiry_answer, inquiry_ask, proposal_decide, rule_weight_set
from tactics.weights import WeightsFound, against_the_rest, weight_changes
from tests.factories import make_agency, make_member
from tests.patrols.scenes import Scene, make_scene
from tests.tactics.drawn_history import A_NIGHT, make_tactics, plant_draws

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
Status = PolicyProposal.Status
NOW = allocation_of(np.array([0.4, 0.2]), np.array([1.0, 0.5]), 0.3)
BETTER = {"foot-patrol": 0.15, "park-walk": 0.55, "parked-car": 0.55}
SAME = dict.fromkeys(BETTER, 0.4)


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def look(scene: Scene) -> Inquiry:
    return inquiry_answer(inquiry=inquiry_ask(agency=scene.agency, kind=Inquiry.Kind.PROPOSALS, choices={}))


def looked_at(scene: Scene, crimes_a_year: float = 1000.0, now: Allocation = NOW) -> WeightsFound:
    return weight_changes(scene.agency, now=now, crimes_a_year=crimes_a_year, until=timezone.now())


def address(slug: str = "riverton") -> str:
    return reverse("tactics:optimise", args=[slug])


@pytest.fixture
def better(scene: Scene) -> dict[str, TacticRule]:
    """Three tactics with even weights, one of which truly is followed by far fewer crimes."""
    rules = make_tactics(scene, dict.fromkeys(BETTER, 1.0))
    plant_draws(scene, BETTER)
    return rules


@pytest.fixture
def proposal(scene: Scene, better: dict[str, TacticRule]) -> PolicyProposal:
    look(scene)
    return PolicyProposal.objects.get(rule__isnull=False)


def test_a_tactic_that_truly_is_better_is_proposed_more_weight_and_nothing_changes(
    scene: Scene, better: dict[str, TacticRule], proposal: PolicyProposal, sign_in: SignIn
) -> None:
    assert (proposal.rule, proposal.policy, proposal.field) == (better["foot-patrol"], None, "preference")
    assert (proposal.value_from, proposal.value_to, proposal.purpose) == (1.0, 1.5, "gain")
    assert proposal.gain_low is not None
    assert 0 < proposal.gain_low < proposal.gain
    found = proposal.basis["change"]["evidence"]["found"]
    # Truth: 1 - 0.15 / 0.55.
    assert found["low"] < 0.727 < found["high"]
    assert TacticRule.objects.filter(preference=1.0).count() == 3
    page = sign_in(make_member(scene.agency, "analyst")).get(address()).content.decode()
    assert "Weight of “Foot patrol” for Robbery: 1 → 1.5" in page
    assert "33 % → 43 %" in page
    assert "An administrator of the agency decides." in page


def test_the_gain_is_what_the_moved_missions_would_prevent(
    scene: Scene, better: dict[str, TacticRule]
) -> None:
    change = next(one for one in looked_at(scene).changes if one.subject == better["foot-patrol"].pk)
    # 12 missions a night; the tactic's chance goes from 1/3 to 3/7; each moved mission prevents 0.55 - 0.15 crimes.
    by_hand = A_NIGHT * 365 * (3 / 7 - 1 / 3) * 0.40 / 1000.0
    assert change.gain.estimate == pytest.approx(by_hand, rel=0.15)
    assert change.gain.low < by_hand < change.gain.high


def test_a_worse_tactic_is_offered_less_weight_but_one_step_only_is_proposed(
    scene: Scene, better: dict[str, TacticRule]
) -> None:
    found = {one.subject: one for one in looked_at(scene).changes}
    for slug in ("park-walk", "parked-car"):
        assert found[better[slug].pk].value_to == pytest.approx(1 / 1.5, abs=1e-4)
        assert found[better[slug].pk].gain.estimate > 0
    look(scene)
    assert PolicyProposal.objects.filter(rule__isnull=False).count() == 1


def test_where_nothing_is_shown_the_page_says_keep_with_the_interval(scene: Scene, sign_in: SignIn) -> None:
    make_tactics(scene, dict.fromkeys(SAME, 1.0))
    plant_draws(scene, SAME)
    answer = look(scene).answer
    assert answer is not None
    assert [row["verdict"] for row in answer["weights"]] == ["keep"] * 3
    assert all(row["found"]["low"] < 0 < row["found"]["high"] for row in answer["weights"])
    assert not PolicyProposal.objects.filter(rule__isnull=False).exists()
    page = sign_in(make_member(scene.agency, "supervisor")).get(address()).content.decode()
    assert page.count("Not shown: keep. The interval covers no difference.") == 3
    low = answer["weights"][0]["found"]["low"]
    assert f"{round(-100 * low)} % more" in page


def test_too_few_crimes_give_no_interval_and_no_proposal(scene: Scene, sign_in: SignIn) -> None:
    make_tactics(scene, dict.fromkeys(BETTER, 1.0))
    plant_draws(scene, BETTER, nights=4)
    look(scene)
    assert not PolicyProposal.objects.filter(rule__isnull=False).exists()
    assert "Too few crimes" in sign_in(make_member(scene.agency, "analyst")).get(address()).content.decode()


def test_looking_at_no_difference_again_and_again_proposes_a_weight_in_few_histories() -> None:
    rng = np.random.default_rng(41)
    missions, looks, shown = 900, range(300, 901, 150), 0
    weights = np.ones((missions, 3))
    for _ in range(200):
        arm = rng.integers(0, 3, missions)
        trial = plain_trial(
            ("a", "b", "c"), arm, np.full((missions, 3), 1 / 3), rng.poisson(0.4, missions).astype(float),
            np.full(missions, 0.4), np.arange(missions) // 75,
        )  # fmt: skip
        shown += any(
            compare(
                against_the_rest(trial, np.arange(n), [0, 1, 2], weights[:n], a),
                0,
                1,
                confidence=1 - 0.05 / 3,
            ).shows
            for n in looks
            for a in range(3)
        )
    # Five looks at three rules: at most 5 in 100.
    assert shown / 200 <= 0.05


def test_the_others_are_compared_in_todays_mix_whatever_the_chances_were_then() -> None:
    rng = np.random.default_rng(7)
    n = 60_000
    chance = np.tile([0.5, 0.4, 0.1], (n, 1))
    arm = rng.choice(3, n, p=chance[0])
    crimes = rng.poisson(np.array([0.3, 0.2, 0.8])[arm]).astype(float)
    trial = plain_trial(("a", "b", "c"), arm, chance, crimes, np.full(n, 0.4))
    weights = np.tile([1.0, 1.0, 3.0], (n, 1))
    found = compare(against_the_rest(trial, np.arange(n), [0, 1, 2], weights, 0), 0, 1)
    # The others today: a quarter b, three quarters c.
    assert found.ratio == pytest.approx(0.3 / (0.25 * 0.2 + 0.75 * 0.8), rel=0.05)
    assert found.point_low < 0.3 / 0.65 < found.point_high


def test_a_rule_for_a_place_has_the_missions_near_such_places_and_the_general_one_the_others(
    scene: Scene,
) -> None:
    rules = make_tactics(scene, dict.fromkeys(BETTER, 1.0))
    plant_draws(scene, BETTER, nights=20, near=[PlaceKind.SCHOOLS])
    own = TacticRule.objects.create(
        agency=scene.agency, crime_type=rules["foot-patrol"].crime_type, tactic=rules["foot-patrol"].tactic,
        context=PlaceKind.SCHOOLS, preference=2.0,
    )  # fmt: skip
    found = looked_at(scene)
    assert set(found.rows) == {own.pk, rules["park-walk"].pk, rules["parked-car"].pk}
    assert found.rows[own.pk]["label"] == "Weight of “Foot patrol” for Robbery (near schools)"
    assert found.rows[own.pk]["found"]["missions"] == 20 * A_NIGHT


def test_tactics_that_rules_no_longer_allow_and_single_ones_are_not_compared(scene: Scene) -> None:
    rules = make_tactics(scene, dict.fromkeys(BETTER, 1.0))
    planted = plant_draws(scene, BETTER, nights=20)
    TacticRule.objects.filter(pk=rules["park-walk"].pk).update(preference=0.0)
    found = looked_at(scene)
    assert set(found.rows) == {rules["foot-patrol"].pk, rules["parked-car"].pk}
    # Those that drew the hidden tactic say nothing about the choice that is left.
    assert 0.5 * planted < found.rows[rules["foot-patrol"].pk]["found"]["missions"] < 0.8 * planted
    TacticRule.objects.filter(pk=rules["parked-car"].pk).update(preference=0.0)
    assert looked_at(scene).rows == {}


def test_under_adaptive_draws_no_weight_is_proposed(
    scene: Scene, better: dict[str, TacticRule], sign_in: SignIn
) -> None:
    TacticPolicy.objects.create(agency=scene.agency, method="adaptive")
    look(scene)
    assert not PolicyProposal.objects.filter(rule__isnull=False).exists()
    page = sign_in(make_member(scene.agency, "analyst")).get(address()).content.decode()
    assert "Chances move by themselves under the adaptive tactic policy" in page


def test_an_agency_without_draws_is_told_that_there_is_nothing_to_compare(
    scene: Scene, sign_in: SignIn
) -> None:
    look(scene)
    page = sign_in(make_member(scene.agency, "analyst")).get(address()).content.decode()
    assert "Nothing to compare yet" in page


def test_a_weight_that_would_starve_the_others_is_kept_and_the_page_says_why(
    scene: Scene, sign_in: SignIn
) -> None:
    rules = make_tactics(scene, {"foot-patrol": 3.0, "park-walk": 1.0})
    plant_draws(
        scene,
        {"foot-patrol": 0.15, "park-walk": 0.6},
        chances={"foot-patrol": 0.75, "park-walk": 0.25},
        nights=80,
    )
    found = looked_at(scene)
    assert found.rows[rules["foot-patrol"].pk]["found"]["shows"]
    assert found.changes == []
    look(scene)
    page = sign_in(make_member(scene.agency, "analyst")).get(address()).content.decode()
    assert "another tactic would be drawn too seldom to be judged" in page


def test_an_administrator_approves_and_the_rule_has_its_weight_with_author_and_reason(
    scene: Scene, better: dict[str, TacticRule], proposal: PolicyProposal, sign_in: SignIn
) -> None:
    here = reverse("tactics:proposal_decision", args=["riverton", proposal.pk])
    before = PatrolPolicy.objects.values().get()
    client = sign_in(make_member(scene.agency, "admin", username="boss"))
    client.post(here, {"decision": "approve", "reason": "Four months of draws showed it."})
    assert TacticRule.objects.get(pk=better["foot-patrol"].pk).preference == 1.5
    assert TacticRule.objects.filter(preference=1.0).count() == 2
    assert PatrolPolicy.objects.values().get() == before
    event = AuditEvent.objects.get(action="tacticrule.weight_set")
    assert (str(event.actor), event.agency, event.subject) == ("boss", scene.agency, "Robbery: Foot patrol")
    assert event.detail == {
        "id": better["foot-patrol"].pk, "from": 1.0, "to": 1.5, "reason": "Four months of draws showed it.",
    }  # fmt: skip
    proposal.refresh_from_db()
    assert (proposal.status, str(proposal.decided_by)) == (Status.APPROVED, "boss")


def test_declined_the_rule_keeps_its_weight(
    scene: Scene, better: dict[str, TacticRule], proposal: PolicyProposal
) -> None:
    boss = make_member(scene.agency, "admin")
    proposal_decide(proposal=proposal, actor=boss, approve=False, reason="Not before the summer.")
    assert TacticRule.objects.get(pk=better["foot-patrol"].pk).preference == 1.0
    assert not AuditEvent.objects.filter(action="tacticrule.weight_set").exists()


def test_a_weight_that_was_changed_meanwhile_makes_the_proposal_out_of_date(
    scene: Scene, better: dict[str, TacticRule], proposal: PolicyProposal
) -> None:
    boss = make_member(scene.agency, "admin")
    TacticRule.objects.filter(pk=better["foot-patrol"].pk).update(preference=2.0)
    with pytest.raises(PolicyMoved):
        proposal_decide(proposal=proposal, actor=boss, approve=True, reason="Yes.")
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decided_by) == (Status.STALE, None)
    assert TacticRule.objects.get(pk=better["foot-patrol"].pk).preference == 2.0


def test_no_weight_is_set_for_another_agency_an_inactive_tactic_or_beyond_the_limit(
    scene: Scene, better: dict[str, TacticRule]
) -> None:
    rule = better["foot-patrol"]
    common: dict[str, Any] = {
        "rule_id": rule.pk,
        "value_from": 1.0,
        "actor": make_member(scene.agency, "admin"),
        "reason": "r",
    }
    with pytest.raises(PolicyMoved):
        rule_weight_set(agency=make_agency("lakeside"), value_to=1.5, **common)
    with pytest.raises(MissionsError, match="cannot have this weight"):
        rule_weight_set(agency=scene.agency, value_to=11.0, **common)
    rule.tactic.is_active = False
    rule.tactic.save()
    with pytest.raises(PolicyMoved):
        rule_weight_set(agency=scene.agency, value_to=1.5, **common)
    assert TacticRule.objects.get(pk=rule.pk).preference == 1.0


def test_only_administrators_of_the_agency_decide_about_a_weight(
    scene: Scene, better: dict[str, TacticRule], proposal: PolicyProposal, sign_in: SignIn
) -> None:
    decide = reverse("tactics:proposal_decision", args=["riverton", proposal.pk])
    for role in ("supervisor", "auditor", "analyst", "officer"):
        client = sign_in(make_member(scene.agency, role))
        assert client.post(decide, {"decision": "approve", "reason": "r"}).status_code == 403
    stranger = sign_in(make_member(make_agency("lakeside"), "admin"))
    assert stranger.post(decide, {"decision": "approve", "reason": "r"}).status_code == 404
    assert sign_in(None).post(decide, {"decision": "approve", "reason": "r"}).status_code == 302
    assert TacticRule.objects.get(pk=better["foot-patrol"].pk).preference == 1.0


def test_another_agencys_draws_move_nothing_here(scene: Scene) -> None:
    rules = make_tactics(scene, dict.fromkeys(SAME, 1.0))
    plant_draws(scene, SAME, nights=10)
    alone = looked_at(scene)
    other = make_scene("lakeside")
    make_tactics(other, dict.fromkeys(BETTER, 1.0))
    plant_draws(other, BETTER)
    together = looked_at(scene)
    assert together.rows == alone.rows
    assert set(together.rows) == {rule.pk for rule in rules.values()}


def test_queries_do_not_grow_with_missions_or_rules(scene: Scene) -> None:
    make_tactics(scene, dict.fromkeys(BETTER, 1.0))
    plant_draws(scene, BETTER, nights=10)
    with CaptureQueriesContext(connection) as few:
        looked_at(scene)
    make_tactics(scene, dict.fromkeys(BETTER, 1.0), crime_type="burglary")
    plant_draws(scene, BETTER, nights=20, crime_type="burglary", seed=6, skip=10)
    with CaptureQueriesContext(connection) as more:
        looked_at(scene)
    assert len(more) == len(few) <= 15
