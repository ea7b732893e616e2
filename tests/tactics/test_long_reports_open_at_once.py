"""Long reports open at once: the last count with its time, while a worker counts anew; files and machines get no old one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from kombu.exceptions import OperationalError

from agencies.access import Access
from agencies.models import Agency, Membership, User
from forecasting.services import grid_build
from missions_project import pipeline
from tactics import receivers
from tactics.reports import kept
from tactics.reports.asked import asked_from, choices_of
from tactics.reports.kinds import all_kinds
from tactics.reports.trends import CrimeTrends
from tactics.tasks import report_again_task, reports_ahead_task
from tests.factories import make_agency, make_member
from tests.forecasting.scenes import CELL_SIZE_M, make_incidents

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
TRENDS, NOTE = "crime-trends", "a new count is under way"


@pytest.fixture
def town() -> Agency:
    cache.clear()
    agency = make_agency("trendville", cell_size_m=CELL_SIZE_M)
    make_incidents(agency)
    grid_build(agency=agency)
    return agency


@pytest.fixture
def analyst(town: Agency) -> User:
    return make_member(town, "analyst")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reports that were counted, in their order."""
    found: list[str] = []
    make = kept.report_made

    def told(agency: Agency, kind: Any, asked: Any) -> Any:
        found.append(kind.slug)
        return make(agency, kind, asked)

    monkeypatch.setattr(kept, "report_made", told)
    return found


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What workers were asked for; none does it."""
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(report_again_task, "delay", lambda *args: found.append(args))
    return found


def address(name: str, *args: str) -> str:
    return reverse(f"tactics:{name}", args=["trendville", *args])


def grow_old(monkeypatch: pytest.MonkeyPatch, hours: int = 5) -> None:
    """Every report that is kept was counted so long ago."""
    own = caches["reports"].get
    old: dict[str, Any] = {}

    def aged(key: str, *args: Any) -> Any:
        found = own(key, *args)
        if found is not None and old.setdefault(key, found.made_at) == found.made_at:
            return replace(found, made_at=found.made_at - dt.timedelta(hours=hours))
        return found

    monkeypatch.setattr(type(caches["reports"]), "get", lambda self, key, *args: aged(key, *args))


def test_an_old_count_is_shown_with_its_time_and_counted_anew_by_one_worker(
    sign_in: SignIn, analyst: User, counted: list[str], sent: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    client = sign_in(analyst)
    assert NOTE not in client.get(address("report", TRENDS)).content.decode()
    assert counted == [TRENDS]
    grow_old(monkeypatch)
    pages = [client.get(address("report", TRENDS)) for _ in range(3)]
    assert all(NOTE in page.content.decode() for page in pages)
    assert timezone.now() - pages[0].context["report"].made_at > dt.timedelta(hours=4)
    assert counted == [TRENDS], "no page waited"
    assert len(sent) == 1, "three readers, one count"
    # What the worker does with it.
    report_again_task(*sent[0])
    assert counted == [TRENDS, TRENDS]
    page = client.get(address("report", TRENDS))
    assert NOTE not in page.content.decode()
    assert counted == [TRENDS, TRENDS]


def test_charts_draw_what_the_page_shows_and_files_and_machines_get_a_new_count(
    sign_in: SignIn, analyst: User, counted: list[str], sent: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    client = sign_in(analyst)
    client.get(address("report", TRENDS))
    grow_old(monkeypatch)
    assert client.get(address("report_chart", TRENDS, "weeks")).status_code == 200
    assert counted == [TRENDS]
    table = client.get(address("table_csv", TRENDS))
    assert table.status_code == 200
    b"".join(table)  # type: ignore[call-overload]  # a streamed answer
    assert counted == [TRENDS, TRENDS]


def test_what_is_short_or_cut_to_one_person_is_never_old(
    sign_in: SignIn, analyst: User, counted: list[str], sent: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    client = sign_in(analyst)
    monkeypatch.setattr(CrimeTrends, "is_long", False)
    client.get(address("report", TRENDS))
    grow_old(monkeypatch)
    assert NOTE not in client.get(address("report", TRENDS)).content.decode()
    assert (counted, sent) == ([TRENDS, TRENDS], [])
    assert not any(kind.is_personal and kind.is_long for kind in all_kinds().values())


@pytest.mark.parametrize("trouble", [OperationalError("away"), OSError("no folder")])
def test_where_no_worker_can_be_asked_the_page_counts_itself(
    sign_in: SignIn, analyst: User, counted: list[str], monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def away(*args: object) -> None:
        raise trouble

    client = sign_in(analyst)
    client.get(address("report", TRENDS))
    grow_old(monkeypatch)
    monkeypatch.setattr(report_again_task, "delay", away)
    assert NOTE not in client.get(address("report", TRENDS)).content.decode()
    assert counted == [TRENDS, TRENDS]


def test_a_question_that_makes_no_sense_any_more_is_left_to_the_page(
    town: Agency, counted: list[str]
) -> None:
    report_again_task(town.pk, TRENDS, "type=gone", "en")
    assert counted == []


def test_reports_are_counted_before_people_come_in_each_readers_language(
    sign_in: SignIn, analyst: User, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep = make_member(make_agency("sleepy"), "admin")
    User.objects.filter(pk=asleep.pk).update(last_login=timezone.now() - dt.timedelta(days=30))
    other = make_member(Agency.objects.get(slug="trendville"), "supervisor")
    User.objects.filter(pk=other.pk).update(last_login=timezone.now(), language="es")
    User.objects.filter(pk=analyst.pk).update(last_login=timezone.now())
    asked: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(reports_ahead_task, "delay", lambda *args: asked.append(args))
    assert [pipeline.reports_ahead() for _ in range(3)] == [1, 0, 0], "once a turn"
    assert [languages for _, languages in asked] == [["en", "es"]]
    reports_ahead_task(*asked[0])
    long = [slug for slug, kind in all_kinds().items() if kind.is_long]
    assert counted == long * 2
    client = sign_in(analyst)
    for slug in long:
        assert client.get(address("report", slug)).status_code == 200
    assert len(counted) == len(long) * 2, "no page counted again"


def test_who_signs_in_has_them_counted_at_once_and_only_once_a_turn(
    town: Agency, analyst: User, counted: list[str], monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:  # fmt: skip
    """Until then nobody had come for two weeks: the first report that is opened would count years of crimes."""
    make_member(make_agency("elsewhere"), "admin")
    analyst.set_password("a pass phrase of some length")
    analyst.save()
    asked: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(reports_ahead_task, "delay", lambda *args: asked.append(args))
    words = {"login": analyst.username, "password": "a pass phrase of some length"}
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert Client().post(reverse("account_login"), words).status_code == 302
    assert asked == [(town.pk, ["en"])]
    assert pipeline.reports_ahead() == 0


def test_nobody_is_kept_from_signing_in_by_a_broker_that_is_away(
    town: Agency, analyst: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=analyst.pk).update(last_login=timezone.now())

    def away(*_args: Any) -> None:
        raise OperationalError("Connection refused.")

    monkeypatch.setattr(reports_ahead_task, "delay", away)
    assert kept.ahead_ask(analyst) == 0
    asked: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(reports_ahead_task, "delay", lambda *args: asked.append(args))
    assert pipeline.reports_ahead() == 1


def test_nobody_is_kept_from_signing_in_by_a_cache_that_is_away(
    town: Agency, analyst: User, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:  # fmt: skip
    analyst.set_password("a pass phrase of some length")
    analyst.save()
    tried: list[User] = []

    def away(person: User) -> int:
        tried.append(person)
        raise ConnectionError("Error 111 connecting to 127.0.0.1:6379.")

    monkeypatch.setattr(receivers, "ahead_ask", away)
    words = {"login": analyst.username, "password": "a pass phrase of some length"}
    with django_capture_on_commit_callbacks(execute=True):
        assert Client().post(reverse("account_login"), words).status_code == 302
    assert tried == [analyst]


def test_what_another_release_has_kept_is_not_read(
    sign_in: SignIn, analyst: User, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tables may be others than this one's charts are drawn from."""
    client = sign_in(analyst)
    for release, n in (("a", 1), ("a", 1), ("b", 2)):
        monkeypatch.setattr(kept, "MADE_BY", release)
        assert client.get(address("report", TRENDS)).status_code == 200
        assert len(counted) == n


def test_there_is_a_turn_at_local_midnight_and_one_at_five(analyst: User) -> None:
    midnight = dt.datetime(2026, 7, 1, 5, 0, tzinfo=dt.UTC)  # in Chicago
    moments = [midnight - dt.timedelta(minutes=1), midnight, midnight + dt.timedelta(hours=4, minutes=59)]
    moments += [midnight + dt.timedelta(hours=5), midnight + dt.timedelta(hours=23)]
    User.objects.filter(pk=analyst.pk).update(last_login=midnight)
    assert [len(kept.ahead_due(now=moment)) for moment in moments] == [1, 1, 0, 1, 0]


def test_what_one_agency_or_language_reads_no_other_does(town: Agency, counted: list[str]) -> None:
    """The same question three times over: in Spanish, of another agency, and of one that has a trial's number anew."""
    kind = all_kinds()[TRENDS]
    asked = asked_from({}, choices_of(town), today=timezone.localdate(), days=28, options=kind.options)
    person = make_member(town, "analyst")
    access = Access(town, person, Membership.objects.get(user=person))
    town.created_at -= dt.timedelta(days=1)
    lakeside = make_agency("lakeside", cell_size_m=CELL_SIZE_M)
    make_incidents(lakeside)
    make_member(lakeside, "admin")
    grid_build(agency=lakeside)
    for agency in (town, lakeside):
        kept.report_of(agency, kind, asked, access)
        kept.report_of(agency, kind, asked, access)
    town.created_at += dt.timedelta(days=1)
    kept.report_of(town, kind, asked, access)
    with translation.override("es"):
        kept.report_of(town, kind, asked, access)
    assert len(counted) == 4
