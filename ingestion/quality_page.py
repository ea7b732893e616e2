"""What the data quality page shows of one feed: figures as rows of tables."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.engine.offence_policy import Refused, screen_code
from agencies.offence_words import refusal_said
from ingestion import services
from ingestion.engine.quality import LAG_BINS, PLACE_BINS, Quality
from ingestion.engine.quality_findings import findings, geocoding
from ingestion.finding_words import finding_said
from ingestion.models import Feed, ImportRun
from ingestion.selectors import feed_waiting, feeds_with_health, unmapped_codes
from ingestion.words import said
from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.runs import RunStatus

TIME_WORDS = {
    "second": gettext_lazy("To the second"),
    "minute": gettext_lazy("To the minute"),
    "hour": gettext_lazy("To the hour (made coarse by retention)"),
    "day": gettext_lazy("A date without a time: counts for its whole day"),
    "ambiguous": gettext_lazy("In the hour that comes twice in autumn: taken as the first"),
    "shifted": gettext_lazy("In the hour that summer time skips: taken as the first moment after"),
    "other": gettext_lazy("Otherwise"),
}
REFUSED_CODES = 12
LATEST_DAYS = 14
PILE_WORDS = {
    "default": gettext_lazy("looks like a stand-in address"),
    "centre": gettext_lazy("the middle of the area"),
    "busy": gettext_lazy("a busy place"),
}


def quality_context(feed: Feed) -> dict[str, Any]:
    """Everything that the template needs."""
    now = timezone.now()
    kept = services.feed_quality(feed=feed, now=now)
    quality, waiting = services.quality_of(kept), feed_waiting(feed)
    health = next(row for row in feeds_with_health(feed.agency, now=now) if row.feed.pk == feed.pk)
    last = ImportRun.objects.filter(feed=feed, status=RunStatus.SUCCEEDED).exclude(refusals={}).first()
    return {
        "feed": feed,
        "zone": ZoneInfo(feed.agency.time_zone),
        "health": health,
        "measured_at": kept.measured_at,
        "quality": quality,
        "findings": [finding_said(one) for one in findings(quality, waiting=waiting)],
        "geocoding": geocoding(quality.rows, waiting),
        "waiting": sum(waiting.values()),
        "codes": unmapped_codes(feed),
        "refused_run": last,
        "refusals": _refusals(last) if last else [],
        "piles": [(pile, PILE_WORDS[pile.kind]) for pile in quality.pile_ups if pile.rows > 1],
        "heaping": _heaping(quality),
        "lag_rows": _shares([said(name) for name, __ in LAG_BINS], quality.lag.bins),
        "latest_days": _latest_days(quality),
        "time_rows": _shares(
            [TIME_WORDS[name] for name in quality.time_precision], list(quality.time_precision.values())
        ),
        "place_rows": _place_rows(quality),
    }


def _shares(names: list[str], counts: list[int]) -> list[tuple[str, int, float]]:
    whole = max(sum(counts), 1)
    return [(name, number, 100 * number / whole) for name, number in zip(names, counts, strict=True)]


def _heaping(quality: Quality) -> list[tuple[str, float, float]]:
    heaping = quality.heaping
    return [
        (_("Exactly 00:00"), 100 * heaping.midnight, 100 / 1_440),
        (_("Exactly 12:00"), 100 * heaping.noon, 100 / 1_440),
        (_("On a full hour"), 100 * heaping.full_hour, 100 / 60),
    ]


def _latest_days(quality: Quality) -> list[tuple[date, int, str]]:
    """The newest fortnight, newest first, with a word where a day is missing or thin."""
    if not quality.days.counts:
        return []
    last, days = date.fromisoformat(quality.days.newest), quality.days
    missing = {
        date.fromisoformat(gap.first) + timedelta(days=step) for gap in days.gaps for step in range(gap.days)
    }
    thin = {date.fromisoformat(day) for day in days.thin}
    rows = []
    for back, number in enumerate(days.counts[::-1][:LATEST_DAYS]):
        on = last - timedelta(days=back)
        rows.append((on, number, _("missing") if on in missing else _("unusually few") if on in thin else ""))
    return rows


def _place_rows(quality: Quality) -> list[tuple[str, int, float]]:
    words = {"unknown": _("Unknown (imported before this was kept)"), "coarser": _("Coarser than 111 metres")}
    names = [
        name for name in ("unknown", *(name for name, __ in PLACE_BINS)) if name in quality.place_precision
    ]
    labels = [words.get(name, _("To about %(name)s") % {"name": said(name)}) for name in names]
    return _shares(labels, [quality.place_precision[name] for name in names])


def _refusals(run: ImportRun) -> list[tuple[str, int, str, str]]:
    """Rule, rows, codes, and the policy's words, of a run; most rows first."""
    found = []
    for rule, codes in run.refusals.items():
        most = sorted(codes.items(), key=lambda item: -item[1])[:REFUSED_CODES]
        listed = ", ".join(f"{code} ({number:,})" for code, number in most)
        found.append((said(rule.replace("_", " ")), sum(codes.values()), listed, _why(rule, most[0][0])))
    return sorted(found, key=lambda row: -row[1])


def _why(rule: str, code: str) -> str:
    if rule == "ignored_by_mapping":
        return _("Somebody of the agency chose to ignore these codes.")
    if rule == "older_than_retention":
        return _("Older than the agency keeps such records.")
    for screening in (screen_code(nibrs=code), screen_code(ucr=code), screen_code(description=code)):
        if isinstance(screening, Refused) and screening.rule == rule:
            # The rest of the message says for each rule alike what is forecast.
            return refusal_said(screening.message.split(". ")[0] + ".")
    return _("This product does not forecast such offences, or they measure enforcement and not crime.")
