"""Notices: written with the event, sent once, tried again, given up; to those who chose it; with nothing about persons."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, CrimeType, District, Membership, Unit, User
from missions_project import pipeline
from missions_project.lib.errors import MissionsError
from missions_project.lib.outbox import MAX_ATTEMPTS, wait_after
from missions_project.lib.runs import RunStatus
from patrols.models import MissionPlan, NoticeChoice, NoticeDelivery
from patrols.services import (
    failures_record,
    mission_add,
    mission_assign,
    mission_withdraw,
    notice_choice_set,
    notice_record,
    notice_send,
    notices_claim,
    plan_missions,
    plan_publish,
    plan_queue,
)
from tests.factories import make_member
from tests.patrols.rounds import claim_and_run, copying_forecast, one_shift_scene
from tests.patrols.scenes import ON, Scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
HOOK = "https://hooks.example.org/missions?token=abc"


class Hook:
    """A web-hook's server: what it got, and how it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.url = ""


@pytest.fixture
def hook(settings: Any) -> Iterator[Hook]:
    settings.NOTICE_PRIVATE_HOSTS = ("127.0.0.1",)
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((dict(self.headers.items()), body))
            self.send_response(made.status)
            if made.status == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def chosen(scene: Scene, role: str = "supervisor", **changes: Any) -> NoticeChoice:
    person = make_member(scene.agency, role)
    wanted: dict[str, Any] = {
        "when_published": True, "when_changed": True, "when_failed": True, "by_email": True, "webhook_url": "",
    }  # fmt: skip
    return notice_choice_set(membership=Membership.objects.get(user=person), **wanted | changes)[0]


def send_all(later: dt.timedelta = dt.timedelta(minutes=6)) -> list[bool]:
    """What dispatcher and worker do once the five minutes of changes are over."""
    claimed = notices_claim(now=timezone.now() + later)
    return [notice_send(pk=pk, attempt=attempt) for pk, attempt in claimed]


def deliveries(**filters: Any) -> list[NoticeDelivery]:
    return list(NoticeDelivery.objects.filter(**filters).order_by("pk"))


def test_a_publication_is_told_by_mail_to_those_who_chose_it(scene: Scene) -> None:
    told = chosen(scene)
    chosen(scene, when_published=False)
    chosen(scene, by_email=False)
    plan = scene.plan(publish=True)
    assert send_all() == [True]
    (message,) = mail.outbox
    assert message.to == [told.membership.user.email]
    assert message.subject == "[Riverton PD] Evening 2026-03-14: plan published"
    assert "http://localhost:8000/riverton/shifts/2026-03-14/evening/" in message.body
    (row,) = deliveries()
    assert (row.state, row.plan, row.attempts) == ("sent", plan, 1)
    assert send_all() == []


def test_a_notice_is_stored_with_the_event_or_not_at_all(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen(scene)
    plan = scene.plan()
    with transaction.atomic():
        plan_publish(plan=plan, actor=None)
        assert len(deliveries()) == 1
        # The power fails before the transaction ends.
        transaction.set_rollback(True)
    plan.refresh_from_db()
    assert (plan.state, deliveries()) == ("draft", [])


def test_an_event_that_is_told_twice_is_one_notice(scene: Scene) -> None:
    chosen(scene)
    plan = scene.plan(publish=True)
    notice_record(plan=plan, event="published", what="")
    assert len(deliveries()) == 1


def test_changes_within_five_minutes_are_one_notice(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen(scene)
    plan = scene.plan(publish=True)
    NoticeDelivery.objects.all().delete()
    person = make_member(scene.agency, "supervisor")
    at = dt.datetime(2026, 3, 14, 22, 1, tzinfo=dt.UTC)
    monkeypatch.setattr("patrols.services.notices.timezone.now", lambda: at)
    first, second = plan.missions.order_by("number")[:2]
    mission_withdraw(mission=first, reason="road closed by the fair", actor=person)
    mission_assign(mission=second, unit=Unit.objects.filter(agency=scene.agency)[0], actor=person)
    free = next(c for c in scene.spec.cells.tolist() if not plan.missions.filter(cell_id=c).exists())
    mission_add(
        plan=plan, cell_id=free, crime_type=CrimeType.objects.filter(agency=scene.agency)[0],
        starts_at=plan.period_from, dose_minutes=12, reason="asked for by shops", actor=person,
    )  # fmt: skip
    (row,) = deliveries()
    assert row.payload["what"] == ["Mission 1 withdrawn.", "Mission 2 assigned.", "Mission 13 added."]
    assert row.next_at == at + dt.timedelta(minutes=4)
    assert notices_claim(now=at + dt.timedelta(minutes=3)) == []
    monkeypatch.setattr("patrols.services.notices.timezone.now", lambda: at + dt.timedelta(minutes=5))
    mission_assign(mission=second, unit=None, actor=person)
    assert len(deliveries()) == 2


def test_changes_of_a_draft_are_nobodys_news(scene: Scene) -> None:
    chosen(scene)
    plan = scene.plan()
    mission_withdraw(
        mission=plan.missions.all()[0], reason="road closed", actor=make_member(scene.agency, "admin")
    )
    assert deliveries() == []


def test_a_plan_that_could_not_be_made_is_told_with_its_reason_and_next_step(scene: Scene) -> None:
    chosen(scene)
    Unit.objects.update(missions_per_shift=0)
    plan = plan_queue(agency=scene.agency, shift=scene.shift, on=ON)
    with pytest.raises(MissionsError):
        plan_missions(plan=plan)
    assert [failures_record(now=timezone.now()), failures_record(now=timezone.now())] == [1, 0]
    assert send_all() == [True]
    assert "no plan" in mail.outbox[0].subject
    assert "Next step: put units on duty" in mail.outbox[0].body


def test_a_shift_that_the_schedule_could_not_plan_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = one_shift_scene(ON)
    copying_forecast(monkeypatch, scene)
    chosen(scene)
    Unit.objects.update(missions_per_shift=0)
    (row,) = claim_and_run(scene.run.period_from)
    assert row.state == "failed"
    assert failures_record(now=timezone.now()) == 0, "the round told it already"
    (told,) = deliveries(event="failed")
    assert "Admin → Units" in told.payload["what"][0]


def test_a_web_hook_gets_a_signed_body_without_anything_about_persons(scene: Scene, hook: Hook) -> None:
    person = make_member(scene.agency, "supervisor", username="perkins")
    choice, secret = notice_choice_set(
        membership=Membership.objects.get(user=person), when_published=True, when_changed=True, when_failed=True,
        by_email=False, webhook_url=hook.url,
    )  # fmt: skip
    plan = scene.plan(publish=True, actor=person)
    mission_withdraw(
        mission=plan.missions.order_by("number")[0], reason="gas leak at the corner", actor=person
    )
    assert send_all() == [True, True]
    for headers, body in hook.got:
        stamp = headers["X-Missions-Timestamp"]
        expected = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["X-Missions-Signature"] == f"sha256={expected}"
        text = body.decode()
        assert not any(word in text for word in ("perkins", "@", "gas leak", secret))
    told = json.loads(hook.got[0][1])
    assert told.keys() == {
        "id", "event", "agency", "agency_name", "shift", "shift_name", "on", "plan", "decision", "what", "board",
        "created_at",
    }  # fmt: skip
    assert (told["agency"], told["plan"], told["event"]) == ("riverton", plan.pk, "published")
    assert told["board"].startswith("http://localhost:8000/riverton/shifts/")
    assert told["id"] == hook.got[0][0]["X-Missions-Delivery"]
    assert choice.webhook_secret
    assert secret not in choice.webhook_secret


@pytest.mark.parametrize(
    ("status", "words"), [(500, "answered 500"), (302, "redirects"), (404, "answered 404")]
)
def test_what_a_web_hook_refuses_is_tried_again_later_and_given_up_after_eight_times(
    scene: Scene, hook: Hook, status: int, words: str
) -> None:
    hook.status = status
    chosen(scene, by_email=False, webhook_url=hook.url)
    scene.plan(publish=True)
    now = timezone.now()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        NoticeDelivery.objects.update(next_at=now)
        assert send_all() == [False]
        (row,) = deliveries()
        assert row.attempts == attempt
        assert words in row.error
        if attempt < MAX_ATTEMPTS:
            assert row.state == "waiting"
            assert row.next_at > now
    assert row.state == "given_up"
    NoticeDelivery.objects.update(next_at=now)
    assert send_all() == []
    assert len(hook.got) == MAX_ATTEMPTS


def test_waits_grow_and_never_all_end_at_once() -> None:
    for attempt in range(1, MAX_ATTEMPTS):
        least, most = wait_after(attempt, chance=0.0), wait_after(attempt, chance=1.0)
        assert least < most == dt.timedelta(minutes=2 ** (attempt - 1))
        assert least <= wait_after(attempt) <= most


@pytest.mark.parametrize("hosts", [(), ("lakeside=127.0.0.1",)])
def test_a_web_hook_inside_our_own_network_is_refused(
    scene: Scene, hook: Hook, settings: Any, hosts: tuple[str, ...]
) -> None:
    chosen(scene, by_email=False, webhook_url=hook.url)
    settings.NOTICE_PRIVATE_HOSTS = hosts
    scene.plan(publish=True)
    assert send_all() == [False]
    (row,) = deliveries()
    assert "not on the public internet" in row.error
    assert "NOTICE_PRIVATE_HOSTS" in row.error
    assert hook.got == []


def test_a_host_that_is_named_for_one_agency_is_open_for_it_alone(
    scene: Scene, hook: Hook, settings: Any
) -> None:
    settings.NOTICE_PRIVATE_HOSTS = ("lakeside=127.0.0.1",)
    with pytest.raises(MissionsError, match="needs encryption"):
        chosen(scene, by_email=False, webhook_url=hook.url)
    settings.NOTICE_PRIVATE_HOSTS = (f"{scene.agency.slug}=127.0.0.1",)
    chosen(scene, by_email=False, webhook_url=hook.url)
    scene.plan(publish=True)
    assert send_all() == [True]
    assert len(hook.got) == 1


def test_a_secret_whose_key_is_lost_says_so_and_nothing_is_sent_unsigned(
    scene: Scene, hook: Hook, settings: Any
) -> None:
    chosen(scene, by_email=False, webhook_url=hook.url)
    settings.FEED_SECRETS_KEYS = ("quite another key",)
    scene.plan(publish=True)
    assert send_all() == [False]
    assert "ask for a new one on the page Notices" in deliveries()[0].error
    assert hook.got == []


def test_a_worker_killed_while_sending_is_followed_by_another_and_two_never_send_one_notice(
    scene: Scene,
) -> None:
    chosen(scene)
    scene.plan(publish=True)
    now = timezone.now()
    ((pk, first),) = notices_claim(now=now)
    assert notices_claim(now=now) == []
    ((_, second),) = notices_claim(now=now + dt.timedelta(minutes=11))
    assert [notice_send(pk=pk, attempt=first), notice_send(pk=pk, attempt=second)] == [False, True]
    assert len(mail.outbox) == 1
    assert notice_send(pk=pk, attempt=second) is False


def test_a_notice_whose_workers_all_died_is_given_up(scene: Scene) -> None:
    chosen(scene)
    scene.plan(publish=True)
    NoticeDelivery.objects.update(attempts=MAX_ATTEMPTS)
    assert notices_claim(now=timezone.now() + dt.timedelta(hours=1)) == []
    (row,) = deliveries()
    assert (row.state, bool(row.error)) == ("given_up", True)


def test_who_no_longer_sees_plans_is_told_nothing_and_districts_do_not_matter(scene: Scene) -> None:
    limited, demoted, gone = (chosen(scene) for _ in range(3))
    limited.membership.districts.add(District.objects.filter(agency=scene.agency)[0])
    Membership.objects.filter(pk=demoted.membership_id).update(role="officer")
    User.objects.filter(pk=gone.membership.user_id).update(is_active=False)
    scene.plan(publish=True)
    assert [row.choice for row in deliveries()] == [limited]


def test_the_dispatcher_tells_and_sends(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(pipeline.notice_task, "delay", lambda pk, attempt: sent.append((pk, attempt)))
    chosen(scene)
    plan = scene.plan()
    MissionPlan.objects.filter(pk=plan.pk).update(status=RunStatus.FAILED, error="No plan. Next step: try.")
    assert pipeline.notices_due() == 1
    assert sent == [(deliveries()[0].pk, 1)]
    assert pipeline.notices_due() == 0


def test_a_change_costs_one_query_where_nobody_listens(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    with CaptureQueriesContext(connection) as captured:
        assert notice_record(plan=plan, event="changed", what="Mission 1 moved.") == 0
    # Two of them only open and close the transaction.
    assert sum("SAVEPOINT" not in query["sql"] for query in captured) == 1


# The page


def notices_page(client: Client, **data: Any) -> str:
    address = reverse("patrols:notices", args=["riverton"])
    return (client.post(address, data) if data else client.get(address)).content.decode()


def test_a_person_chooses_and_sees_the_secret_once(scene: Scene, sign_in: SignIn) -> None:
    client = sign_in(make_member(scene.agency, "analyst"))
    first = notices_page(client, when_published="on", webhook_url=HOOK)
    choice = NoticeChoice.objects.get()
    assert (choice.when_published, choice.when_failed, choice.webhook_url) == (True, False, HOOK)
    assert "shown only now" in first
    secret = first.split('class="secret">')[1].split("</code>")[0]
    assert len(secret) > 40
    for page in (notices_page(client), notices_page(client, when_failed="on", webhook_url=HOOK)):
        assert secret not in page
        assert "shown only now" not in page
        assert choice.webhook_secret not in page
    renewed = notices_page(client, renew="1")
    assert "shown only now" in renewed
    assert secret not in renewed
    choice.refresh_from_db()
    assert choice.when_failed
    moved = notices_page(client, webhook_url="https://other.example.org/x")
    assert "shown only now" in moved
    notices_page(client, webhook_url="", when_failed="on")
    choice.refresh_from_db()
    assert (choice.webhook_url, choice.webhook_secret) == ("", "")
    assert "token=abc" not in str(list(AuditEvent.objects.values_list("detail", flat=True)))


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.org/x", "ftp://hooks.example.org", "https://me:pw@hooks.example.org", "https://", "javascript:alert(1)",
     "http://[broken"],
)  # fmt: skip
def test_an_address_that_is_no_web_hook_is_refused(scene: Scene, sign_in: SignIn, url: str) -> None:
    client = sign_in(make_member(scene.agency, "supervisor"))
    assert "begins with https://" in notices_page(client, webhook_url=url)
    assert not NoticeChoice.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("supervisor", 200), ("auditor", 200), ("officer", 403)])
def test_the_page_is_for_those_who_see_plans(scene: Scene, sign_in: SignIn, role: str, status: int) -> None:
    client = sign_in(make_member(scene.agency, role))
    assert client.get(reverse("patrols:notices", args=["riverton"])).status_code == status


def test_nobody_sees_anothers_choice(scene: Scene, sign_in: SignIn) -> None:
    chosen(scene, webhook_url=HOOK)
    assert "hooks.example.org" not in notices_page(sign_in(make_member(scene.agency, "supervisor")))


def test_the_page_costs_few_queries(
    scene: Scene, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    choice = chosen(scene)
    scene.plan(publish=True)
    client = sign_in(choice.membership.user)
    with django_assert_max_num_queries(7):
        notices_page(client)
