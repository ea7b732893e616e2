"""Stored records one by one, for files."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from agencies.models import Agency
from ingestion.models import Incident

INCIDENT_FIELDS = (
    "feed__slug", "external_id", "crime_type__slug", "code", "occurred_from", "occurred_to", "reported_at", "lon", "lat",
    "discovery", "time_precision", "place_precision_m",
)  # fmt: skip


def incidents_between(agency: Agency, first: dt.date, last: dt.date) -> Iterator[tuple[Any, ...]]:
    """Yield ``INCIDENT_FIELDS`` of the incidents that began on these local dates, by time, as the database sends them."""
    zone = ZoneInfo(agency.time_zone)
    rows = Incident.objects.filter(
        agency=agency,
        occurred_from__gte=dt.datetime.combine(first, dt.time(), tzinfo=zone),
        occurred_from__lt=dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), tzinfo=zone),
    )
    return rows.order_by("occurred_from", "pk").values_list(*INCIDENT_FIELDS).iterator(chunk_size=2000)
