"""How an agency's feeds are doing, in numbers and in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max

from agencies.models import Agency
from ingestion.engine.rejections import REJECTION_CODES, RejectionCode
from ingestion.models import Feed, ImportRun, QuarantinedRow, fact_model
from missions_project.lib.runs import RunStatus

QUARANTINE_SHARE_BAD = 0.1
"""Above this share of a file's rows the mapping or the source needs a look: forecasts miss what is kept aside."""
STALE_AFTER = timedelta(days=7)
TIME_FIELD = {"events": "starts_at", "weather": "valid_at"}
"""Where a kind of record keeps its time, if it is no fact with an interval."""


@dataclass(frozen=True)
class FeedHealth:
    """One feed as the data page and the admin show it. ``tone`` is good, warn, bad or idle."""

    feed: Feed
    last_run: ImportRun | None
    stored: int
    newest_at: datetime | None
    waiting: int
    """Rows in the quarantine that nobody has settled."""
    tone: str
    words: str


def feeds_with_health(agency: Agency, *, now: datetime) -> list[FeedHealth]:
    """Return the agency's feeds by name with last run, counts and health in words. At most six queries."""
    feeds = list(Feed.objects.filter(agency=agency))
    last_keys = ImportRun.objects.filter(agency=agency).order_by().values("feed").annotate(last=Max("pk"))
    runs = {
        run.feed_id: run for run in ImportRun.objects.filter(pk__in=last_keys.values("last")).defer("log")
    }
    stored: dict[int, tuple[int, datetime | None]] = {}
    for kind in {feed.record_kind for feed in feeds}:
        rows = fact_model(kind)._default_manager.filter(agency=agency).order_by().values("feed")
        for row in rows.annotate(n=Count("pk"), newest=Max(TIME_FIELD.get(kind, "occurred_from"))):
            stored[row["feed"]] = (row["n"], row["newest"])
    waiting = dict(
        QuarantinedRow.objects.filter(agency=agency, resolved_at=None)
        .order_by()
        .values_list("feed")
        .annotate(n=Count("pk"))
    )
    return [
        _health(feed, runs.get(feed.pk), *stored.get(feed.pk, (0, None)), waiting.get(feed.pk, 0), now)
        for feed in feeds
    ]


def _health(
    feed: Feed, run: ImportRun | None, stored: int, newest: datetime | None, waiting: int, now: datetime
) -> FeedHealth:
    tone, words = _words(feed, run, newest, now)
    return FeedHealth(feed, run, stored, newest, waiting, tone, words)


def _words(feed: Feed, run: ImportRun | None, newest: datetime | None, now: datetime) -> tuple[str, str]:
    if not feed.is_active:
        return "idle", "Switched off: accepts no imports."
    if run is None:
        return "idle", "Nothing imported yet. Upload a file in the admin, or run import_incidents."
    if run.status == RunStatus.RUNNING:
        return "idle", f"Importing now, {run.progress_percent} % done."
    if run.status == RunStatus.QUEUED:
        return "idle", "An import waits for a worker."
    if run.status == RunStatus.FAILED:
        return "bad", f"The last import failed. {run.error}"
    received, kept = run.counts.get("received", 0), run.counts.get("quarantined", 0)
    if received and kept / received > QUARANTINE_SHARE_BAD and run.rejections:
        code = max(run.rejections, key=lambda name: (run.rejections[name], name))
        return "bad", (
            f"{kept / received:.0%} of the last file's rows are kept aside, most of them because: "
            f"{REJECTION_CODES[code].meaning.lower()}."
        )
    if newest is not None and now - newest > STALE_AFTER:
        return "warn", f"In order, but the newest record is {(now - newest).days} days old."
    if kept:
        return "good", f"In order. {kept:,} of {received:,} rows of the last file are kept aside."
    return "good", "In order."


@dataclass(frozen=True)
class QuarantineCount:
    """Waiting rows of one feed with one rejection code."""

    feed: Feed
    kind: RejectionCode
    rows: int


def quarantine_summary(agency: Agency) -> list[QuarantineCount]:
    """Return the waiting rows by feed and code, most first. Two queries."""
    feeds = {feed.pk: feed for feed in Feed.objects.filter(agency=agency)}
    rows = (
        QuarantinedRow.objects.filter(agency=agency, resolved_at=None)
        .order_by()
        .values_list("feed", "code")
        .annotate(n=Count("pk"))
        .order_by("-n", "feed", "code")
    )
    return [QuarantineCount(feeds[feed], REJECTION_CODES[code], n) for feed, code, n in rows]
