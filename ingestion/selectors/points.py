"""Incidents as points on a map."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from agencies.models import Agency, CrimeType
from ingestion.engine.withheld import UNTAUGHT_DISCOVERIES
from ingestion.models import GunfireAlert, Incident

MAX_POINTS = 5_000
"""A browser draws five thousand points in a blink and fifty thousand in seconds."""


@dataclass(frozen=True)
class IncidentPoint:
    """One dot: where, what and when it began. No identifier and nothing about anybody."""

    lon: float
    lat: float
    crime_type: str
    occurred_from: datetime


def incident_points(
    agency: Agency,
    *,
    crime_type: CrimeType | None = None,
    since: datetime,
    until: datetime,
    limit: int = MAX_POINTS,
) -> list[IncidentPoint]:
    """Return the newest incidents and gunfire alerts with ``since <= occurred < until``, newest first.

    Of one crime type, or of all active ones; what officers initiated is left out. At most ``limit`` points: a
    list of that length means that older ones are missing. Two queries.
    """
    found: list[IncidentPoint] = []
    for model in (Incident, GunfireAlert):
        rows: QuerySet[Any] = model._default_manager.filter(
            agency=agency, occurred_from__gte=since, occurred_from__lt=until
        ).exclude(discovery__in=tuple(UNTAUGHT_DISCOVERIES))
        if model is GunfireAlert:
            rows = rows.filter(is_gunfire=True)
        rows = (
            rows.filter(crime_type=crime_type)
            if crime_type is not None
            else rows.filter(crime_type__is_active=True)
        )
        values = rows.order_by("-occurred_from", "-pk").values_list(
            "lon", "lat", "crime_type__slug", "occurred_from"
        )
        found += [IncidentPoint(*row) for row in values[:limit]]
    found.sort(key=lambda point: point.occurred_from, reverse=True)
    return found[:limit]
