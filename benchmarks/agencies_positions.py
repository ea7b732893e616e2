"""Vehicle positions by the million, month by month as they come in service, and what giving up an old month takes."""

from __future__ import annotations

import datetime as dt
import io
import re
import time
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.copied import copied

COLUMNS = ("agency_id", "feed_id", "unit_code", "at", "lon", "lat", "is_known_unit", "received_at")
FIRST_MONTH = dt.date(2023, 1, 1)
MONTHS_A_PIECE = 2
UNITS = 40
COPY_ROWS = 250_000
KEPT_DAYS = 365
CSV = "WITH (FORMAT csv)"


def _month(number: int) -> dt.datetime:
    from missions_project.lib.monthly import month_after, month_begins

    return month_begins(month_after(FIRST_MONTH, number))


def positions_add(piece: int, n: int) -> dict[str, Any]:
    """COPY so many positions more into the next two months: forty cars of each agency, evenly over the time."""
    from django.db import connection, transaction

    from ingestion.models import Feed
    from ingestion.services.position_months import POSITIONS
    from missions_project.lib import monthly

    rng = np.random.default_rng(piece)
    begins, ends = (_month(number * MONTHS_A_PIECE) for number in (piece, piece + 1))
    with connection.cursor() as cursor:
        there = monthly.months(cursor, POSITIONS)
        for number in range(MONTHS_A_PIECE):
            month = _month(piece * MONTHS_A_PIECE + number).date()
            if month not in there:
                with transaction.atomic():
                    monthly.month_add(cursor, POSITIONS, month)
    feeds = list(Feed.objects.order_by("pk").values_list("agency_id", "pk"))
    each = n // len(feeds)
    step_us = int((ends - begins).total_seconds() * 1e6) // (each // UNITS + 1)
    began = time.monotonic()
    for agency, feed in feeds:
        for first in range(0, each, COPY_ROWS):
            text = _text(agency, feed, first, min(COPY_ROWS, each - first), begins, step_us, rng)
            with copied(connection, POSITIONS.table, COLUMNS, CSV) as copy:
                copy.write(text)
    took = time.monotonic() - began
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {POSITIONS.table}")
        cursor.execute(
            "SELECT sum(pg_table_size(inhrelid)), sum(pg_indexes_size(inhrelid)), count(*) FROM pg_inherits "
            "WHERE inhparent = 'ingestion_vehicleposition'::regclass"
        )
        table, indexes, months = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM ingestion_vehicleposition")
        (rows,) = cursor.fetchone()
    return {
        "rows": rows,
        "months": months,
        "seconds_a_million": round(took / (each * len(feeds)) * 1e6, 2),
        "table_mb": int(table) // 10**6,
        "indexes_mb": int(indexes) // 10**6,
    }


def _text(agency: int, feed: int, first: int, n: int, begins: dt.datetime, step_us: int, rng: Any) -> bytes:
    """The rows as COPY reads them."""
    import pyarrow as pa
    from pyarrow import csv

    number = np.arange(first, first + n)
    at = pa.array(
        np.datetime64(begins.replace(tzinfo=None), "us")
        + (number // UNITS * step_us).astype("timedelta64[us]")
    )
    units = pa.array(np.array([f"U{unit}" for unit in range(UNITS)])[number % UNITS])
    same = [pa.repeat(pa.scalar(value), n) for value in (agency, feed, True)]
    columns = [same[0], same[1], units, at, pa.array(rng.uniform(-87.7, -87.3, n)), pa.array(rng.uniform(41.6, 42.0, n)), same[2], at]  # fmt: skip
    sink = io.BytesIO()
    csv.write_csv(
        pa.table(dict(zip(COLUMNS, columns, strict=True))), sink, csv.WriteOptions(include_header=False)
    )
    return sink.getvalue()


def positions_asked() -> dict[str, Any]:
    """Seconds of a shift's positions in the last month and in the first, and which months the plans read, and how."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from agencies.models import Agency
    from ingestion.models import VehiclePosition
    from patrols.presence_inputs import pings_of

    agency = Agency.objects.get(slug="a7")
    newest = VehiclePosition.objects.filter(agency=agency).order_by("-at").values_list("at", flat=True)[0]
    ends = {
        "last_shift": newest - dt.timedelta(hours=2),
        "first_shift": _month(0) + dt.timedelta(days=10),
    }
    found: dict[str, Any] = {}
    for name, until in ends.items():
        shift: Any = SimpleNamespace(
            period_from=until - dt.timedelta(hours=8), period_to=until, spec=SimpleNamespace(epsg=32616)
        )
        with CaptureQueriesContext(connection) as queries:
            began = time.perf_counter()
            pings_of(agency, shift)
            seconds = time.perf_counter() - began
        (sql,) = [row["sql"] for row in queries if "ingestion_vehicleposition" in row["sql"]]
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            lines = [row[0] for row in cursor.fetchall()]
        found[name] = {
            "seconds": round(seconds, 3),
            # All of them are read; of made-up agencies, which have no units, none is kept.
            "positions": VehiclePosition.objects.filter(
                agency=agency, at__gte=shift.period_from, at__lt=until
            ).count(),
            "months": sorted(
                set(re.findall(r"on ingestion_vehicleposition_(\d{4}_\d{2}|rest) ", "\n".join(lines)))
            ),
            "reads_a_whole_month": any("Seq Scan on ingestion_vehicleposition" in line for line in lines),
        }
    return found


def positions_given_up() -> dict[str, Any]:
    """Seconds in which the first month goes row by row, and the second in one piece: both of all agencies, by retention itself."""
    from django.db import connection

    from agencies.models import Agency
    from ingestion.models import RetentionPolicy, VehiclePosition
    from ingestion.services import position_months_drop, retention_run
    from ingestion.services.position_months import POSITIONS

    def lying_in(number: int) -> int:
        return VehiclePosition.objects.filter(at__gte=_month(number), at__lt=_month(number + 1)).count()

    found: dict[str, Any] = {"deleted_rows": lying_in(0), "dropped_rows": lying_in(1)}
    agencies = list(Agency.objects.order_by("pk"))
    began = time.monotonic()
    for agency in agencies:
        # One policy at a time: the others' rows keep the month.
        policy = RetentionPolicy.objects.create(agency=agency, kind="positions", delete_after_days=KEPT_DAYS)
        if agency is agencies[-1]:
            # The last one would drop what is left in one piece.
            VehiclePosition.objects.filter(agency=agency, at__lt=_month(1)).delete()
        else:
            retention_run(policy=policy, now=_month(1) + dt.timedelta(days=KEPT_DAYS))
        policy.delete()
    found["deleting_s"] = round(time.monotonic() - began, 2)
    for agency in agencies:
        RetentionPolicy.objects.create(
            agency=agency, kind="positions", delete_after_days=KEPT_DAYS, claimed_on=_month(1).date()
        )
    before = VehiclePosition.objects.count()
    began = time.monotonic()
    position_months_drop(
        policy=RetentionPolicy.objects.all()[0], now=_month(2) + dt.timedelta(days=KEPT_DAYS)
    )
    found["dropping_s"] = round(time.monotonic() - began, 2)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NULL", [POSITIONS.piece(_month(1).date())])
        assert cursor.fetchone()[0], "the month is still there"
    assert VehiclePosition.objects.count() == before - found["dropped_rows"]
    return found
