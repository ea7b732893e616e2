"""What is asked at each import, training, forecast and poll reads one agency's rows, not everybody's."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from types import SimpleNamespace
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
from ingestion.services import position_months_keep, retention_kind
from ingestion.services.position_months import POSITIONS
from patrols.presence_inputs import pings_of

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
    # Four months and a half, each with a piece of its own.
    position_months_keep(now=NOW)
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
    "presence reads a shift's positions": lambda agency: pings_of(agency, SHIFT),
    "retention reads what is too old": lambda agency: VehiclePosition.objects.filter(
        agency=agency, at__lt=NOW - dt.timedelta(days=60)
    ).count(),
    "retention takes what is deleted next": lambda agency: list(
        retention_kind("positions")
        .old(agency, NOW - dt.timedelta(days=60))
        .filter(pk__gt=0)
        .order_by("pk")
        .values_list("pk", flat=True)[:2_000]
    ),
}
SHIFT: Any = SimpleNamespace(
    period_from=NOW - dt.timedelta(hours=8), period_to=NOW, spec=SimpleNamespace(epsg=32616)
)
"""As much of a shift as its positions are asked by."""


def plan_of(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return [row[0] for row in cursor.fetchall()]


def asks(question: Callable[[Agency], Any], agency: Agency) -> list[str]:
    """The statements by which a question reads the large tables."""
    with CaptureQueriesContext(connection) as queries:
        question(agency)
    return [row["sql"] for row in queries if any(f'"{table}"' in row["sql"] for table in TABLES)]


def pieces_in(lines: list[str]) -> set[str]:
    """The months that a plan reads."""
    return {found[0] for line in lines for found in re.finditer(r"(?<=on ingestion_vehicleposition_)\w+", line) if not found[0].endswith("_idx")}  # fmt: skip


def test_no_hot_question_reads_a_whole_table(asked: Agency) -> None:
    seen = set()
    with connection.cursor() as cursor:
        empty = f"{POSITIONS.rest} "
        cursor.execute(f"SELECT count(*) FROM {POSITIONS.rest}")
        assert cursor.fetchone() == (0,)
    for name, question in QUESTIONS.items():
        reading = asks(question, asked)
        assert reading, name
        for sql in reading:
            lines = plan_of(sql)
            seen |= {table for table in TABLES for line in lines if table in line}
            whole = [line for line in lines if any(f"Seq Scan on {table}" in line for table in TABLES)]
            # Where nothing lies, reading it through is the quickest.
            assert not [line for line in whole if empty not in line], (name, sql, lines)
    assert seen == set(TABLES)


def test_a_shifts_positions_are_looked_for_in_their_month_alone(asked: Agency) -> None:
    (sql,) = asks(QUESTIONS["presence reads a shift's positions"], asked)
    assert pieces_in(plan_of(sql)) == {"2026_03"}
    over_the_edge: Any = SimpleNamespace(
        period_from=dt.datetime(2026, 2, 28, 20, tzinfo=dt.UTC),
        period_to=dt.datetime(2026, 3, 1, 4, tzinfo=dt.UTC),
        spec=SHIFT.spec,
    )
    (sql,) = asks(lambda agency: pings_of(agency, over_the_edge), asked)
    assert pieces_in(plan_of(sql)) == {"2026_02", "2026_03"}


def test_retention_leaves_the_young_months_alone(asked: Agency) -> None:
    (sql,) = asks(QUESTIONS["retention takes what is deleted next"], asked)
    # Until the thirteenth of January; the rest may hold what is older than every month.
    assert pieces_in(plan_of(sql)) == {"2025_11", "2025_12", "2026_01", "rest"}


def test_the_planner_would_say_so_if_a_whole_table_were_read(asked: Agency) -> None:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN SELECT count(*) FROM ingestion_incident WHERE lon < 0")
        assert any("Seq Scan on ingestion_incident" in row[0] for row in cursor.fetchall())
