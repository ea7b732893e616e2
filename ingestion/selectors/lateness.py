"""Which feeds tell when an incident was reported, and what the analyst set for those that do not."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from agencies.models import Agency
from ingestion.models import CallForService, Feed
from ingestion.selectors.tables import CALLS, forecastable_types, stored_rows


@dataclass(frozen=True)
class FeedLateness:
    """One feed's rows of one category: how many there are, and how many without a report time."""

    category: str
    feed: Feed
    rows: int
    untimed: int


def feeds_lateness(agency: Agency, *, since: datetime, until: datetime) -> list[FeedLateness]:
    """Count the rows that ``incident_table`` would hold, by category and feed. Five queries.

    Sorted by category and feed.
    """
    types = forecastable_types(agency)
    slugs = {crime_type.pk: crime_type.slug for crime_type in types}
    feeds = {feed.pk: feed for feed in Feed.objects.filter(agency=agency)}
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for rows in stored_rows(agency, types, since, until):
        counted = (
            rows.order_by()
            .values("feed_id", "crime_type_id")
            .annotate(rows=Count("pk"), untimed=Count("pk", filter=Q(reported_at__isnull=True)))
        )
        for row in counted:
            slug = slugs.get(row["crime_type_id"])
            if slug is None and rows.model is not CallForService:
                continue
            key = (slug or CALLS, row["feed_id"])
            before = found.get(key, (0, 0))
            found[key] = (before[0] + row["rows"], before[1] + row["untimed"])
    return [
        FeedLateness(category, feeds[feed_id], rows, untimed)
        for (category, feed_id), (rows, untimed) in sorted(found.items())
    ]
