"""Views for QGIS: what they show, that a reader sees one agency and nothing that people wrote, and clear words without PostGIS."""

from __future__ import annotations

import datetime as dt

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from agencies.models import Beat, District
from patrols.models import Engagement
from patrols.services import gis
from tests.factories import make_agency
from tests.patrols.scenes import Scene, make_scene
from tools.postgres import SUPERUSER

pytestmark = pytest.mark.django_db


@pytest.fixture
def postgis() -> None:
    """A database that has PostGIS; only PostgreSQL gets here. `.ci/run` installs it, and there a skip is a failure."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'")
        if not cursor.fetchone():
            pytest.skip("no PostGIS on this server. To run it: apt-get install postgresql-15-postgis-3")
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        is_super = cursor.fetchone()[0]
    if not is_super:
        # The product works as a modest role; its server's superuser makes the extension once, as the command's message asks.
        given = {**connection.get_connection_params(), "user": SUPERUSER}
        known = {name: given[name] for name in ("host", "port", "user", "dbname") if given.get(name)}
        with psycopg.connect(**known, autocommit=True) as server:
            server.execute("CREATE EXTENSION IF NOT EXISTS postgis")


def published(slug: str = "riverton") -> Scene:
    scene = make_scene(slug)
    plan = scene.plan(publish=True)
    Engagement.objects.create(
        agency=scene.agency, mission=plan.missions.all()[0], arrived_at=plan.period_from,
        left_at=plan.period_from + dt.timedelta(minutes=11),
    )  # fmt: skip
    return scene


def seen(query: str, *values: object) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def refused(query: str) -> bool:
    try:
        with transaction.atomic():
            seen(query)
    except DatabaseError:
        return True
    return False


def become(role: str) -> None:
    with connection.cursor() as cursor:
        # A superuser may become anybody, our own role only one that it was given.
        cursor.execute(f'GRANT "{role}" TO CURRENT_USER')
        cursor.execute(f'SET LOCAL ROLE "{role}"')


@pytest.mark.sqlite_only
def test_sqlite_gets_the_next_step() -> None:
    with pytest.raises(CommandError, match="need PostgreSQL with PostGIS"):
        call_command("gis_views")


@pytest.mark.postgres
def test_a_server_without_postgis_gets_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    real = connection.cursor

    class Without:
        """A cursor of a server that has no PostGIS."""

        def __init__(self) -> None:
            self.inner = real()

        def __enter__(self) -> Without:
            return self

        def __exit__(self, *error: object) -> None:
            self.inner.close()

        def execute(self, query: str) -> None:
            self.inner.execute(f"SELECT 1 FROM ({query}) AS asked WHERE false")

        def fetchone(self) -> object:
            return self.inner.fetchone()

    monkeypatch.setattr(connection, "cursor", Without)
    with pytest.raises(CommandError, match="apt-get install postgresql-15-postgis-3"):
        call_command("gis_views")


@pytest.mark.postgres
def test_the_views_hold_what_the_agency_has_with_its_places(postgis: None) -> None:
    scene = published()
    call_command("gis_views", agency="riverton")
    counts = {view: seen(f"SELECT count(*), count(geom) FROM gis_riverton.{view}")[0] for view in gis.VIEWS}
    cells, types = len(scene.spec), scene.agency.crimetype_set.count()
    missions = scene.agency.mission_set.count()
    assert counts == {
        "districts": (District.objects.filter(agency=scene.agency).count(),) * 2,
        "beats": (Beat.objects.filter(agency=scene.agency).count(),) * 2,
        "cells": (cells, cells),
        "risk": (cells * types, cells * types),
        "missions": (missions, missions),
        "visits": (1, 1),
    }
    ((minutes, source),) = seen("SELECT round(minutes)::int, source FROM gis_riverton.visits")
    assert (minutes, source) == (11, "timer")
    # A box lies where the product's own map draws it, and missions are where their cell is.
    ((apart,),) = seen(
        "SELECT max(ST_Distance(m.geom, c.geom)) FROM gis_riverton.missions m JOIN gis_riverton.cells c ON c.id = m.cell_id"
    )
    assert apart == 0
    ((total,),) = seen("SELECT sum(expected) FROM gis_riverton.risk WHERE crime_type = 'robbery'")
    surface = scene.run.surfaces.get(crime_type__slug="robbery")
    assert total == pytest.approx(surface.expected_total, rel=1e-5)
    registered = seen("SELECT f_table_name, srid FROM geometry_columns WHERE f_table_schema = 'gis_riverton'")
    assert {("beats", 4326), ("missions", 4326), ("risk", 4326)} <= set(registered)


@pytest.mark.postgres
def test_again_gives_the_same_and_drop_leaves_nothing(postgis: None) -> None:
    scene = published()
    first = gis_counts(scene)
    assert gis_counts(scene) == first
    call_command("gis_views", drop=True)
    assert not seen("SELECT 1 FROM pg_namespace WHERE nspname = 'gis_riverton'")
    assert not seen("SELECT 1 FROM pg_roles WHERE rolname = %s", gis.role_name(scene.agency))
    call_command("gis_views", drop=True)


def gis_counts(scene: Scene) -> dict[str, int]:
    gis.postgis_ensure()
    return gis.gis_views_make(agency=scene.agency)


@pytest.mark.postgres
def test_a_reader_sees_the_own_agencys_views_and_nothing_else(postgis: None) -> None:
    scene = published()
    published("lakeside")
    missions = scene.agency.mission_set.count()
    call_command("gis_views")
    become(gis.role_name(scene.agency))
    assert seen("SELECT count(*) FROM gis_riverton.missions") == [(missions,)]
    for view in gis.VIEWS:
        assert not refused(f"SELECT * FROM gis_riverton.{view} LIMIT 1")
        assert refused(f"SELECT * FROM gis_lakeside.{view} LIMIT 1"), view
        assert refused(f"DELETE FROM gis_riverton.{view}"), view
    for table in ("patrols_mission", "ingestion_incident", "agencies_user", "agencies_agency"):
        assert refused(f"SELECT * FROM {table} LIMIT 1"), table
    for table in ("cell_squares", "cell_risk"):
        assert refused(f"SELECT * FROM gis_riverton.{table} LIMIT 1"), table
    assert refused("CREATE TABLE gis_riverton.mine (a int)")


@pytest.mark.postgres
def test_a_function_of_the_readers_own_sees_no_row_of_another_agency(postgis: None) -> None:
    scene, other = published(), published("lakeside")
    call_command("gis_views")
    # Cheap: without the barrier the planner would call it on every agency's rows, before the view's own condition.
    peek = (
        "CREATE FUNCTION pg_temp.peek(code text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ "
        "BEGIN IF code = 'foreign' THEN RAISE EXCEPTION 'leak'; END IF; RETURN true; END $$"
    )
    beat = Beat.objects.filter(agency=other.agency)[0]
    Beat.objects.filter(pk=beat.pk).update(code="foreign")
    become(gis.role_name(scene.agency))
    with connection.cursor() as cursor:
        cursor.execute(peek)
    assert not refused("SELECT count(*) FROM gis_riverton.beats WHERE pg_temp.peek(code)")


@pytest.mark.postgres
def test_nothing_that_people_wrote_or_are_called_is_in_any_view(postgis: None) -> None:
    published()
    call_command("gis_views", agency="riverton")
    columns = seen(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'gis_riverton' AND table_name = ANY(%s)",
        list(gis.VIEWS),
    )
    words = ("unit", "officer", "author", "reason", "user", "call", "why", "note", "place")
    assert not [name for (name,) in columns if any(word in str(name) for word in words)]


@pytest.mark.postgres
def test_a_schema_of_somebody_else_is_left_alone(postgis: None) -> None:
    published()
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA gis_riverton")
    with pytest.raises(CommandError, match="has not made"):
        call_command("gis_views", agency="riverton")
    with pytest.raises(CommandError, match="has not made"):
        call_command("gis_views", agency="riverton", drop=True)


@pytest.mark.postgres
def test_a_database_user_that_may_not_create_roles_is_told_what_to_ask_for(postgis: None) -> None:
    scene = published()
    gis.postgis_ensure()
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE modest NOLOGIN")
    become("modest")
    with pytest.raises(Exception, match="may not create roles") as caught:
        gis.gis_views_make(agency=scene.agency)
    assert "CREATE ROLE" in str(caught.value)


@pytest.mark.postgres
def test_an_agency_without_a_grid_gets_its_beats_and_empty_maps(postgis: None) -> None:
    agency = make_agency("quiet")
    call_command("gis_views", agency="quiet")
    assert seen("SELECT count(*) FROM gis_quiet.beats")[0][0] == Beat.objects.filter(agency=agency).count()
    assert seen("SELECT count(*) FROM gis_quiet.cells")[0][0] == 0


@pytest.mark.postgres
def test_two_agencies_never_share_a_role_however_long_their_names() -> None:
    long = "a" * 49
    one, two = make_agency(long + "b"), make_agency(long + "c")
    assert gis.role_name(one) != gis.role_name(two)
    assert max(len(gis.role_name(row)) for row in (one, two)) <= gis.LONGEST_NAME
