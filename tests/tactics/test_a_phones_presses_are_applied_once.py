"""What a phone kept while it was out of reach: applied in order, once, with its own times, and nothing is lost."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from agencies.models import Agency, Membership, Unit, User
from patrols.models import Engagement, Mission, MissionPlan
from patrols.services import mission_assign, visit_start
from tactics.models import OfficerAction, Tactic, TacticUse, VisitNote
from tactics.services import Press, actions_apply, starter_catalogue_create
from tests.factories import make_member
from tests.tactics import factories

SignIn = Callable[[User | None], Client]
SYNC = "/riverton/my/sync/"


def press(kind: str, mission: Mission | int, minutes_ago: float, **fields: Any) -> Press:
    key = mission if isinstance(mission, int) else mission.pk
    at = timezone.now() - dt.timedelta(minutes=minutes_ago)
    return Press(
        uuid=fields.pop("uuid", None) or uuid.uuid4(), kind=kind, mission_id=key, device_at=at, **fields
    )


def apply(unit: Unit, officer: User, *presses: Press) -> list[str]:
    return [
        row.status for row in actions_apply(agency=unit.agency, unit=unit, officer=officer, presses=presses)
    ]


def test_a_visit_kept_by_the_phone_has_the_phones_times(mission: Mission, unit: Unit, officer: User) -> None:
    starter_catalogue_create(agency=unit.agency)
    walk, talk = Tactic.objects.filter(
        agency=unit.agency, slug__in=["foot-patrol", "business-contact"]
    ).order_by("-slug")
    presses = [
        press("arrived", mission, 30),
        press("tactic", mission, 25, tactic_id=walk.pk),
        press("tactic", mission, 24, tactic_id=talk.pk),
        press("tactic", mission, 23, tactic_id=talk.pk, is_used=False),
        press("note", mission, 20, text="two lamps out"),
        press("left", mission, 15),
    ]
    assert apply(unit, officer, *presses) == ["done"] * 6
    visit = Engagement.objects.get()
    assert (visit.arrived_at, visit.left_at) == (presses[0].at, presses[-1].at)
    assert visit.officer == officer
    [use] = TacticUse.objects.all()
    assert (use.tactic, use.used_at) == (walk, presses[1].at)
    assert VisitNote.objects.get().written_at == presses[4].at
    # The whole batch again, as after a lost answer: nothing is done twice.
    assert apply(unit, officer, *presses) == ["again"] * 6
    assert OfficerAction.objects.count() == 6
    assert (Engagement.objects.count(), TacticUse.objects.count(), VisitNote.objects.count()) == (1, 1, 1)


def test_a_batch_of_which_the_server_saw_the_first_half_is_finished(
    mission: Mission, unit: Unit, officer: User
) -> None:
    presses = [press("arrived", mission, 30), press("left", mission, 15)]
    assert apply(unit, officer, presses[0]) == ["done"]
    assert apply(unit, officer, *presses) == ["again", "done"]
    assert Engagement.objects.get().minutes == pytest.approx(15, abs=0.1)


def test_the_phones_clock_is_put_right(mission: Mission, unit: Unit, officer: User) -> None:
    slow = press("arrived", mission, 130, correction=dt.timedelta(hours=2))
    assert apply(unit, officer, slow) == ["done"]
    visit = Engagement.objects.get()
    assert (timezone.now() - visit.arrived_at).total_seconds() == pytest.approx(600, abs=60)
    row = OfficerAction.objects.get()
    assert (row.correction_seconds, row.device_at) == (7200.0, slow.device_at)


@pytest.mark.parametrize(
    ("minutes_ago", "status", "word"),
    [
        (-1.5, "done", ""),
        (-10, "refused", "10 minutes in the future"),
        (145, "done", ""),
        (155, "refused", "before the shift"),
        (8 * 24 * 60, "refused", "more than 7 days ago"),
    ],
)
def test_a_time_that_cannot_be_is_refused_with_its_reason_and_kept(
    mission: Mission, unit: Unit, officer: User, minutes_ago: float, status: str, word: str
) -> None:
    [outcome] = actions_apply(
        agency=unit.agency, unit=unit, officer=officer, presses=[press("arrived", mission, minutes_ago)]
    )
    assert outcome.status == status
    assert word in outcome.message
    assert OfficerAction.objects.get().status == status
    assert Engagement.objects.count() == (status == "done")
    assert all(visit.arrived_at <= timezone.now() for visit in Engagement.objects.all())


def test_a_mission_withdrawn_meanwhile_counts_if_the_officer_was_there_first(
    mission: Mission, unit: Unit, officer: User
) -> None:
    Mission.objects.filter(pk=mission.pk).update(
        withdrawn_at=timezone.now() - dt.timedelta(minutes=20), withdrawn_reason="road closed"
    )
    before, after = press("arrived", mission, 30), press("arrived", mission, 10)
    [done] = actions_apply(agency=unit.agency, unit=unit, officer=officer, presses=[before])
    assert (done.status, done.message) == ("done", "Mission 1 was withdrawn since; your visit counts.")
    assert apply(unit, officer, press("left", mission, 15)) == ["done"]
    [refused] = actions_apply(agency=unit.agency, unit=unit, officer=officer, presses=[after])
    assert refused.status == "refused"
    assert "road closed" in refused.message
    assert OfficerAction.objects.filter(status="refused").get().message == refused.message
    assert Engagement.objects.count() == 1


def test_a_mission_given_away_meanwhile_was_the_units_until_then(
    agency: Agency, mission: Mission, unit: Unit, officer: User, owner: User
) -> None:
    other = Unit.objects.get(agency=agency, call_sign="R12")
    arrived = press("arrived", mission, 10)
    mission_assign(mission=mission, unit=other, actor=owner)
    assert apply(unit, officer, arrived) == ["done"]
    later = press("arrived", factories.make_mission(mission.plan, unit=other, number=2), 5)
    assert apply(unit, officer, later) == ["refused"], "another unit's mission all along"
    assert OfficerAction.objects.get(uuid=later.uuid).mission is None
    assert Engagement.objects.get().unit == unit


def test_a_refused_press_holds_up_no_other(mission: Mission, unit: Unit, officer: User) -> None:
    presses = [press("left", mission, 40), press("arrived", 999_999, 35), press("arrived", mission, 30)]
    assert apply(unit, officer, *presses) == ["refused", "refused", "done"]


def test_a_colleagues_later_visit_is_not_ended_by_what_is_told_late(
    plan: MissionPlan, mission: Mission, unit: Unit, officer: User
) -> None:
    other = factories.make_mission(plan, unit=unit, number=2)
    visit_start(mission=other, unit=unit, officer=None, at=timezone.now() - dt.timedelta(minutes=5))
    assert apply(unit, officer, press("arrived", mission, 40), press("left", mission, 25)) == ["done", "done"]
    assert Engagement.objects.get(left_at__isnull=True).mission == other
    assert Engagement.objects.get(mission=mission).minutes == pytest.approx(15, abs=0.1)


def test_a_tick_made_later_is_not_taken_back_by_an_earlier_press(
    mission: Mission, unit: Unit, officer: User
) -> None:
    starter_catalogue_create(agency=unit.agency)
    walk = Tactic.objects.get(agency=unit.agency, slug="foot-patrol")
    apply(unit, officer, press("arrived", mission, 30), press("tactic", mission, 10, tactic_id=walk.pk))
    assert apply(unit, officer, press("tactic", mission, 20, tactic_id=walk.pk, is_used=False)) == ["done"]
    assert TacticUse.objects.count() == 1


def test_a_note_about_a_person_is_refused_and_its_words_are_kept_nowhere(
    mission: Mission, unit: Unit, officer: User
) -> None:
    [_, refused] = actions_apply(
        agency=unit.agency,
        unit=unit,
        officer=officer,
        presses=[
            press("arrived", mission, 9),
            press("note", mission, 8, text="suspect John Smith, 312-555-0134"),
        ],
    )
    assert refused.status == "refused"
    assert "312-555-0134" in refused.message, "the officer is told what was found"
    assert not VisitNote.objects.exists()
    row = OfficerAction.objects.get(kind="note")
    stored = json.dumps([row.detail, row.message, str(row)])
    assert "Smith" not in stored
    assert "555" not in stored


@pytest.mark.django_db(transaction=True)
def test_eight_tabs_at_once_apply_each_press_once(mission: Mission, unit: Unit, officer: User) -> None:
    presses = [press("arrived", mission, 30), press("left", mission, 15)]

    def send(_: int) -> list[str]:
        try:
            return apply(unit, officer, *presses)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert sorted(answer[0] for answer in answers) == ["again"] * 7 + ["done"]
    assert Engagement.objects.count() == 1
    assert OfficerAction.objects.count() == 2


def batch(officer: User, *actions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    now_ms = timezone.now().timestamp() * 1000
    return {"person": str(officer.pk), "unit": "", "device_now": now_ms, "actions": list(actions)} | fields


def action(kind: str, mission: Mission, seconds_ago: float, **fields: Any) -> dict[str, Any]:
    at = timezone.now().timestamp() * 1000 - 1000 * seconds_ago
    return {
        "uuid": str(uuid.uuid4()),
        "kind": kind,
        "mission": str(mission.pk),
        "device_at": at,
        "skew_ms": 0,
    } | fields


def post(client: Client, data: Any) -> Any:
    return client.post(
        SYNC, data if isinstance(data, bytes) else json.dumps(data), content_type="application/json"
    )


def test_the_address_takes_a_batch_and_answers_each_press(
    mission: Mission, officer: User, sign_in: SignIn
) -> None:
    client = sign_in(officer)
    sent = batch(
        officer,
        action("arrived", mission, 600),
        {"uuid": "x", "kind": "arrived"},
        action("left", mission, 60),
    )
    answer = post(client, sent)
    assert answer.status_code == 200
    assert [row["status"] for row in answer.json()["results"]] == ["done", "done", "refused"]
    assert "cannot be read" in answer.json()["results"][2]["message"]
    assert Engagement.objects.get().minutes == pytest.approx(9, abs=0.1)
    told = client.get(SYNC).json()
    assert told["person"] == officer.pk
    assert len(told["token"]) > 20


def test_a_phone_that_never_heard_from_us_is_measured_as_it_sends(
    mission: Mission, officer: User, sign_in: SignIn
) -> None:
    """Its clock is three hours slow, and it says what it takes the time to be."""
    slow = -3 * 3600 * 1000
    one = action("arrived", mission, 60, skew_ms=None)
    one["device_at"] += slow
    sent = batch(officer, one)
    sent["device_now"] += slow
    assert post(sign_in(officer), sent).json()["results"][0]["status"] == "done"
    assert (timezone.now() - Engagement.objects.get().arrived_at).total_seconds() == pytest.approx(60, abs=30)


def test_somebody_else_who_is_signed_in_now_sends_nothing(
    agency: Agency, mission: Mission, unit: Unit, officer: User, sign_in: SignIn
) -> None:
    partner = make_member(agency, "officer", username="partner", unit=unit)
    answer = post(sign_in(partner), batch(officer, action("arrived", mission, 60)))
    assert answer.status_code == 409
    assert not OfficerAction.objects.exists()
    Membership.objects.filter(user=officer).update(unit=None)
    answer = post(sign_in(officer), batch(officer, action("arrived", mission, 60)))
    assert answer.status_code == 409
    assert "nothing is lost" in answer.json()["error"]


def test_who_runs_shifts_sends_for_the_unit_that_was_picked(
    mission: Mission, colleague: User, sign_in: SignIn
) -> None:
    answer = post(sign_in(colleague), batch(colleague, action("arrived", mission, 60), unit="R11"))
    assert answer.json()["results"][0]["status"] == "done"
    assert Engagement.objects.get().unit.call_sign == "R11"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"actions": 1}',
        {"actions": [{}] * 101},
        b'{"actions": [' + b" " * 600_000 + b"]}",
    ],
)
def test_what_is_no_batch_is_answered_and_not_crashed_on(officer: User, sign_in: SignIn, data: Any) -> None:
    answer = post(sign_in(officer), data)
    assert answer.status_code == 400
    assert "stays on the phone" in answer.json()["error"]


@pytest.mark.parametrize(
    "fields",
    [
        {"uuid": 5}, {"uuid": None}, {"kind": "fly"}, {"kind": ["arrived"]}, {"device_at": "now"}, {"device_at": 1e300}, {"device_at": None},
        {"device_at": True}, {"skew_ms": 1e300}, {"mission": {"a": 1}}, {"mission": "²"}, {"tactic": [1]},
    ],
)  # fmt: skip
def test_a_hostile_press_is_refused_and_the_next_one_is_done(
    mission: Mission, officer: User, sign_in: SignIn, fields: dict[str, Any]
) -> None:
    kind = "tactic" if "tactic" in fields else "arrived"
    sent = batch(
        officer, action(kind, mission, 60) | fields, action("arrived", mission, 30), "no press at all", None
    )  # type: ignore[arg-type]
    answer = post(sign_in(officer), sent)
    assert answer.status_code == 200
    statuses = sorted(row["status"] for row in answer.json()["results"])
    assert statuses == ["done", "refused", "refused", "refused"]
    assert Engagement.objects.count() == 1


def test_a_batch_without_its_token_is_refused(mission: Mission, officer: User) -> None:
    from django.conf import settings

    client = Client(enforce_csrf_checks=True)
    client.force_login(officer, backend=settings.AUTHENTICATION_BACKENDS[0])
    sent = json.dumps(batch(officer, action("arrived", mission, 60)))
    assert client.post(SYNC, sent, content_type="application/json").status_code == 403
    token = client.get(SYNC).json()["token"]
    answer = client.post(SYNC, sent, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.json()["results"][0]["status"] == "done"


def test_a_session_that_ended_is_sent_to_sign_in_and_another_agency_finds_nothing(
    mission: Mission, officer: User, stranger: User, sign_in: SignIn
) -> None:
    sent = batch(officer, action("arrived", mission, 60))
    assert post(sign_in(None), sent).status_code == 302
    assert post(sign_in(stranger), sent).status_code == 404
