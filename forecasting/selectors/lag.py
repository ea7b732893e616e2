"""How late each category is reported, as far as only the analyst can say it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from agencies.models import Agency
from forecasting.engine.lag import ReportingLag
from ingestion.selectors import FeedLateness, feeds_lateness

LOOK_BACK = dt.timedelta(days=365)
"""Feeds change: who reported how in the last year decides."""


def said_lags(agency: Agency, *, as_of: dt.datetime) -> tuple[dict[str, ReportingLag], list[str]]:
    """Return the lag by category of rows without report times, as set on their feeds, and remarks for the run's log.

    Rows with a report time count as known at once here: their lag is measured from those times. A category from several
    feeds gets the mixture. Five queries.
    """
    found = feeds_lateness(agency, since=as_of - LOOK_BACK, until=as_of)
    by_category: dict[str, list[FeedLateness]] = defaultdict(list)
    for row in found:
        by_category[row.category].append(row)
    lags = {}
    for category, rows in by_category.items():
        parts = [(_set_on(row), float(row.untimed)) for row in rows]
        parts.append((ReportingLag.none(), float(sum(row.rows - row.untimed for row in rows))))
        parts = [(lag, share) for lag, share in parts if share > 0]
        if any(not lag.is_complete for lag, _ in parts):
            lags[category] = ReportingLag.mixture(parts)
    return lags, _remarks(found)


def lags_record(lags: Mapping[str, ReportingLag]) -> dict[str, Any]:
    """The lags as a run's row keeps them."""
    return {category: lag.as_dict() for category, lag in lags.items()}


def lags_recorded(record: Mapping[str, Any] | None) -> dict[str, ReportingLag]:
    """The lags that a run was made with. No query."""
    return {category: ReportingLag.from_dict(lag) for category, lag in (record or {}).items()}


def _set_on(row: FeedLateness) -> ReportingLag:
    median, p90 = row.feed.lag_median_hours, row.feed.lag_p90_hours
    if median is None or p90 is None:
        return ReportingLag.none()
    return ReportingLag.from_quantiles(median, p90)


def _remarks(found: list[FeedLateness]) -> list[str]:
    remarks = []
    for feed in {row.feed.pk: row.feed for row in found}.values():
        rows = [row for row in found if row.feed.pk == feed.pk]
        untimed, total = sum(row.untimed for row in rows), sum(row.rows for row in rows)
        if not untimed:
            continue
        figures = {"untimed": f"{untimed:,}", "total": f"{total:,}", "feed": feed}
        if feed.lag_median_hours is None:
            words = _(
                "%(untimed)s of %(total)s rows of the last year from feed “%(feed)s” have no report time: they are taken as "
                "known at once. If they arrive late, recent days look too quiet. Next step: Admin → Feeds → reporting lag."
            )
        else:
            words = _(
                "%(untimed)s of %(total)s rows of the last year from feed “%(feed)s” have no report time: their lag is taken "
                "as set on the feed (half within %(median)s h, 90 %% within %(most)s h)."
            )
            figures |= {"median": f"{feed.lag_median_hours:g}", "most": f"{feed.lag_p90_hours:g}"}
        remarks.append(words % figures)
    return remarks
