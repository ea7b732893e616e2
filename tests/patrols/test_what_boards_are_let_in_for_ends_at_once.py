"""Open boards are answered from what is kept, unasked: until the person's session, account or role is no longer what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.cache import cache, caches
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from redis.exceptions import ConnectionError as NoRedis

from agencies import grants
from agencies.models import Membership, Role, User
from ingestion.live_views import live_nudge
from patrols import board_cache
from patrols.models import MissionPlan
from patrols.selectors import mission_of
from patrols.services import mission_withdraw
from tests.factories import make_member
from tests.patrols.scenes import ON, Scene

pytestmark = pytest.mark.django_db
PARTS = ("version", "board_list", "plan_geojson")


@pytest.fixture(autouse=True)
def _fresh(settings: Any) -> Iterator[None]:
    settings.LIVE_CACHE_SECONDS = 60
    cache.clear()
    yield
    cache.clear()


def addresses(scene: Scene) -> list[str]:
    return [reverse(f"patrols:{name}", args=[scene.agency.slug, ON, scene.shift.slug]) for name in PARTS]


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def test_list_and_boxes_cost_no_query_to_who_was_let_in(
    scene: Scene, plan: MissionPlan, supervisor: User
) -> None:
    client = signed_in(supervisor)
    first = [client.get(address) for address in addresses(scene)]
    assert [answer.status_code for answer in first] == [200, 200, 200]
    assert b"mission--" in first[1].content
    assert len(first[2].json()["features"]) == plan.missions.count()
    with CaptureQueriesContext(connection) as asked:
        again = [client.get(address) for address in addresses(scene)]
    assert len(asked) == 0
    assert [answer.content for answer in again] == [answer.content for answer in first]


def test_what_is_kept_for_who_may_change_a_shift_is_not_given_to_who_may_not(
    scene: Scene, plan: MissionPlan, supervisor: User
) -> None:
    own, auditor = signed_in(supervisor), signed_in(make_member(scene.agency, "auditor"))
    address = addresses(scene)[1]
    for _ in range(2):
        assert b"Drag a unit to a box" in own.get(address).content
        assert b"Drag a unit to a box" not in auditor.get(address).content


def test_who_was_remembered_for_a_session_is_asked_for_again(
    scene: Scene, plan: MissionPlan, supervisor: User
) -> None:
    first, second = signed_in(supervisor), signed_in(make_member(scene.agency, "supervisor"))
    address = addresses(scene)[1]
    for client in (first, second):
        assert client.get(address).status_code == 200
    # What a process remembers is where to look, not whom to let in.
    for client in (first, second):
        key = grants._key(client.cookies[settings.SESSION_COOKIE_NAME].value, scene.agency.slug)
        caches["process"].set(key, supervisor.pk)
    dismissed(supervisor, first)
    assert [client.get(address).status_code for client in (first, second)] == [404, 200]


def test_a_process_tells_others_what_it_told_one_and_lists_at_once_what_is_new(
    scene: Scene, plan: MissionPlan, supervisor: User, settings: Any
) -> None:
    settings.LIVE_TOLD_SECONDS = 60
    client, other = signed_in(supervisor), signed_in(make_member(scene.agency, "supervisor"))
    version, listed, _ = addresses(scene)
    told = client.get(version).json()["plan"]
    assert told in client.get(listed).content.decode()
    mission_withdraw(mission=mission_of(scene.agency, plan.missions.first().pk), reason="x", actor=supervisor)
    live_nudge(scene.agency.pk)
    assert other.get(version).json()["plan"] == told
    # Who did it sees it without waiting for what others are told.
    assert told not in client.get(listed).content.decode()
    settings.LIVE_TOLD_SECONDS = 0
    caches["process"].clear()
    assert other.get(version).json()["plan"] != told


def demoted(person: User, client: Client) -> None:
    role = Membership.objects.get(user=person)
    role.role = Role.OFFICER
    role.save()


def dismissed(person: User, client: Client) -> None:
    Membership.objects.get(user=person).delete()


def switched_off(person: User, client: Client) -> None:
    person.is_active = False
    person.save()


def device_ended(person: User, client: Client) -> None:
    UserSession.objects.get(user=person, session_key=client.session.session_key).end()


@pytest.mark.parametrize(
    ("change", "status"), [(demoted, 403), (dismissed, 404), (switched_off, 302), (device_ended, 302)]
)
def test_a_change_of_the_person_is_heard_at_the_next_question(
    scene: Scene, plan: MissionPlan, supervisor: User, change: Callable[[User, Client], None], status: int
) -> None:
    client = signed_in(supervisor)
    # The row of the device is written by the page after the sign-in.
    UserSession.objects.get_or_create(
        user=supervisor, session_key=client.session.session_key, defaults={"ip": "127.0.0.1"}
    )
    for address in addresses(scene):
        assert client.get(address).status_code == 200
    change(supervisor, client)
    assert [client.get(address).status_code for address in addresses(scene)] == [status] * 3


def test_a_copied_cookie_opens_nothing_after_a_sign_out(
    scene: Scene, plan: MissionPlan, supervisor: User
) -> None:
    client, thief = signed_in(supervisor), Client()
    thief.cookies = client.cookies.copy()
    address = addresses(scene)[1]
    assert (client.get(address).status_code, thief.get(address).status_code) == (200, 200)
    client.logout()
    client.post(reverse("account_logout"))
    assert thief.get(address).status_code == 302


def test_a_grant_that_is_kept_after_a_role_was_taken_is_worth_nothing(
    scene: Scene, plan: MissionPlan, supervisor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion import live_views

    def late(request: Any, access: Any, turn: str) -> None:
        # Between the question for the role and the keeping of its answer the role is taken away.
        Membership.objects.filter(user=supervisor).first().delete()
        grants.grant_keep(request, access, turn)

    client = signed_in(supervisor)
    monkeypatch.setattr(live_views, "grant_keep", late)
    assert client.get(addresses(scene)[1]).status_code == 200
    monkeypatch.undo()
    assert client.get(addresses(scene)[1]).status_code == 404


def test_a_board_that_polls_is_not_idle_however_short_that_is(settings: Any) -> None:
    settings.GRANT_SECONDS, settings.SESSION_IDLE_MINUTES = 240, 2
    assert grants._seconds() == 60
    settings.SESSION_IDLE_MINUTES = 30
    assert grants._seconds() == 240
    settings.SESSION_IDLE_MINUTES = 0
    assert grants._seconds() == 240


def test_a_second_factor_is_asked_for_by_these_views_too(
    scene: Scene, plan: MissionPlan, settings: Any, supervisor: User
) -> None:
    settings.MFA_REQUIRED_ROLES = ("supervisor",)
    client = signed_in(supervisor)
    for address in addresses(scene):
        answer = client.get(address)
        assert answer.status_code == 302
        assert "2fa" in answer["Location"]


def test_who_asks_itself_is_known_by_its_view_and_not_by_how_its_address_ends(scene: Scene) -> None:
    asked = RequestFactory()
    assert grants.is_asked_by_view(asked.get(addresses(scene)[1]))
    assert not grants.is_asked_by_view(asked.get("/admin/nowhere/version.json"))
    # A shift or a city may be called "list": the page of that name is asked as any other.
    assert not grants.is_asked_by_view(asked.get(f"/{scene.agency.slug}/list/"))
    assert not grants.is_asked_by_view(
        asked.get(reverse("patrols:board", args=[scene.agency.slug, ON, "list"]))
    )


def test_the_views_that_ask_themselves_are_these() -> None:
    def names(resolver: URLResolver, before: str = "") -> Iterator[str]:
        for one in resolver.url_patterns:
            if isinstance(one, URLResolver):
                yield from names(one, f"{one.namespace}:" if one.namespace else before)
            elif isinstance(one, URLPattern) and getattr(one.callback, "looks_at_grants", False):
                yield f"{before}{one.name}"

    assert set(names(get_resolver())) == {
        "ingestion:version", "patrols:version", "patrols:board_list", "patrols:plan_geojson",
    }  # fmt: skip


def test_an_account_is_made_while_the_cache_is_away(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise NoRedis("nobody there")

    monkeypatch.setattr(grants.cache, "set", away)
    person = make_member(scene.agency, "analyst")
    assert Membership.objects.filter(user=person).exists()


@pytest.mark.parametrize("is_known", [True, False])
def test_who_asks_for_what_another_is_working_out_is_told_to_come_again(
    scene: Scene, plan: MissionPlan, supervisor: User, is_known: bool
) -> None:
    client = signed_in(supervisor)
    _, lists, boxes = addresses(scene)
    if is_known:
        assert client.get(addresses(scene)[0]).status_code == 200
    seen: list[int] = []
    real = board_cache.gzip.compress

    def slowly(*args: Any, **kwargs: Any) -> bytes:
        # In the middle of one's work another asks for the same.
        seen.append(
            signed_in(supervisor).get(lists).status_code if not is_known else client.get(lists).status_code
        )
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(board_cache.gzip, "compress", slowly)
        assert client.get(lists).status_code == 200
    assert seen == [204]
    assert (client.get(lists).status_code, client.get(boxes).status_code) == (200, 200)


def test_whoever_failed_at_it_leaves_it_to_the_next(
    scene: Scene, plan: MissionPlan, supervisor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(supervisor)
    lists = addresses(scene)[1]

    def broken(*args: Any, **kwargs: Any) -> bytes:
        raise RuntimeError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(board_cache.gzip, "compress", broken)
        with pytest.raises(RuntimeError, match="no more"):
            client.get(lists)
    assert client.get(lists).status_code == 200
