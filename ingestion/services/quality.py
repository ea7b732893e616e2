"""Measuring a feed's data once for each state of it, and keeping the result."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.utils import timezone

from agencies.selectors import agency_area
from ingestion.engine.quality import Heaping, PileUp, Quality, ReportLag, measure
from ingestion.engine.quality_days import DailyVolume, DriftPeriod, Gap, VolumeDrift
from ingestion.models import Feed, FeedQuality
from ingestion.selectors.quality import feed_columns, feed_version
from missions_project.lib.progress import Progress, no_progress

MEASURE_VERSION = 1
"""Raised whenever the figures are computed otherwise: what was stored before is measured again."""
LARGE_ROWS = 50_000
LARGE_MEASURED_EVERY = timedelta(minutes=10)
"""A large feed that changes each second is not measured for each page view: seconds of work every time."""


def feed_quality(*, feed: Feed, now: datetime | None = None, progress: Progress = no_progress) -> FeedQuality:
    """Return what is measured of the feed's rows; measure first where it changed. Three queries where it did not."""
    now = now or timezone.now()
    version = f"{MEASURE_VERSION}-{feed_version(feed, now=now)}"
    kept = FeedQuality.objects.filter(feed=feed).first()
    if kept is not None and (kept.version == version or _is_fresh_enough(kept, now)):
        return kept
    today = np.datetime64(now.astimezone(ZoneInfo(feed.agency.time_zone)).date().isoformat(), "D")
    area = agency_area(feed.agency)
    measured = measure(
        feed_columns(feed),
        zone=feed.agency.time_zone,
        today=today,
        centre=(area.centroid.x, area.centroid.y) if area is not None else None,
        progress=progress,
    )
    made = FeedQuality(
        feed=feed, agency=feed.agency, version=version, measured_at=now, summary=asdict(measured)
    )
    # Two people may open the page at once: the second one's row replaces the first one's.
    FeedQuality.objects.bulk_create(
        [made],
        update_conflicts=True,
        unique_fields=["feed"],
        update_fields=["version", "measured_at", "summary"],
    )
    return made


def _is_fresh_enough(kept: FeedQuality, now: datetime) -> bool:
    same_measure = kept.version.startswith(f"{MEASURE_VERSION}-")
    large = kept.summary.get("rows", 0) > LARGE_ROWS
    return same_measure and large and now - kept.measured_at < LARGE_MEASURED_EVERY


def quality_of(kept: FeedQuality) -> Quality:
    """The stored summary as the engine's own record."""
    data: dict[str, Any] = dict(kept.summary)
    drift = dict(data["drift"])
    drift["periods"] = [DriftPeriod(**period) for period in drift["periods"]]
    drift["whole"] = DriftPeriod(**drift["whole"]) if drift["whole"] else None
    days = dict(data["days"])
    days["gaps"] = [Gap(**gap) for gap in days["gaps"]]
    data |= {
        "pile_ups": [PileUp(**pile) for pile in data["pile_ups"]],
        "heaping": Heaping(**data["heaping"]),
        "lag": ReportLag(**data["lag"]),
        "days": DailyVolume(**days),
        "drift": VolumeDrift(**drift),
    }
    return Quality(**data)
