"""A key is changed for a new one without a gap: both work for three days, then the new one alone; feeds' keys and agencies' alike."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, AuditEvent, User
from ingestion.models import ApiToken, Feed
from ingestion.services.agency_keys import agency_key_create
from ingestion.services.tokens import GRACE, token_create, token_rotate
from missions_project.lib.errors import MissionsError
from tests.factories import make_member
from tests.ingestion.files import good_row
from tests.ingestion.pushing import push, push_feed

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


def secret_in(answer: HttpResponse) -> str:
    assert "no-store" in answer["Cache-Control"]
    found = re.search(r'<code id="secret">([^<]+)</code>', answer.content.decode())
    assert found is not None, answer.content.decode()[:2000]
    return found[1]


@pytest.fixture
def feed(agency: Agency) -> Feed:
    return push_feed(agency)


def page(feed: Feed) -> str:
    return reverse("admin:ingestion_feed_tokens", args=[feed.pk])


def test_a_feeds_key_has_a_successor_and_both_work_until_the_old_one_ends(
    agency: Agency, owner: User, feed: Feed, sign_in: SignIn
) -> None:
    left = make_member(agency, "admin", username="left")
    old, first = token_create(feed=feed, made_by=left, scope="push", name="CAD server", days=400)
    answer = sign_in(owner).post(page(feed), {"rotate": old.token_key})
    second = secret_in(answer)
    new = ApiToken.objects.exclude(pk=old.pk).get()
    old.refresh_from_db()
    assert (new.agency, new.feed, new.scope, new.name, new.user) == (
        agency,
        feed,
        "push",
        "CAD server",
        owner,
    )
    assert abs(new.expiry - timezone.now() - dt.timedelta(days=400)) < dt.timedelta(minutes=1)
    assert abs(old.expiry - timezone.now() - GRACE) < dt.timedelta(minutes=1)
    assert [push(one, "incidents", [good_row(1)]).status_code for one in (first, second)] == [200, 200]
    # Who made the first one leaves: the second is not theirs.
    User.objects.filter(pk=left.pk).update(is_active=False)
    ApiToken.objects.filter(pk=old.pk).update(expiry=timezone.now() - dt.timedelta(seconds=1))
    assert [push(one, "incidents", [good_row(1)]).status_code for one in (first, second)] == [401, 200]
    told = AuditEvent.objects.get(action="API token rotated")
    assert (told.actor, told.detail["name"]) == (owner, "CAD server")
    assert second not in str(list(AuditEvent.objects.values()))


def test_an_agencys_key_likewise(agency: Agency, owner: User, sign_in: SignIn) -> None:
    old, first = agency_key_create(agency=agency, made_by=owner, scope="patrols", name="Terminals", days=30)
    client = sign_in(owner)
    shown = client.get(reverse("admin:ingestion_agencykey_change", args=[old.pk])).content.decode()
    address = reverse("admin:ingestion_agencykey_rotate", args=[old.pk])
    assert address in shown
    assert client.get(address).status_code == 405
    second = secret_in(client.post(address))
    asked = [
        Client(headers={"authorization": f"Token {one}"}).get(f"/api/v1/{agency.slug}/shifts/").status_code
        for one in (first, second)
    ]
    assert asked == [200, 200]
    assert AuditEvent.objects.filter(action="API key rotated", actor=owner).count() == 1


def test_a_key_that_is_over_or_unknown_has_no_successor(
    agency: Agency, owner: User, feed: Feed, sign_in: SignIn
) -> None:
    old, _ = token_create(feed=feed, made_by=owner, scope="push", name="x", days=1)
    ApiToken.objects.update(expiry=timezone.now() - dt.timedelta(days=1))
    with pytest.raises(MissionsError, match="is over"):
        token_rotate(token=old, actor=owner)
    client = sign_in(owner)
    assert "is over" in client.post(page(feed), {"rotate": old.token_key}).content.decode()
    assert client.post(page(feed), {"rotate": "nothing"}).status_code == 302
    assert ApiToken.objects.count() == 1


def test_a_key_that_ends_sooner_than_three_days_is_not_made_to_last(owner: User, feed: Feed) -> None:
    old, _ = token_create(feed=feed, made_by=owner, scope="push", name="x", days=100)
    soon = timezone.now() + dt.timedelta(hours=1)
    ApiToken.objects.filter(pk=old.pk).update(expiry=soon)
    token_rotate(token=old, actor=owner)
    old.refresh_from_db()
    assert old.expiry == soon


def test_nobody_changes_another_agencys_keys(
    agency: Agency, owner: User, stranger: User, feed: Feed, sign_in: SignIn
) -> None:
    token, _ = token_create(feed=feed, made_by=owner, scope="push", name="x", days=30)
    key, _ = agency_key_create(agency=agency, made_by=owner, scope="read", name="y", days=30)
    for person, codes in ((stranger, {302, 403, 404}), (make_member(agency, "supervisor"), {302, 403, 404})):
        client = sign_in(person)
        assert client.post(page(feed), {"rotate": token.token_key}).status_code in codes
        assert client.post(reverse("admin:ingestion_agencykey_rotate", args=[key.pk])).status_code in codes
    assert ApiToken.objects.count() == 2
