"""Incidents by the million: what a further million costs, and how the questions that every forecast asks are answered."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import numpy as np

from benchmarks.agencies_city import COLUMNS, COPY_ROWS, CSV, TYPES, YEARS, rows_text
from benchmarks.copied import copied

AGENCIES = 100
LON, LAT = (-87.7, -87.3), (41.6, 42.0)
EPSG = 32616


def shells() -> dict[str, Any]:
    """A hundred agencies with a feed and their crime types, and no rows."""
    from django.core.management import call_command

    from agencies.models import Agency, CrimeType
    from ingestion.models import Feed

    call_command("migrate", verbosity=0)
    for number in range(AGENCIES):
        agency = Agency.objects.create(slug=f"a{number}", name=f"a{number}", time_zone="America/Chicago")
        Feed.objects.create(agency=agency, name="RMS", slug="rms")
        for code, name, _ in TYPES:
            CrimeType.objects.create(
                agency=agency, name=name, slug=name, nibrs_code=code, letter=name[0].upper()
            )
    return {"agencies": AGENCIES}


def rows_add(first: int, n: int) -> dict[str, Any]:
    """COPY so many rows more, as evenly over the agencies as they come in service: a piece of each in turn."""
    from django.db import connection

    from agencies.models import CrimeType
    from ingestion.models import Feed

    rng = np.random.default_rng(first)
    feeds = list(Feed.objects.order_by("pk").values_list("agency_id", "pk"))
    types = {
        agency: np.array(CrimeType.objects.filter(agency=agency).values_list("pk", flat=True))
        for agency, _ in feeds
    }
    each = min(n // AGENCIES, COPY_ROWS)
    began = time.monotonic()
    for agency, feed in feeds:
        lon, lat = (rng.uniform(*edge, each) for edge in (LON, LAT))
        seconds = rng.integers(3_600, YEARS * 365 * 86_400, each)
        kind = rng.choice(types[agency], each)
        text = rows_text(agency, feed, first, lon, lat, seconds, kind)
        with copied(connection, "ingestion_incident", COLUMNS, CSV) as copy:
            copy.write(text)
    took = time.monotonic() - began
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_incident")
        cursor.execute(
            "SELECT count(*), pg_table_size('ingestion_incident'), pg_indexes_size('ingestion_incident') FROM ingestion_incident"
        )
        rows, table, indexes = cursor.fetchone()
    added = each * AGENCIES
    return {
        "rows": rows,
        "seconds_a_million": round(took / added * 1e6, 2),
        "table_mb": table // 10**6,
        "indexes_mb": indexes // 10**6,
    }


def asked() -> dict[str, Any]:
    """Seconds of what each training and forecast asks of one agency, and whether its rows were found by an index."""
    from django.db import connection
    from django.db.models import Max
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from agencies.models import Agency
    from forecasting.selectors.inputs import known_incidents
    from ingestion.models import Incident
    from ingestion.selectors import data_hash

    agency, now = Agency.objects.get(slug="a7"), timezone.now()
    questions = {
        "known_incidents": lambda: len(known_incidents(agency, epsg=EPSG, as_of=now)),
        "data_hash": lambda: data_hash(agency, until=now, since=now - dt.timedelta(days=8 * 366)),
        "last_incident": lambda: Incident.objects.filter(agency=agency, occurred_from__lt=now).aggregate(
            last=Max("occurred_from")
        ),
        "last_day": lambda: Incident.objects.filter(
            agency=agency, occurred_from__gt=now - dt.timedelta(days=1)
        ).count(),
    }
    found: dict[str, Any] = {}
    for name, question in questions.items():
        with CaptureQueriesContext(connection) as queries:
            began = time.perf_counter()
            question()
            seconds = time.perf_counter() - began
        plans = []
        for query in list(queries):
            if "ingestion_incident" in query["sql"]:
                with connection.cursor() as cursor:
                    cursor.execute(f"EXPLAIN {query['sql']}")
                    plans += [row[0] for row in cursor.fetchall()]
        found[name] = {
            "seconds": round(seconds, 3),
            "reads_the_whole_table": any("Seq Scan on ingestion_incident" in line for line in plans),
        }
    return found
