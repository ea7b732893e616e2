"""Who may push what: keys, scopes, feeds, agencies; how often; and the page on which keys are made."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, AuditEvent, User
from ingestion.models import ApiToken, Incident
from tests.factories import make_agency, make_member
from tests.ingestion.files import good_row
from tests.ingestion.pushing import ADDRESSES, make_token, push, push_feed

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.mark.parametrize("token", [None, "", "abc", "0" * 64, "ä" * 64, "two words"])
def test_without_a_valid_key_the_answer_is_401(agency: Agency, token: str | None) -> None:
    answer = push(token, "incidents", [good_row(1)])
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"


def test_expired_and_revoked_keys_are_401(agency: Agency) -> None:
    token = make_token(push_feed(agency))
    ApiToken.objects.update(expiry=timezone.now() - dt.timedelta(seconds=1))
    assert push(token, "incidents", [good_row(1)]).status_code == 401
    # It is still in the list, marked as over: knox would have deleted it without a word.
    assert ApiToken.objects.exists()
    ApiToken.objects.all().delete()
    assert push(token, "incidents", [good_row(1)]).status_code == 401


def test_a_closed_accounts_keys_are_401(agency: Agency, owner: User) -> None:
    token = make_token(push_feed(agency), user=owner)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert push(token, "incidents", [good_row(1)]).status_code == 401


def test_another_scope_another_feed_and_an_inactive_feed_are_403(agency: Agency) -> None:
    feed = push_feed(agency)
    assert push(make_token(feed, "read"), "incidents", [good_row(1)]).status_code == 403
    token = make_token(feed)
    for kind in set(ADDRESSES) - {"incidents"}:
        answer = push(token, kind, [good_row(1)])
        assert answer.status_code == 403
        assert "crime incidents" in answer.json()["detail"]
    feed.is_active = False
    feed.save()
    assert push(token, "incidents", [good_row(1)]).status_code == 403
    assert not Incident.objects.exists()


def test_a_key_of_no_feed_opens_nothing(agency: Agency, owner: User) -> None:
    for scope in ("push", "read"):
        _, secret = ApiToken.objects.create(user=owner, scope=scope)
        headers = {"authorization": f"Token {secret}"}
        assert push(secret, "incidents", [good_row(1)]).status_code == 403
        assert Client().get("/api/missions/", headers=headers).status_code == 403


def test_a_persons_session_opens_nothing(owner: User, sign_in: SignIn) -> None:
    client = sign_in(owner)
    for address in ADDRESSES.values():
        assert client.post(address, [], content_type="application/json").status_code == 401
        assert client.get(address).status_code in (401, 405)


def test_rows_go_to_the_keys_own_feed_whatever_they_say(agency: Agency) -> None:
    other = push_feed(make_agency("lakeside"))
    answer = push(
        make_token(push_feed(agency)), "incidents", [good_row(1, agency=other.agency_id, feed=other.pk)]
    )
    assert answer.status_code == 200
    assert Incident.objects.get().agency == agency


def test_too_many_requests_are_429_with_a_time_to_wait(agency: Agency, settings: Any) -> None:
    cache.clear()
    settings.API_REQUESTS_PER_SECOND = 0.2
    feed = push_feed(agency)
    token, other = make_token(feed), make_token(feed)
    answers = [push(token, "incidents", []) for _ in range(5)]
    codes = [answer.status_code for answer in answers]
    assert codes[:2] == [200, 200]
    assert 429 in codes
    assert 1 <= int(answers[codes.index(429)]["Retry-After"]) <= 10
    assert push(other, "incidents", []).status_code == 200


def page(feed_id: int) -> str:
    return reverse("admin:ingestion_feed_tokens", args=[feed_id])


def test_a_key_is_shown_once_works_and_is_revoked(agency: Agency, owner: User, sign_in: SignIn) -> None:
    feed = push_feed(agency)
    client = sign_in(owner)
    answer = client.post(page(feed.pk), {"name": "CAD server", "scope": "push", "days": 30})
    secret = re.search(r'<code id="secret">([^<]+)</code>', answer.content.decode())
    assert secret is not None
    assert "no-store" in answer["Cache-Control"]
    assert push(secret[1], "incidents", [good_row(1)]).status_code == 200
    shown = client.get(page(feed.pk)).content.decode()
    assert "CAD server" in shown
    assert secret[1] not in shown
    assert secret[1] not in str(list(AuditEvent.objects.values())) + str(list(ApiToken.objects.values()))
    token = ApiToken.objects.get()
    assert (token.agency, token.feed, token.scope) == (agency, feed, "push")
    client.post(page(feed.pk), {"revoke": token.token_key})
    assert push(secret[1], "incidents", [good_row(1)]).status_code == 401
    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"API token made", "API token revoked"} <= actions


def test_nobody_reaches_another_agencys_keys(agency: Agency, stranger: User, sign_in: SignIn) -> None:
    feed = push_feed(agency)
    make_token(feed)
    token = ApiToken.objects.get()
    client = sign_in(stranger)
    assert client.get(page(feed.pk)).status_code == 404
    assert client.post(page(feed.pk), {"revoke": token.token_key}).status_code == 404
    own = push_feed(stranger.memberships.get().agency)
    client.post(page(own.pk), {"revoke": token.token_key})
    assert ApiToken.objects.filter(pk=token.pk).exists()
    supervisor = sign_in(make_member(agency, "supervisor"))
    assert supervisor.get(page(feed.pk)).status_code in (302, 403)


def test_a_key_needs_a_name_a_scope_and_an_end(agency: Agency, owner: User, sign_in: SignIn) -> None:
    feed = push_feed(agency)
    for data in (
        {"name": "", "scope": "push", "days": 1},
        {"name": "x", "scope": "all", "days": 1},
        {"name": "x", "scope": "push", "days": 0},
    ):
        assert "errorlist" in sign_in(owner).post(page(feed.pk), data).content.decode()
    assert not ApiToken.objects.exists()


def test_the_description_is_open_and_names_every_address() -> None:
    answer = Client().get("/api/schema/")
    assert answer.status_code == 200
    told = answer.json()
    assert set(ADDRESSES.values()) | {
        "/api/dataservice/",
        "/api/missions/",
        "/api/missioneffectiveness/",
    } <= set(told["paths"])
    assert told["paths"]["/api/v1/gunfire/"]["post"]["security"] == [{"FeedToken": []}]


def test_the_description_is_sound_and_names_each_address_once(tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(file))
    text = file.read_text()
    assert "/api/dataservice/{job_id}:" in text
    assert "/api/dataservice/{job_id}/:" not in text
    assert "/api/missions:" not in text


def test_the_page_of_the_api_holds_no_inline_code() -> None:
    text = Client().get("/api/docs/").content.decode()
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*src=)", text)


@pytest.mark.browser
def test_the_page_of_the_api_is_drawn_under_the_strict_policy(page: Any, transactional_db: None) -> None:
    page.goto("/api/docs/")
    page.get_by_text("/api/v1/gunfire/").first.wait_for()
