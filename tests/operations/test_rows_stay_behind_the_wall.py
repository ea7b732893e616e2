"""Between two agencies stands a second wall, in the database: where a page forgets to ask for its agency, it sees no other's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import path

from agencies.access import EVERYONE, agency_page
from agencies.admin_base import people_of
from agencies.models import Agency, AuditEvent, Beat, Membership, User
from agencies.services import audit_record
from ingestion.models import ApiToken, ImportRun
from missions_project.lib import walls
from missions_project.lib.runs import run_execution
from missions_project.operations.doctor import services as doctor
from missions_project.operations.row_policies import (
    POLICY,
    all_tables,
    walled_now,
    walls_build,
    walls_missing,
    walls_remove,
)
from tests.agencies.rows import make_row
from tests.factories import make_agency, make_member, make_operator
from tests.ingestion.files import plain_feed

on_postgres = [pytest.mark.postgres, pytest.mark.django_db]


def of_an_agency() -> list[type[models.Model]]:
    """Every table of ours with a column that leads to an agency, by whatever name."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy
        and any(field.related_model is Agency for field in model._meta.concrete_fields)
    ]


class TestWithoutADatabase:
    def test_every_model_of_an_agency_has_a_condition(self) -> None:
        tables = all_tables()
        assert {model._meta.db_table for model in of_an_agency()} <= set(tables)
        assert {"agencies_agency", "agencies_auditchain", "agencies_auditcheckpoint"} <= set(tables)
        # What joins two tables of agencies has no column of its own.
        assert {
            "agencies_unit_shifts",
            "agencies_membership_districts",
            "tactics_savedreport_recipients",
        } <= set(tables)

    def test_a_scope_only_ever_narrows(self) -> None:
        assert walls.EVERYTHING.narrowed(3) == walls.of_agency(3)
        assert walls.of_agency(3).narrowed(4) == walls.NOTHING == walls.NOTHING.narrowed(4)
        assert walls.of_person(7).narrowed(3).person_id == 7
        assert "user_id = 7 AND agency_id IN (3)" in walls.of_person(7).narrowed(3).statement(
            only_transaction=True
        )

    def test_a_process_reaches_everything_until_a_block_says_less(self) -> None:
        assert walls.scope() == walls.EVERYTHING
        walls.now_within(walls.NOTHING)
        assert walls.scope() == walls.EVERYTHING, "outside a block it would hold for ever"
        with walls.within(walls.of_agency(1)):
            items = walls.handed_on(walls.scope() for _ in range(2))
            walls.now_within(walls.NOTHING)
            assert walls.scope() == walls.NOTHING
            kept = walls.handed_on(walls.scope() for _ in range(2))
        assert list(kept) == [walls.NOTHING] * 2
        assert list(items) == [walls.of_agency(1)] * 2


@pytest.fixture
def two(db: None) -> tuple[User, Agency, Agency]:
    """An administrator of riverton; riverton; lakeside, where they have no role."""
    riverton, lakeside = make_agency("riverton"), make_agency("lakeside")
    make_member(lakeside, "admin", username="stranger")
    return make_member(riverton, "admin", username="owner"), riverton, lakeside


def raw(sql: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description else []


class TestOnPostgres:
    pytestmark = on_postgres

    def test_the_tests_run_as_a_role_that_the_walls_hold(self) -> None:
        assert doctor.walls_passed_by() == ""
        assert walls_missing(connection, all_tables()) == []

    def test_no_raw_query_finds_a_row_of_another_agency(self, two: tuple[User, Agency, Agency]) -> None:
        person, riverton, lakeside = two
        for model in of_an_agency():
            if model is not Membership:
                make_row(model, riverton)
                make_row(model, lakeside)
        for model in of_an_agency():
            count = f"SELECT count(*) FROM {model._meta.db_table} WHERE agency_id = %s"
            everything = raw(count, lakeside.pk)[0][0]
            assert everything > 0, model
            with walls.within(walls.of_person(person.pk)):
                assert raw(count, lakeside.pk) == [(0,)], model
                assert raw(count, riverton.pk)[0][0] > 0, model
                assert not model._default_manager.filter(agency=lakeside).exists()
                # Nor is one changed, taken away or made there.
                changed = f"UPDATE {model._meta.db_table} SET agency_id = %s WHERE agency_id = %s"
                with connection.cursor() as cursor:
                    cursor.execute(changed, [riverton.pk, lakeside.pk])
                    assert cursor.rowcount == 0, model
            with walls.within(walls.NOTHING):
                assert raw(f"SELECT count(*) FROM {model._meta.db_table}") == [(0,)], model

    def test_no_row_is_written_into_another_agency(self, two: tuple[User, Agency, Agency]) -> None:
        person, riverton, lakeside = two
        mine = Beat.objects.filter(agency=riverton).first()
        assert mine is not None
        with walls.within(walls.of_person(person.pk)):
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                make_row(ImportRun, lakeside)
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                Beat.objects.filter(pk=mine.pk).update(agency=lakeside)
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                audit_record(agency=lakeside, actor=person, action="forged", subject="x")
            # What is about no agency anybody may cause, and nobody but the operator read.
            audit_record(agency=None, actor=person, action="asked", subject="x")
            assert not AuditEvent.objects.filter(action="asked").exists()
        assert AuditEvent.objects.filter(action="asked").exists()

    def test_who_belongs_elsewhere_too_is_known_to_be_so(
        self, two: tuple[User, Agency, Agency], rf: Any
    ) -> None:
        # Blind for roles elsewhere, an administrator could set the password of somebody who has one.
        person, riverton, lakeside = two
        both = make_member(riverton, "analyst", username="both")
        Membership.objects.create(agency=lakeside, user=both, role="admin")
        request = rf.get("/")
        request.user = person
        with walls.within(walls.of_person(person.pk)):
            found = {one.username for one in people_of(request)}
            assert found == {"owner"}
            assert not Membership.objects.filter(user__username="stranger").exists()
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                Membership.objects.create(agency=lakeside, user=person, role="admin")

    def test_a_feeds_key_hangs_from_its_feed(self, two: tuple[User, Agency, Agency]) -> None:
        person, riverton, lakeside = two
        for agency in (riverton, lakeside):
            key = make_row(ApiToken, agency)
            ApiToken.objects.filter(pk=key.pk).update(agency=None, feed=plain_feed(agency))
        with walls.within(walls.of_person(person.pk)):
            assert [key.feed.agency for key in ApiToken.objects.all()] == [riverton]

    def test_joins_and_chains_are_behind_the_wall_too(self, two: tuple[User, Agency, Agency]) -> None:
        person, riverton, lakeside = two
        for agency in (riverton, lakeside):
            unit, shift = agency.unit_set.first(), agency.shift_set.first()
            assert unit is not None
            assert shift is not None
            unit.shifts.add(shift)
            audit_record(agency=agency, actor=person, action="told", subject="x")
        joins = "SELECT u.agency_id FROM agencies_unit_shifts s JOIN agencies_unit u ON u.id = s.unit_id"
        assert len(raw(joins)) == 2
        with walls.within(walls.of_person(person.pk)):
            assert raw("SELECT count(*) FROM agencies_unit_shifts") == [(1,)]
            assert raw("SELECT key FROM agencies_auditchain") == [(f"agency:{riverton.pk}",)]

    def test_a_page_that_forgot_its_agency_shows_only_the_readers(
        self, two: tuple[User, Agency, Agency], sign_in: Callable[[User | None], Client], settings: Any
    ) -> None:
        person, riverton, lakeside = two
        Membership.objects.create(
            agency=lakeside, user=make_member(riverton, "analyst", username="both"), role="analyst"
        )
        settings.ROOT_URLCONF = __name__
        client = sign_in(person)
        assert client.get("/forgot/").content == b"riverton"
        assert b"".join(client.get("/streamed/")) == b"riverton"
        both = sign_in(User.objects.get(username="both"))
        assert both.get("/forgot/").content == b"lakeside,riverton"
        # On an agency's page that agency's rows alone, although the reader has a role in both; and streamed likewise.
        assert both.get("/lakeside/here/").content == b"lakeside"
        assert sign_in(None).get("/forgot/").content == b""
        assert sign_in(make_operator()).get("/forgot/").content == b"lakeside,riverton"

    def test_a_lock_that_was_picked_opens_an_empty_room(
        self,
        two: tuple[User, Agency, Agency],
        sign_in: Callable[[User | None], Client],
        monkeypatch: pytest.MonkeyPatch,
        settings: Any,
    ) -> None:
        # The first wall lets the stranger in as if they had a role here.
        person, _, lakeside = two
        from agencies import access

        monkeypatch.setattr(access, "access_for_user", lambda user, slug: access.Access(lakeside, user, None))
        settings.ROOT_URLCONF = __name__
        assert sign_in(person).get("/lakeside/here/").content == b""

    def test_a_run_reaches_its_own_agency(self, two: tuple[User, Agency, Agency]) -> None:
        _, riverton, lakeside = two
        run = ImportRun.objects.create(agency=riverton, feed=plain_feed(riverton))
        with run_execution(run):
            assert set(Beat.objects.values_list("agency", flat=True)) == {riverton.pk}
        assert Beat.objects.filter(agency=lakeside).exists()

    def test_taken_down_and_put_up_again(self, two: tuple[User, Agency, Agency]) -> None:
        raw("SET CONSTRAINTS ALL IMMEDIATE")
        before = walled_now(connection)
        assert sorted(all_tables()) == before
        walls_remove(connection, before)
        assert walled_now(connection) == []
        with walls.within(walls.NOTHING):
            assert Beat.objects.exists()
        walls_build(connection, all_tables())
        assert walled_now(connection) == before
        with walls.within(walls.NOTHING):
            assert not Beat.objects.exists()

    def test_the_doctor_sees_a_table_without_wall_and_a_role_that_passes(
        self, db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert list(doctor.walls()) == []
        with connection.cursor() as cursor:
            cursor.execute(f"DROP POLICY {POLICY} ON agencies_beat")
            cursor.execute("ALTER TABLE agencies_unit NO FORCE ROW LEVEL SECURITY")
        (found,) = doctor.walls()
        assert "2 tables have no wall (agencies_beat, agencies_unit)" in found[1]
        monkeypatch.setattr(doctor, "walls_passed_by", lambda: "root is a superuser")
        assert "root is a superuser" in next(doctor.walls())[1]


class TestTheSessionIsTold:
    """The reach of a connection is that of the moment, whatever transactions did in between."""

    pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

    def told(self) -> str:
        return str(raw(f"SELECT current_setting('{walls.SETTING}', true)")[0][0])

    def undone(self, wanted: walls.Scope) -> None:
        """A transaction, or a part of one, that reaches elsewhere and fails."""
        with walls.within(wanted), transaction.atomic():
            assert self.told() == str((wanted.agency_ids or ())[0])
            raise ZeroDivisionError

    def test_through_commits_rollbacks_and_savepoints(self) -> None:
        one, two = walls.of_agency(1), walls.of_agency(2)
        assert self.told() == "all"
        with walls.within(one):
            with transaction.atomic():
                assert self.told() == "1"
                with walls.within(two):
                    assert self.told() == "2"
                assert self.told() == "1"
            assert self.told() == "1"
            with pytest.raises(ZeroDivisionError):
                self.undone(two)
            assert self.told() == "1"
            with transaction.atomic():
                with pytest.raises(ZeroDivisionError):
                    self.undone(two)
                assert self.told() == "1"
                with walls.within(two):
                    assert self.told() == "2"
                    with pytest.raises(ZeroDivisionError):
                        self.undone(one)
                    assert self.told() == "2"
        assert self.told() == "all"

    def test_in_a_connection_that_somebody_else_used(self) -> None:
        connection.ensure_connection()
        with walls.within(walls.of_agency(1)):
            assert self.told() == "1"
            # As a pool hands it on: the session lives, the wrapper is new.
            connection.init_connection_state()
        assert self.told() == "all"
        connection.close()
        with walls.within(walls.of_agency(2)):
            assert self.told() == "2"

    def test_by_messages_only_where_something_changed(self) -> None:
        sent: list[str] = []
        self.told()
        session: Any = connection.connection
        plain = session.execute
        session.execute = lambda sql, **kwargs: (sent.append(sql), plain(sql, **kwargs))[1]
        with walls.within(walls.of_agency(1)):
            for _ in range(3):
                self.told()
            with transaction.atomic():
                self.told()
        assert len(sent) == 1


def forgot(request: Any) -> HttpResponse:
    """A page without the first wall."""
    assert request.user is not None
    str(request.user.is_authenticated)
    return HttpResponse(",".join(Agency.objects.order_by("slug").values_list("slug", flat=True)))


def streamed(request: Any) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        for agency in Agency.objects.order_by("slug"):
            yield agency.slug

    str(request.user.is_authenticated)
    return StreamingHttpResponse(lines())


@agency_page(EVERYONE)
def here(request: Any, access: Any) -> HttpResponse:
    return HttpResponse(",".join(Agency.objects.order_by("slug").values_list("slug", flat=True)))


urlpatterns = [path("forgot/", forgot), path("streamed/", streamed), path("<slug:agency_slug>/here/", here)]
