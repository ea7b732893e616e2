"""API keys: made by the agency's administrator, shown once, kept as a hash, over on a date, revoked by name."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, AuditEvent, User
from ingestion.models import AgencyKey, ApiToken
from tests.factories import make_member
from tests.ingestion.pushing import make_token, push_feed

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
ADD = "admin:ingestion_agencykey_add"
LIST = "admin:ingestion_agencykey_changelist"


def make(client: Client, agency: Agency, scope: str = "patrols") -> str:
    sent = {"agency": agency.pk, "name": "Terminals in cars", "scope": scope, "days": 30}
    answer = client.post(reverse(ADD), sent)
    assert answer.status_code == 200, answer.content[:500]
    assert "no-store" in answer["Cache-Control"]
    found = re.search(r'<code id="secret">([^<]+)</code>', answer.content.decode())
    assert found is not None
    return found[1]


def ask(secret: str, agency: Agency) -> int:
    return (
        Client(headers={"authorization": f"Token {secret}"}).get(f"/api/v1/{agency.slug}/shifts/").status_code
    )


def test_a_key_is_shown_once_works_and_is_revoked(agency: Agency, owner: User, sign_in: SignIn) -> None:
    client = sign_in(owner)
    secret = make(client, agency)
    key = AgencyKey.objects.get()
    assert (key.agency, key.feed, key.scope, key.user) == (agency, None, "patrols", owner)
    assert dt.timedelta(days=29) < key.expiry - timezone.now() < dt.timedelta(days=31)
    assert ask(secret, agency) == 200
    shown = client.get(reverse(LIST)).content.decode()
    shown += client.get(reverse("admin:ingestion_agencykey_change", args=[key.pk])).content.decode()
    assert "Terminals in cars" in shown
    assert secret not in shown
    assert secret not in str(list(AuditEvent.objects.values())) + str(list(ApiToken.objects.values()))
    client.post(reverse("admin:ingestion_agencykey_delete", args=[key.pk]), {"post": "yes"})
    assert ask(secret, agency) == 401
    assert {"API key made", "API key revoked"} <= set(AuditEvent.objects.values_list("action", flat=True))


def test_a_key_that_is_over_is_refused(agency: Agency, owner: User, sign_in: SignIn) -> None:
    secret = make(sign_in(owner), agency)
    ApiToken.objects.update(expiry=timezone.now() - dt.timedelta(seconds=1))
    assert ask(secret, agency) == 401


def test_a_key_needs_a_name_a_scope_and_an_end(agency: Agency, owner: User, sign_in: SignIn) -> None:
    good = {"agency": agency.pk, "name": "x", "scope": "read", "days": 1}
    for wrong in ({"name": ""}, {"scope": "push"}, {"days": 0}, {"days": 99999}):
        assert "errorlist" in sign_in(owner).post(reverse(ADD), good | wrong).content.decode()
    assert not ApiToken.objects.exists()


def test_nobody_reaches_another_agencys_keys(
    agency: Agency, owner: User, stranger: User, sign_in: SignIn
) -> None:
    make(sign_in(owner), agency)
    key = AgencyKey.objects.get()
    client = sign_in(stranger)
    assert "Terminals" not in client.get(reverse(LIST)).content.decode()
    page = reverse("admin:ingestion_agencykey_delete", args=[key.pk])
    client.post(page, {"post": "yes"})
    assert AgencyKey.objects.filter(pk=key.pk).exists()
    sent = {"agency": agency.pk, "name": "Theirs", "scope": "read", "days": 30}
    client.post(reverse(ADD), sent)
    assert not AgencyKey.objects.filter(name="Theirs", agency=agency).exists()
    supervisor = sign_in(make_member(agency, "supervisor"))
    assert supervisor.get(reverse(ADD)).status_code in (302, 403)


def test_a_feeds_keys_stay_on_the_feeds_page(agency: Agency, owner: User, sign_in: SignIn) -> None:
    make_token(push_feed(agency), user=owner)
    key = ApiToken.objects.get()
    client = sign_in(owner)
    assert key.token_key not in client.get(reverse(LIST)).content.decode()
    client.post(reverse("admin:ingestion_agencykey_delete", args=[key.pk]), {"post": "yes"})
    assert ApiToken.objects.filter(pk=key.pk).exists()
