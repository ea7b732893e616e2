"""What a map shows of gunfire is read as a table: the same alerts, by the agency's clock, by beat, for the same people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, Role, User
from agencies.selectors import beats_at
from ingestion.models import GunfireAlert
from tests.factories import make_agency, make_member
from tests.ingestion.files import place
from tests.ingestion.pushing import make_gunfire_type, make_token, push, push_feed

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


def heard(agency: Agency, n: int = 3) -> None:
    make_gunfire_type(agency)
    now = timezone.now()
    rows = [
        {"id": f"{agency.slug}-{k}", "occurred_at": (now - dt.timedelta(minutes=20 * k + 5)).isoformat(),
         "lon": place(k)[0], "lat": place(k)[1], "stage": "detected"}
        for k in range(n)
    ]  # fmt: skip
    push(make_token(push_feed(agency, "gunfire")), "gunfire", rows)


def test_the_table_holds_the_alerts_of_the_map_newest_first(
    agency: Agency, colleague: User, sign_in: SignIn
) -> None:
    heard(agency)
    client = sign_in(colleague)
    drawn = client.get(reverse("ingestion:alerts", args=["riverton"])).json()["features"]
    shown = client.get(reverse("ingestion:alerts_table", args=["riverton"]))
    rows = list(shown.context["page"])
    assert len(drawn) == 3
    assert [row.alert.pk for row in rows] == [one["id"] for one in drawn]
    assert [[round(row.alert.lon, 5), round(row.alert.lat, 5)] for row in rows] == [
        one["geometry"]["coordinates"] for one in drawn
    ]
    assert [row.beat for row in rows] == beats_at(
        agency, [row.alert.lon for row in rows], [row.alert.lat for row in rows]
    )
    text = shown.content.decode()
    local = rows[0].alert.occurred_from.astimezone(ZoneInfo(agency.time_zone))
    assert f"{local:%H:%M}" in text
    assert "Detected" in text


def test_what_was_dismissed_or_is_older_than_a_day_is_in_neither(
    agency: Agency, colleague: User, sign_in: SignIn
) -> None:
    heard(agency)
    newest, next_one, _ = GunfireAlert.objects.order_by("-occurred_from")
    GunfireAlert.objects.filter(pk=newest.pk).update(is_gunfire=False, stage="dismissed")
    GunfireAlert.objects.filter(pk=next_one.pk).update(occurred_from=timezone.now() - dt.timedelta(hours=25))
    client = sign_in(colleague)
    drawn = client.get(reverse("ingestion:alerts", args=["riverton"])).json()["features"]
    rows = client.get(reverse("ingestion:alerts_table", args=["riverton"])).context["page"]
    assert [row.alert.pk for row in rows] == [one["id"] for one in drawn]
    assert len(drawn) == 1


def test_alerts_of_one_beat_are_asked_for_and_a_beat_that_is_none_is_refused(
    agency: Agency, colleague: User, sign_in: SignIn
) -> None:
    heard(agency)
    client, here = sign_in(colleague), reverse("ingestion:alerts_table", args=["riverton"])
    everything = list(client.get(here).context["page"])
    code = next(row.beat for row in everything if row.beat)
    own = client.get(here, {"beat": code}).context["page"]
    assert [row.alert.pk for row in own] == [row.alert.pk for row in everything if row.beat == code]
    assert client.get(here, {"beat": "none"}).status_code == 404


def test_each_role_reads_it_and_another_agencys_alerts_are_not_in_it(agency: Agency, sign_in: SignIn) -> None:
    other = make_agency("lakeside")
    heard(other)
    here = reverse("ingestion:alerts_table", args=["riverton"])
    for role in Role.values:
        answer = sign_in(make_member(agency, role)).get(here)
        assert answer.status_code == 200, role
        assert "No gunfire was told" in answer.content.decode()
    assert sign_in(make_member(other, "admin")).get(here).status_code == 404
    assert sign_in(None).get(here).status_code == 302


def test_it_asks_as_few_questions_for_many_as_for_few(
    agency: Agency, colleague: User, sign_in: SignIn
) -> None:
    client, here = sign_in(colleague), reverse("ingestion:alerts_table", args=["riverton"])
    heard(agency, 3)
    client.get(here)
    with CaptureQueriesContext(connection) as few:
        client.get(here)
    feed = GunfireAlert.objects.all()[0].feed
    rows = [
        {"id": f"more-{k}", "occurred_at": (timezone.now() - dt.timedelta(minutes=k + 1)).isoformat(),
         "lon": place(k)[0], "lat": place(k)[1], "stage": "detected"}
        for k in range(120)
    ]  # fmt: skip
    push(make_token(feed), "gunfire", rows)
    with CaptureQueriesContext(connection) as many:
        page = client.get(here).context["page"]
    assert (page.paginator.count, page.paginator.num_pages) == (123, 2)
    assert len(many) == len(few) <= 7
