"""What a phone kept in a dead zone and sends after its shift was counted: the whole way, from the request to the minutes."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agencies.models import Unit, User
from patrols.models import Engagement, Mission, MissionPlan, Presence, PresenceAccount
from patrols.services import mission_assign, presence_count
from tactics.models import OfficerAction
from tests.factories import make_member
from tests.patrols.scenes import make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
SYNC = "/riverton/my/sync/"
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def plan(db: None) -> MissionPlan:
    """A published plan of three evenings ago: it was counted twice, and a phone may still tell of it."""
    return make_scene(on=timezone.now().date() - dt.timedelta(days=3)).plan(publish=True)


@pytest.fixture
def mission(plan: MissionPlan) -> Mission:
    return plan.missions.order_by("number")[0]


@pytest.fixture
def officer(plan: MissionPlan, mission: Mission) -> User:
    """Somebody of the unit that was sent there."""
    unit = Unit.objects.filter(agency=plan.agency).earliest("pk")
    mission_assign(mission=mission, unit=unit, actor=make_member(plan.agency, "admin"))
    return make_member(plan.agency, "officer", unit=unit)


@pytest.fixture
def account(plan: MissionPlan) -> PresenceAccount:
    made = PresenceAccount.objects.create(
        agency=plan.agency, shift=plan.shift, on=plan.on, period_to=plan.period_to
    )
    counted = presence_count(account=presence_count(account=made))
    assert counted.next_at is None
    return counted


def send(client: Client, officer: User, mission: Mission, *presses: tuple[str, dt.datetime]) -> list[str]:
    """As the phone's page sends them, with its own times in milliseconds; what the answer says of each."""
    rows: list[dict[str, Any]] = [
        {"uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}{at}")), "kind": kind, "mission": mission.pk,
         "device_at": int(at.timestamp() * 1000), "skew_ms": 0}
        for kind, at in presses
    ]  # fmt: skip
    body = {"person": officer.pk, "device_now": int(timezone.now().timestamp() * 1000), "actions": rows}
    answer = client.post(SYNC, json.dumps(body), content_type="application/json")
    assert answer.status_code == 200
    return [row["status"] for row in answer.json()["results"]]


def test_presses_sent_days_later_have_their_shift_counted_again_and_once(
    plan: MissionPlan, mission: Mission, officer: User, account: PresenceAccount, sign_in: SignIn
) -> None:
    client, arrived = sign_in(officer), plan.period_from + 60 * MINUTE
    sent = ("arrived", arrived), ("left", arrived + 17 * MINUTE)
    assert send(client, officer, mission, *sent) == ["done", "done"]
    account.refresh_from_db()
    assert account.next_at is not None
    account = presence_count(account=account)
    [row] = Presence.objects.filter(mission=mission)
    assert (row.source, round(row.minutes, 1)) == ("timer", 17.0)
    assert account.next_at is None
    # The answer was lost: the phone sends them again, and there is nothing to count.
    assert send(client, officer, mission, *sent) == ["again", "again"]
    account.refresh_from_db()
    assert account.next_at is None
    assert (Engagement.objects.count(), OfficerAction.objects.count()) == (1, 2)


def test_a_press_that_is_refused_has_nothing_counted(
    plan: MissionPlan, mission: Mission, officer: User, account: PresenceAccount, sign_in: SignIn
) -> None:
    late = plan.period_to + 90 * MINUTE
    assert send(sign_in(officer), officer, mission, ("arrived", late), ("left", late + 5 * MINUTE)) == [
        "refused", "refused",
    ]  # fmt: skip
    account.refresh_from_db()
    assert account.next_at is None
    assert not Presence.objects.exists()
