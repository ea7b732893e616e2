"""What is asked at each import, training, forecast and poll reads one agency's rows, not everybody's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Max
from django.test.utils import CaptureQueriesContext

from agencies.models import Agency, CrimeType
from forecasting.selectors.inputs import known_incidents
from ingestion.models import Feed, GunfireAlert, Incident, VehiclePosition
from ingestion.selectors import data_hash
from ingestion.selectors.live import alerts_version, recent_alerts

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
NOW = dt.datetime(2026, 3, 14, 12, tzinfo=dt.UTC)
AGENCIES, ROWS = 30, 1_000
TABLES = ("ingestion_incident", "ingestion_gunfirealert", "ingestion_vehicleposition")


@pytest.fixture
def asked(db: None) -> Agency:
    """Thirty agencies with a thousand rows of each kind, counted by the planner as autovacuum has it."""
    for number in range(AGENCIES):
        agency = Agency.objects.create(slug=f"a{number}", name=f"A{number}", time_zone="America/Chicago")
        feed = Feed.objects.create(agency=agency, slug="rms", name="RMS")
        own = {}
        for slug, code in (("burglary", "220"), ("gunfire", "gunfire")):
            own[slug] = CrimeType.objects.create(
                agency=agency, slug=slug, name=slug, nibrs_code=code, letter=slug[0].upper()
            )
        times = [NOW - dt.timedelta(hours=3 * row + 1) for row in range(ROWS)]
        for model, crime_type in ((Incident, own["burglary"]), (GunfireAlert, own["gunfire"])):
            model.objects.bulk_create(
                model(
                    agency=agency, feed=feed, external_id=f"{row}", occurred_from=at, occurred_to=at, reported_at=at, lon=-87.6,
                    lat=41.8, content_hash=row, crime_type=crime_type,
                )
                for row, at in enumerate(times)
            )  # fmt: skip
        VehiclePosition.objects.bulk_create(
            VehiclePosition(
                agency=agency,
                feed=feed,
                unit_code=f"U{row % 20}",
                at=at,
                lon=-87.6,
                lat=41.8,
                is_known_unit=True,
            )
            for row, at in enumerate(times)
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Agency.objects.get(slug="a7")


QUESTIONS: dict[str, Callable[[Agency], Any]] = {
    "a training or forecast reads the incidents": lambda agency: len(
        known_incidents(agency, epsg=32616, as_of=NOW)
    ),
    "a run notes what it saw": lambda agency: data_hash(
        agency, until=NOW, since=NOW - dt.timedelta(days=8 * 366)
    ),
    "a training looks for the last incident": lambda agency: Incident.objects.filter(
        agency=agency, occurred_from__lt=NOW
    ).aggregate(last=Max("occurred_from")),
    "an import compares with what is stored": lambda agency: list(
        Incident.objects.filter(
            feed=Feed.objects.get(agency=agency), external_id__in=[f"{row}" for row in range(0, 900, 7)]
        ).values_list("pk", "content_hash")
    ),
    "an open map asks for alerts": lambda agency: (
        alerts_version(agency.pk, now=NOW),
        recent_alerts(agency, now=NOW),
    ),
    "presence reads a shift's positions": lambda agency: list(
        VehiclePosition.objects.filter(agency=agency, at__gte=NOW - dt.timedelta(hours=8), at__lt=NOW)
    ),
    "retention reads what is too old": lambda agency: VehiclePosition.objects.filter(
        agency=agency, at__lt=NOW - dt.timedelta(days=120)
    ).count(),
}


def test_no_hot_question_reads_a_whole_table(asked: Agency) -> None:
    seen = set()
    for name, question in QUESTIONS.items():
        with CaptureQueriesContext(connection) as queries:
            question(asked)
        reading = [row["sql"] for row in queries if any(f'"{table}"' in row["sql"] for table in TABLES)]
        assert reading, name
        for sql in reading:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {sql}")
                lines = [row[0] for row in cursor.fetchall()]
            seen |= {table for table in TABLES for line in lines if table in line}
            assert not [line for line in lines if any(f"Seq Scan on {table}" in line for table in TABLES)], (
                name,
                sql,
                lines,
            )
    assert seen == set(TABLES)


def test_the_planner_would_say_so_if_a_whole_table_were_read(asked: Agency) -> None:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN SELECT count(*) FROM ingestion_incident WHERE lon < 0")
        assert any("Seq Scan on ingestion_incident" in row[0] for row in cursor.fetchall())
