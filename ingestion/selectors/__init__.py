"""Reading what came in. The only door from stored incidents to numbers is ``incident_table``."""

from ingestion.selectors.feeds import FeedHealth, QuarantineCount, feeds_with_health, quarantine_summary
from ingestion.selectors.lateness import FeedLateness, feeds_lateness
from ingestion.selectors.points import IncidentPoint, incident_points
from ingestion.selectors.quality import feed_columns, feed_version, feed_waiting
from ingestion.selectors.records import INCIDENT_FIELDS, incidents_between
from ingestion.selectors.tables import CALLS, data_hash, incident_table
from ingestion.selectors.unmapped import UnmappedCode, unmapped_codes

__all__ = [
    "CALLS",
    "INCIDENT_FIELDS",
    "FeedHealth",
    "FeedLateness",
    "IncidentPoint",
    "QuarantineCount",
    "UnmappedCode",
    "data_hash",
    "feed_columns",
    "feed_version",
    "feed_waiting",
    "feeds_lateness",
    "feeds_with_health",
    "incident_points",
    "incident_table",
    "incidents_between",
    "quarantine_summary",
    "unmapped_codes",
]
