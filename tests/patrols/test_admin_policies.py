"""Patrol policies and suppressions in the admin: refused where unsound, walled off, and on the record."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.forms.models import model_to_dict
from django.test import Client
from django.utils import timezone

from agencies.models import Agency, AuditEvent, Beat, User
from patrols.models import Addition, PatrolPolicy, Suppression
from tests.factories import rectangle

SignIn = Callable[[User | None], Client]
POLICIES = "/admin/patrols/patrolpolicy/"
SUPPRESSIONS = "/admin/patrols/suppression/"
ADDITIONS = "/admin/patrols/addition/"


def policy_data(agency: Agency, **changes: Any) -> dict[str, Any]:
    """What the form sends for a policy with the defaults."""
    data = model_to_dict(PatrolPolicy(agency=agency)) | {"is_active": "on"} | changes
    return {name: value for name, value in data.items() if value is not None and value != ""}


def errors_of(response: Any) -> str:
    return json.dumps(response.context["adminform"].form.errors)


def test_a_sound_policy_is_saved_and_kept_in_the_audit_log(
    agency: Agency, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(owner)
    page = client.get(f"{POLICIES}add/").content.decode()
    assert "Every box keeps a known chance" in page
    assert client.post(f"{POLICIES}add/", policy_data(agency, exploration="0.2")).status_code == 302
    policy = PatrolPolicy.objects.get(agency=agency)
    assert policy.exploration == 0.2
    client.post(f"{POLICIES}{policy.pk}/change/", policy_data(agency, gamma="2"))
    actions = set(AuditEvent.objects.filter(agency=agency, actor=owner).values_list("action", flat=True))
    assert {"patrolpolicy.added", "patrolpolicy.changed"} <= actions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dose_min_minutes": "20"}, "raise it or lower the shortest stay"),
        ({"saturation_hard_minutes": "125"}, "leaves no room above"),
        ({"cap_max": "0.95"}, "less than or equal to 0.9"),
        ({"gamma": "often"}, "Enter a number"),
        ({"gamma": "nan"}, "Enter a number"),
    ],
)
def test_an_unsound_policy_is_refused_with_the_engines_words(
    agency: Agency, owner: User, sign_in: SignIn, changes: dict[str, str], message: str
) -> None:
    response = sign_in(owner).post(f"{POLICIES}add/", policy_data(agency, **changes))
    assert response.status_code == 200
    assert message in errors_of(response)
    assert not PatrolPolicy.objects.exists()


def test_a_second_active_policy_is_refused_and_the_two_can_change_places(
    agency: Agency, owner: User, sign_in: SignIn
) -> None:
    standard = PatrolPolicy.objects.create(agency=agency)
    client = sign_in(owner)
    response = client.post(f"{POLICIES}add/", policy_data(agency, name="Weekend"))
    assert "“Standard” is the active policy" in json.loads(errors_of(response))["is_active"][0]
    data = policy_data(agency, name="Weekend")
    del data["is_active"]
    client.post(f"{POLICIES}add/", data)
    weekend = PatrolPolicy.objects.get(name="Weekend")
    client.post(POLICIES, {"action": "make_active", "_selected_action": [weekend.pk]})
    assert list(PatrolPolicy.objects.filter(is_active=True)) == [weekend]
    client.post(POLICIES, {"action": "make_active", "_selected_action": [weekend.pk, standard.pk]})
    assert list(PatrolPolicy.objects.filter(is_active=True)) == [weekend]


def test_another_agencys_rows_do_not_exist(
    agency: Agency, stranger: User, colleague: User, sign_in: SignIn
) -> None:
    policy = PatrolPolicy.objects.create(agency=agency, name="Ours alone")
    now = timezone.now()
    suppression = Suppression.objects.create(
        agency=agency,
        beat=Beat.objects.filter(agency=agency).earliest("pk"),
        reason="Ours alone",
        expires_at=now + dt.timedelta(days=1),
    )
    client = sign_in(stranger)
    for path, row in ((POLICIES, policy), (SUPPRESSIONS, suppression)):
        assert "Ours alone" not in client.get(path).content.decode()
        assert client.get(f"{path}{row.pk}/change/").status_code == 302
    client.post(POLICIES, {"action": "make_active", "_selected_action": [policy.pk]})
    client.post(SUPPRESSIONS, {"action": "end_now", "_selected_action": [suppression.pk]})
    suppression.refresh_from_db()
    assert suppression.expires_at > now
    # A supervisor has no business in the admin.
    assert sign_in(colleague).get(POLICIES).status_code == 302


def suppression_data(agency: Agency, **changes: Any) -> dict[str, Any]:
    return {
        "agency": agency.pk,
        "beat": "",
        "geometry": json.dumps(rectangle(0, 0, 1000, 1000)),
        "reason": "Street fair",
        "starts_at_0": "2026-06-10",
        "starts_at_1": "18:00",
        "expires_at_0": "2026-06-11",
        "expires_at_1": "06:00",
    } | changes


def test_a_suppressions_times_are_typed_by_the_agencys_clock(
    agency: Agency, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(owner)
    page = client.get(f"{SUPPRESSIONS}add/").content.decode()
    assert "By the clock of America/Chicago" in page
    response = client.post(f"{SUPPRESSIONS}add/", suppression_data(agency))
    assert response.status_code == 302, errors_of(response)
    row = Suppression.objects.get()
    assert row.starts_at == dt.datetime(2026, 6, 10, 18, tzinfo=ZoneInfo("America/Chicago"))
    assert row.author == owner
    assert row.geometry["type"] == "MultiPolygon"
    assert AuditEvent.objects.filter(action="suppression.added", actor=owner).exists()
    page = client.get(f"{SUPPRESSIONS}{row.pk}/change/").content.decode()
    assert 'value="18:00:00"' in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"geometry": ""}, "Choose a beat or draw an area"),
        ({"expires_at_0": "2026-06-09"}, "ends before it starts"),
        ({"reason": ""}, "required"),
    ],
)
def test_a_suppression_that_says_nothing_is_refused(
    agency: Agency, owner: User, sign_in: SignIn, changes: dict[str, str], message: str
) -> None:
    response = sign_in(owner).post(f"{SUPPRESSIONS}add/", suppression_data(agency, **changes))
    assert response.status_code == 200
    assert message in errors_of(response)


def test_another_agencys_beat_is_refused(
    agency: Agency, owner: User, stranger: User, sign_in: SignIn
) -> None:
    foreign = Beat.objects.exclude(agency=agency).earliest("pk")
    data = suppression_data(agency, geometry="", beat=foreign.pk)
    assert sign_in(owner).post(f"{SUPPRESSIONS}add/", data).status_code == 200
    assert not Suppression.objects.exists()


def test_a_suppression_is_ended_early_and_never_deleted(agency: Agency, owner: User, sign_in: SignIn) -> None:
    now = timezone.now()
    held, coming = (
        Suppression.objects.create(
            agency=agency,
            beat=Beat.objects.filter(agency=agency).earliest("pk"),
            reason=reason,
            starts_at=now + dt.timedelta(days=days),
            expires_at=now + dt.timedelta(days=days + 3),
        )
        for reason, days in (("Held", -1), ("Coming", 1))
    )
    client = sign_in(owner)
    assert client.post(f"{SUPPRESSIONS}{held.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(SUPPRESSIONS, {"action": "end_now", "_selected_action": [held.pk, coming.pk]})
    held.refresh_from_db()
    coming.refresh_from_db()
    assert held.expires_at <= timezone.now()
    assert coming.expires_at > timezone.now()
    assert AuditEvent.objects.filter(action="suppression.ended").count() == 1


def test_an_addition_is_entered_on_a_map_ended_early_and_kept(
    agency: Agency, owner: User, stranger: User, sign_in: SignIn
) -> None:
    client, now = sign_in(owner), timezone.localtime(timezone.now(), ZoneInfo(agency.time_zone))
    crime_type = agency.crimetype_set.first()
    assert crime_type is not None
    data = {
        "agency": agency.pk,
        "geometry": json.dumps(rectangle(100, 100, 400, 400)),
        "crime_type": crime_type.pk,
        "dose_minutes": "12",
        "reason": "Shops asked for visits",
        "starts_at_0": f"{now:%Y-%m-%d}",
        "starts_at_1": f"{now - dt.timedelta(minutes=5):%H:%M:%S}",
        "expires_at_0": f"{now + dt.timedelta(days=7):%Y-%m-%d}",
        "expires_at_1": "06:00:00",
    }
    about_somebody = {**data, "reason": "Ask for John Smith, DOB 01/02/1990"}
    assert "Write about the place only" in client.post(ADDITIONS + "add/", about_somebody).content.decode()
    assert client.post(ADDITIONS + "add/", data).status_code == 302
    row = Addition.objects.get(agency=agency)
    assert row.author == owner
    Addition.objects.filter(pk=row.pk).update(starts_at=timezone.now() - dt.timedelta(hours=1))
    assert client.get(f"{ADDITIONS}{row.pk}/delete/").status_code == 403
    client.post(ADDITIONS, {"action": "end_now", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.expires_at <= timezone.now()
    assert AuditEvent.objects.filter(agency=agency, action="addition.ended").exists()
    assert "Shops asked" not in sign_in(stranger).get(ADDITIONS).content.decode()
