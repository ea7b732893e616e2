"""Positions in a table that PostgreSQL keeps by month, and where they lie."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django.db import connection

from ingestion.models import Feed, VehiclePosition
from ingestion.services.position_months import POSITIONS
from missions_project.lib import monthly

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


def asked(sql: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def months() -> list[date]:
    with connection.cursor() as cursor:
        return monthly.months(cursor, POSITIONS)


def lying_in(table: str) -> int:
    return int(asked(f"SELECT count(*) FROM {table}")[0][0])


def pushed(feed: Feed, *times: datetime) -> None:
    VehiclePosition.objects.bulk_create(
        VehiclePosition(agency=feed.agency, feed=feed, unit_code="R11", at=at, lon=-87.6, lat=41.8, is_known_unit=True)
        for at in times
    )  # fmt: skip


def january(n: int = 3) -> list[datetime]:
    return [datetime(2026, 1, 10, 8, second, tzinfo=UTC) for second in range(n)]
