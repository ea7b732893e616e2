"""How an agency's feeds are doing, in numbers and in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, Exists, F, Max, OuterRef, QuerySet, Subquery, Sum, When
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agencies.models import Agency
from ingestion.engine.rejections import RejectionCode
from ingestion.models import (
    Feed,
    ImportRun,
    PushTally,
    QuarantinedRow,
    fact_model,
)
from ingestion.push_models import COUNTS
from ingestion.selectors.silence import silences, silent_after, spoken_gap
from ingestion.sources import is_pull, whole_file_class
from ingestion.words import rejection_words
from missions_project.lib.runs import RunStatus
from missions_project.lib.sentences import said_again

QUARANTINE_SHARE_BAD = 0.1
"""Above this share of a file's rows the mapping or the source needs a look: forecasts miss what is kept aside."""
STALE_AFTER = timedelta(days=7)
TIME_FIELD = {"events": "starts_at", "weather": "valid_at", "positions": "at"}
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
    next_at: datetime | None = None
    """When a feed with a schedule is due next."""


def feeds_with_health(agency: Agency, *, now: datetime) -> list[FeedHealth]:
    """Return the agency's feeds by name with last run, counts and health in words. At most seven queries."""
    feeds = list(Feed.objects.filter(agency=agency))
    last_keys = ImportRun.objects.filter(agency=agency).order_by().values("feed").annotate(last=Max("pk"))
    runs = {
        run.feed_id: run for run in ImportRun.objects.filter(pk__in=last_keys.values("last")).defer("log")
    }
    stored: dict[int, tuple[int, datetime | None]] = {}
    for kind in {feed.record_kind for feed in feeds}:
        for pk, n, newest in _stored(agency, kind):
            stored[pk] = (n or 0, newest)
    _count_pushes(agency, list(runs.values()))
    waiting = dict(
        QuarantinedRow.objects.filter(agency=agency, resolved_at=None)
        .order_by()
        .values_list("feed")
        .annotate(n=Count("pk"))
    )
    silent = silences(agency, feeds, now=now)
    return [
        _health(
            feed,
            runs.get(feed.pk),
            *stored.get(feed.pk, (0, None)),
            waiting.get(feed.pk, 0),
            now,
            silent.get(feed.pk),
        )
        for feed in feeds
    ]


def _stored(agency: Agency, kind: str) -> QuerySet[Feed, Any]:
    """Key, rows kept and the newest's time of the agency's feeds of one kind: counted in the index of the feed's own keys,
    the newest found at the end of the index by time, where to read every row for both takes ten times as long."""
    rows = fact_model(kind)._default_manager.filter(feed=OuterRef("pk")).order_by()
    time = TIME_FIELD.get(kind, "occurred_from")
    newest = rows.filter(agency=agency).order_by(F(time).desc()).values(time)[:1]
    return (
        Feed.objects.filter(agency=agency, record_kind=kind)
        .annotate(
            n=Subquery(rows.values("feed").annotate(n=Count("*")).values("n")),
            # A feed without rows would have the whole index looked through for one.
            newest=Case(When(Exists(rows), then=Subquery(newest))),
        )
        .values_list("pk", "n", "newest")
    )


def _count_pushes(agency: Agency, runs: list[ImportRun]) -> None:
    """Give the runs that stand for a day of pushes their counts as of now: the row itself may be a minute behind."""
    by_pk = {run.pk: run for run in runs}
    sums = {f"all_{name}": Sum(name) for name in COUNTS}
    parts = PushTally.objects.filter(agency=agency, day__run__in=list(by_pk)).order_by().values("day__run")
    row: dict[str, Any]
    for row in parts.annotate(**sums, all_batches=Sum("batches"), newest_at=Max("last_at")):  # type: ignore[assignment]
        run = by_pk[row["day__run"]]
        run.counts = {name: row[f"all_{name}"] for name in COUNTS} | {"batches": row["all_batches"]}
        run.finished_at = row["newest_at"]


def _health(
    feed: Feed,
    run: ImportRun | None,
    stored: int,
    newest: datetime | None,
    waiting: int,
    now: datetime,
    silent: tuple[datetime, timedelta] | None,
) -> FeedHealth:
    tone, words = _words(feed, run, newest, now, silent)
    # Kinds that fetch by themselves keep when they are due on the feed.
    next_at = getattr(feed, "next_due_at", None) if feed.is_active else None
    return FeedHealth(feed, run, stored, newest, waiting, tone, words, next_at)


def _words(
    feed: Feed,
    run: ImportRun | None,
    newest: datetime | None,
    now: datetime,
    silent: tuple[datetime, timedelta] | None,
) -> tuple[str, str]:
    if not feed.is_active:
        return "idle", _("Switched off: accepts no imports.")
    if run is None:
        if is_pull(feed.kind) and whole_file_class(feed.kind) is not None:
            return "idle", _("Nothing pulled yet. Enter the address on the feed's page, then pull.")
        if is_pull(feed.kind):
            return "idle", _("Nothing pulled yet. Fetch a sample in the admin and map it, then pull.")
        return "idle", _("Nothing imported yet. Upload a file in the admin, or run import_incidents.")
    if run.status == RunStatus.RUNNING:
        return "idle", _("Importing now, %(progress_percent)s %% done.") % {
            "progress_percent": run.progress_percent
        }
    if run.status == RunStatus.QUEUED:
        return "idle", _("An import waits for a worker.")
    if run.status == RunStatus.FAILED:
        return "bad", _("The last import failed. %(error)s") % {"error": said_again(run.error)}
    if "batches" in run.counts:
        return _push_words(feed, run, now)
    if silent is not None:
        last, usual = silent
        if feed.silent_after_hours is not None:
            return "bad", (
                _(
                    "Silent: no new row for %(now)s, and %(usual)s are set as the longest. Look at the system that sends them."
                )
                % {"now": spoken_gap(now - last), "usual": spoken_gap(usual)}
            )
        return "bad", (
            _(
                "Silent: rows usually come every %(usual)s, and none have come for %(now)s. Look at the system that sends them."
            )
            % {"usual": spoken_gap(usual), "now": spoken_gap(now - last)}
        )
    received, kept = run.counts.get("received", 0), run.counts.get("quarantined", 0)
    if received and kept / received > QUARANTINE_SHARE_BAD and run.rejections:
        code = max(run.rejections, key=lambda name: (run.rejections[name], name))
        return "bad", (
            _("%(kept)s of the last file's rows are kept aside, most of them because: %(meaning)s.")
            % {"kept": f"{100 * kept / received:.0f} %", "meaning": rejection_words(code).meaning.lower()}
        )
    if newest is not None and now - newest > STALE_AFTER:
        return "warn", _("In order, but the newest record is %(days)s days old.") % {
            "days": (now - newest).days
        }
    if kept:
        return "good", _("In order. %(kept)s of %(received)s rows of the last file are kept aside.") % {
            "kept": f"{kept:,}",
            "received": f"{received:,}",
        }
    return "good", _("In order.")


def _push_words(feed: Feed, run: ImportRun, now: datetime) -> tuple[str, str]:
    counts = run.counts
    ago = int((now - run.finished_at).total_seconds() // 60) if run.finished_at else 0
    said = _("Last push %(ago)s; %(received)s rows that day in %(batches)s batches") % {
        "ago": _ago(ago),
        "received": f"{counts['received']:,}",
        "batches": f"{counts['batches']:,}",
    }
    kept, refused = counts["quarantined"], counts["refused"]
    said += _(", %(kept)s kept aside") % {"kept": f"{kept:,}"} if kept else ""
    said += _(", %(refused)s refused") % {"refused": f"{refused:,}"} if refused else ""
    limit = silent_after(feed)
    if limit is not None and ago > limit.total_seconds() / 60:
        return "bad", _("Silent for more than %(limit)s. %(said)s. Is the sender still running?") % {
            "limit": spoken_gap(limit),
            "said": said,
        }
    bad = (kept + refused) / counts["received"] if counts["received"] else 0.0
    return ("bad" if bad > QUARANTINE_SHARE_BAD and kept + refused > 20 else "good"), f"{said}."


def _ago(minutes: int) -> str:
    if minutes < 1:
        return _("less than a minute ago")
    if minutes < 120:
        return ngettext("%(number)s minute ago", "%(number)s minutes ago", minutes) % {"number": minutes}
    if minutes < 2_880:
        return ngettext("%(number)s hour ago", "%(number)s hours ago", minutes // 60) % {
            "number": minutes // 60
        }
    days = minutes // 1_440
    return ngettext("%(number)s day ago", "%(number)s days ago", days) % {"number": days}


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
    return [QuarantineCount(feeds[feed], rejection_words(code), n) for feed, code, n in rows]
