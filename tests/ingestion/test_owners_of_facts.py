"""On PostgreSQL too no fact is without its agency, feed and crime type, though no row is checked by itself."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor

from agencies.models import CrimeType
from ingestion.models import CallForService, Feed, GunfireAlert, Incident
from tests.factories import make_agency
from tests.ingestion.files import plain_feed

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
AT = dt.datetime(2026, 3, 1, 21, 40, tzinfo=dt.UTC)
NOBODY = 2**40


@pytest.fixture
def feed(transactional_db: None) -> Feed:
    agency = make_agency()
    CrimeType.objects.get_or_create(
        agency=agency, slug="burglary", defaults={"name": "Burglary", "nibrs_code": "220", "letter": "B"}
    )
    return plain_feed(agency)


def fact(feed: Feed, number: int, model: type[Any] = Incident, **changes: Any) -> Any:
    fields = {
        "agency_id": feed.agency_id,
        "feed_id": feed.pk,
        "crime_type_id": CrimeType.objects.filter(agency=feed.agency).values_list("pk", flat=True)[0],
        "external_id": f"R{number}",
        "occurred_from": AT,
        "occurred_to": AT,
        "lon": 0.0,
        "lat": 0.0,
        "content_hash": number,
    }
    return model(**fields | changes)


@pytest.mark.parametrize("model", [Incident, CallForService, GunfireAlert])
@pytest.mark.parametrize("owner", ["agency_id", "feed_id", "crime_type_id"])
def test_no_fact_is_stored_whose_owner_is_not_there(feed: Feed, model: type[Any], owner: str) -> None:
    rows = [fact(feed, number, model) for number in range(20)]
    rows[11] = fact(feed, 11, model, **{owner: NOBODY})
    with pytest.raises(IntegrityError, match="does not exist"):
        model.objects.bulk_create(rows)
    assert model.objects.count() == 0


def test_a_call_without_a_crime_type_is_stored(feed: Feed) -> None:
    fact(feed, 1, CallForService, crime_type_id=None).save()
    assert CallForService.objects.get().crime_type is None


def test_no_fact_is_changed_to_an_owner_that_is_not_there(feed: Feed) -> None:
    fact(feed, 1).save()
    with pytest.raises(IntegrityError, match="does not exist"):
        Incident.objects.update(crime_type_id=NOBODY)


@pytest.mark.parametrize(
    ("table", "owner"),
    [
        ("agencies_agency", "agency_id"),
        ("ingestion_feed", "feed_id"),
        ("agencies_crimetype", "crime_type_id"),
    ],
)
def test_no_owner_goes_while_facts_name_it(feed: Feed, table: str, owner: str) -> None:
    row = fact(feed, 1)
    row.save()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [getattr(row, owner)])
    assert Incident.objects.filter(**{f"{owner}": getattr(row, owner)}).exists()


def test_an_owner_goes_with_its_facts_in_either_order(feed: Feed) -> None:
    fact(feed, 1).save()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ingestion_feed WHERE id = %s", [feed.pk])
        cursor.execute("DELETE FROM ingestion_incident WHERE feed_id = %s", [feed.pk])
    assert not Feed.objects.filter(pk=feed.pk).exists()
    CrimeType.objects.all().delete()
    assert CrimeType.objects.count() == 0


def test_an_owner_cannot_slip_away_while_facts_are_being_stored(feed: Feed) -> None:
    """Between the check and the end of the transaction the owner's row is locked, as a foreign key locks it."""
    failed: list[BaseException] = []

    def delete() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '300ms'")
                cursor.execute("DELETE FROM ingestion_feed WHERE id = %s", [feed.pk])
        except OperationalError as error:
            failed.append(error)
        finally:
            connections.close_all()

    with transaction.atomic():
        fact(feed, 1).save()
        other = threading.Thread(target=delete)
        other.start()
        other.join()
    assert len(failed) == 1
    assert Incident.objects.get().feed == feed


@pytest.fixture
def migrated_back() -> Iterator[None]:
    executor = MigrationExecutor(connection)
    executor.migrate([("ingestion", "0006_context")])
    try:
        yield
    finally:
        # Every room's: later ones stand on this room's tables and were taken back with them. As the command, for its signals.
        call_command("migrate", verbosity=0)


def test_taken_back_the_migration_leaves_the_foreign_keys_of_before(feed: Feed, migrated_back: None) -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_relations(cursor, "ingestion_gunfirealert")
    assert {"agency_id", "feed_id", "crime_type_id"} <= set(found)
    with pytest.raises(IntegrityError):
        fact(feed, 1, feed_id=NOBODY).save()
