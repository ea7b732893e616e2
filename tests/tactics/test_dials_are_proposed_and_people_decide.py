"""Optimise: dials are proposed from what a study found, nothing changes by itself, and a person decides with a reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, CrimeType, User
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.models import PatrolPolicy
from patrols.services import PolicyMoved, policy_dial_set
from tactics.models import ImpactReport, ImpactStudy, Inquiry, PolicyProposal
from tactics.services import inquiry_answer, inquiry_ask, proposal_decide
from tests.factories import make_agency, make_member
from tests.patrols.scenes import ON, Scene, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
Status = PolicyProposal.Status


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def make_report(
    scene: Scene,
    estimate: float | None,
    low: float | None,
    high: float | None,
    *,
    dose: Any = None,
    fails: bool = False,
) -> ImpactReport:
    """A finished report whose net effect the test chooses."""
    types = [row.pk for row in CrimeType.objects.filter(agency=scene.agency)]
    study = ImpactStudy.objects.create(
        agency=scene.agency, name="All plans", question="Do missions prevent crime?", kind=ImpactStudy.Kind.ROLLING,
        crime_types=types, first=ON - dt.timedelta(days=90), last=ON,
    )  # fmt: skip
    effect = {"key": "net", "name": "net", "estimate": estimate, "low": low, "high": high}
    return ImpactReport.objects.create(
        agency=scene.agency, study=study, first=ON - dt.timedelta(days=90), last=ON, seed=1, status=RunStatus.SUCCEEDED,
        finished_at=timezone.now(), sentence="What the study said.", verdict="not_shown",
        figures={
            "effects": [effect], "overdispersion": 1.2, "times_longer": 3.5, "dose": dose,
            "controls": [{"name": "the preceding week", "fails": fails}],
        },
    )  # fmt: skip


def look(scene: Scene) -> Inquiry:
    return inquiry_answer(inquiry=inquiry_ask(agency=scene.agency, kind=Inquiry.Kind.PROPOSALS, choices={}))


def address(slug: str = "riverton") -> str:
    return reverse("tactics:optimise", args=[slug])


def test_where_missions_are_shown_to_work_covering_more_is_proposed_and_nothing_changes(scene: Scene) -> None:
    make_report(scene, 0.25, 0.15, 0.35)
    before = PatrolPolicy.objects.filter(pk=scene.policy.pk).values().get()
    inquiry = look(scene)
    proposal = PolicyProposal.objects.get()
    assert proposal.purpose == "gain"
    assert proposal.gain_low is not None
    assert proposal.gain_low > 0
    change = proposal.basis["change"]
    assert change["covered_to"] > change["covered_from"]
    assert proposal.gain == pytest.approx(0.25 * (change["covered_to"] - change["covered_from"]))
    assert (proposal.inquiry, proposal.policy, len(proposal.basis_hash)) == (inquiry, scene.policy, 64)
    assert PatrolPolicy.objects.filter(pk=scene.policy.pk).values().get() == before


def test_an_interval_that_covers_zero_says_not_shown_keep(scene: Scene, sign_in: SignIn) -> None:
    make_report(scene, 0.12, -0.2, 0.44)
    answer = look(scene).answer
    assert answer is not None
    assert {one["verdict"] for one in answer["changes"]} <= {"keep", "learn"}
    assert not PolicyProposal.objects.filter(purpose="gain").exists()
    page = sign_in(make_member(scene.agency, "analyst")).get(address()).content.decode()
    assert "Not shown: keep. The interval of its gain covers zero." in page
    # 91 days × 3.5: the study that it would take, ready to be designed.
    assert f"{reverse('tactics:design', args=['riverton'])}?days=319" in page


def test_a_study_whose_check_failed_or_without_interval_moves_no_dial(scene: Scene) -> None:
    report = make_report(scene, 0.3, 0.2, 0.4, fails=True)
    look(scene)
    assert not PolicyProposal.objects.filter(purpose="gain").exists()
    report.figures["controls"] = []
    report.figures["effects"][0] |= {"low": None, "high": None}
    report.save()
    look(scene)
    assert not PolicyProposal.objects.filter(purpose="gain").exists()


def test_without_a_study_nothing_is_shown_to_gain(scene: Scene, sign_in: SignIn) -> None:
    look(scene)
    assert not PolicyProposal.objects.filter(purpose="gain").exists()
    page = sign_in(make_member(scene.agency, "supervisor")).get(address()).content.decode()
    assert (
        "There is no study’s report yet" in page
        or "There is no study&#x27;s report yet" in page
        or "no study's report yet" in page
    )


def test_a_dose_is_proposed_inside_the_doses_that_were_drawn(scene: Scene) -> None:
    bins = [{"from_minutes": 5, "to_minutes": 12}, {"from_minutes": 13, "to_minutes": 25}]
    make_report(
        scene,
        0.01,
        -0.3,
        0.3,
        dose={"per_ten_minutes": 0.2, "low": 0.1, "high": 0.3, "p_value": 0.001, "bins": bins},
    )
    look(scene)
    proposal = PolicyProposal.objects.get(field="dose_max_minutes")
    assert (proposal.value_from, proposal.value_to, proposal.purpose) == (16, 18, "gain")


def test_looking_again_puts_older_open_proposals_aside(scene: Scene) -> None:
    make_report(scene, 0.25, 0.15, 0.35)
    look(scene)
    first = PolicyProposal.objects.get()
    look(scene)
    first.refresh_from_db()
    assert first.status == Status.STALE
    assert PolicyProposal.objects.filter(status=Status.OPEN).count() == 1


@pytest.fixture
def proposal(scene: Scene) -> PolicyProposal:
    make_report(scene, 0.25, 0.15, 0.35)
    look(scene)
    return PolicyProposal.objects.get()


def test_an_administrator_approves_with_a_reason_and_only_then_the_dial_turns(
    scene: Scene, proposal: PolicyProposal, sign_in: SignIn
) -> None:
    here = reverse("tactics:proposal_decision", args=["riverton", proposal.pk])
    client = sign_in(make_member(scene.agency, "admin", username="boss"))
    client.post(here, {"decision": "approve", "reason": "  "})
    scene.policy.refresh_from_db()
    assert getattr(scene.policy, proposal.field) == proposal.value_from
    client.post(here, {"decision": "approve", "reason": "The spring study showed it."})
    scene.policy.refresh_from_db()
    proposal.refresh_from_db()
    assert getattr(scene.policy, proposal.field) == proposal.value_to
    assert (proposal.status, str(proposal.decided_by), proposal.reason) == (
        Status.APPROVED,
        "boss",
        "The spring study showed it.",
    )
    event = AuditEvent.objects.get(action="patrolpolicy.dial_set")
    assert event.detail["reason"] == "The spring study showed it."
    assert "The spring study showed it." in client.get(address()).content.decode()
    client.post(here, {"decision": "decline", "reason": "Second thoughts."})
    proposal.refresh_from_db()
    assert proposal.status == Status.APPROVED


def test_declined_nothing_changes(scene: Scene, proposal: PolicyProposal, owner_user: User) -> None:
    proposal_decide(proposal=proposal, actor=owner_user, approve=False, reason="Not before the summer.")
    scene.policy.refresh_from_db()
    assert getattr(scene.policy, proposal.field) == proposal.value_from
    assert proposal.status == Status.DECLINED


@pytest.fixture
def owner_user(scene: Scene) -> User:
    return make_member(scene.agency, "admin")


def test_a_dial_that_was_turned_meanwhile_makes_the_proposal_out_of_date(
    scene: Scene, proposal: PolicyProposal, owner_user: User
) -> None:
    PatrolPolicy.objects.filter(pk=scene.policy.pk).update(**{proposal.field: proposal.value_from + 0.01})
    with pytest.raises(PolicyMoved):
        proposal_decide(proposal=proposal, actor=owner_user, approve=True, reason="Yes.")
    proposal.refresh_from_db()
    scene.policy.refresh_from_db()
    assert (proposal.status, proposal.reason, proposal.decided_by) == (Status.STALE, "", None)
    assert getattr(scene.policy, proposal.field) == proposal.value_from + 0.01
    with pytest.raises(MissionsError, match="decided already, or is out of date"):
        proposal_decide(proposal=proposal, actor=owner_user, approve=True, reason="Yes.")


def test_a_policy_that_is_no_longer_the_active_one_is_not_changed(
    scene: Scene, proposal: PolicyProposal, owner_user: User
) -> None:
    PatrolPolicy.objects.filter(pk=scene.policy.pk).update(is_active=False)
    with pytest.raises(PolicyMoved):
        proposal_decide(proposal=proposal, actor=owner_user, approve=True, reason="Yes.")
    scene.policy.refresh_from_db()
    assert getattr(scene.policy, proposal.field) == proposal.value_from


def test_reasons_about_persons_are_not_kept(proposal: PolicyProposal, owner_user: User) -> None:
    with pytest.raises(MissionsError, match="never kept"):
        proposal_decide(
            proposal=proposal, actor=owner_user, approve=False, reason="Call me at 555-867-5309 about it"
        )


def test_the_service_turns_four_dials_and_refuses_what_a_policy_cannot_have(
    scene: Scene, owner_user: User
) -> None:
    common: dict[str, Any] = {
        "agency": scene.agency,
        "policy_id": scene.policy.pk,
        "actor": owner_user,
        "reason": "r",
    }
    with pytest.raises(MissionsError, match="no dial"):
        policy_dial_set(dial="name", value_from=0, value_to=1, **common)
    with pytest.raises(MissionsError, match="cannot have this value"):
        policy_dial_set(dial="gamma", value_from=1.0, value_to=9.0, **common)
    changed = policy_dial_set(dial="dose_max_minutes", value_from=16.0, value_to=18.0, **common)
    assert changed.dose_max_minutes == 18
    other = make_agency("lakeside")
    with pytest.raises(PolicyMoved):
        policy_dial_set(dial="gamma", value_from=1.0, value_to=1.25, **(common | {"agency": other}))


def test_the_database_knows_that_a_decision_has_a_reason(proposal: PolicyProposal) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PolicyProposal.objects.filter(pk=proposal.pk).update(status=Status.APPROVED)


def test_who_looks_who_decides_and_who_reads(scene: Scene, proposal: PolicyProposal, sign_in: SignIn) -> None:
    decide = reverse("tactics:proposal_decision", args=["riverton", proposal.pk])
    for role, reads, decides in (
        ("supervisor", 200, 403), ("auditor", 200, 403), ("analyst", 200, 403), ("officer", 403, 403),
    ):  # fmt: skip
        client = sign_in(make_member(scene.agency, role))
        assert client.get(address()).status_code == reads
        assert client.post(decide, {"decision": "approve", "reason": "r"}).status_code == decides
    assert Inquiry.objects.count() == 1
    stranger = sign_in(make_member(make_agency("lakeside"), "admin"))
    assert stranger.get(address()).status_code == 404
    assert stranger.post(decide, {"decision": "approve", "reason": "r"}).status_code == 404
    there = reverse("tactics:proposal_decision", args=["lakeside", proposal.pk])
    assert stranger.post(there, {"decision": "approve", "reason": "r"}).status_code == 404
    assert sign_in(None).get(address()).status_code == 302
    proposal.refresh_from_db()
    assert proposal.status == Status.OPEN


def test_a_supervisor_cannot_have_it_looked_for_and_an_analyst_can(
    scene: Scene, sign_in: SignIn, monkeypatch: Any
) -> None:
    sent: list[int] = []
    monkeypatch.setattr("tactics.inquiry_pages.inquiry_task.delay_on_commit", sent.append)
    sign_in(make_member(scene.agency, "supervisor")).post(address())
    assert not Inquiry.objects.exists()
    sign_in(make_member(scene.agency, "analyst")).post(address())
    assert sent == [Inquiry.objects.get().pk]


def test_an_agency_without_policy_or_forecast_is_told_what_to_do(scene: Scene) -> None:
    PatrolPolicy.objects.all().delete()
    with pytest.raises(MissionsError, match="no active patrol policy"):
        look(scene)


def test_the_page_costs_six_queries_however_many_proposals(
    scene: Scene, proposal: PolicyProposal, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    client = sign_in(make_member(scene.agency, "analyst"))
    client.get(address())
    with django_assert_max_num_queries(7):
        client.get(address())
