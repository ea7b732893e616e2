"""Reports are kept, so that a page opens at once: for a minute as they are; the long ones, marked with their age, for a day and a half.

A long report counts years of crimes or weeks of dosage, which takes a second or more in a large city. Whoever opens one that was kept gets it at once,
with the time at which it was counted, while a worker counts it anew; and those that a page shows unasked are counted before people come.
"""

import datetime as dt
import hashlib
import logging
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.cache import cache, caches
from django.db import connection
from django.http import QueryDict
from django.utils import timezone, translation
from django.utils.translation import get_language
from kombu.exceptions import OperationalError

from agencies.access import Access
from agencies.models import Agency, Membership, User
from missions_project.lib.errors import MissionsError
from tactics.reports.asked import Asked, asked_from, choices_of
from tactics.reports.kept_crimes import crimes_keep
from tactics.reports.kinds import ReportKind, all_kinds, report_made, report_made_at_once
from tactics.reports.made_by import MADE_BY
from tactics.reports.seen import personal_report_seen
from tactics.reports.shapes import Report

KEEP_S = 60
"""A page asks for its charts right after itself: they draw what the page has read."""
LONG_KEEP_S = 36 * 3600
"""A question names its days: tomorrow's is another. What nobody asks for again goes by itself."""
ASKED_S = 120
"""However many people wait for a count, a worker is asked for it once in so many seconds."""
AHEAD_HOURS = (0, 5)
"""Local hours at which the unasked reports are counted: the day's own, and once more with what came in at night."""
READERS_DAYS = 14
"""An agency in which nobody has signed in for so long is not counted for."""
logger = logging.getLogger(__name__)


def report_of(
    agency: Agency, kind: ReportKind, asked: Asked, access: Access, *, may_be_old: bool = False
) -> Report:
    """Return the report for this person, made now or within the last minute for the same question and limits.

    A long report may be older where ``may_be_old``, or made of crimes that were read earlier: then a worker is sent for a new one.
    ``Report.made_at`` says how old it is.
    """
    asked = kind.narrowed(asked, access)
    personal_report_seen(kind, asked, access)
    within_reach = _is_within_reach(agency)
    report: Report | None = caches["reports"].get(_key(agency, kind, asked)) if within_reach else None
    if report is not None and is_new(report):
        return report
    if may_be_old and kind.is_long and within_reach:
        report = report or report_made_at_once(agency, kind, asked)
        if report is not None and _sent_for(agency, kind, asked):
            caches["reports"].add(_key(agency, kind, asked), report, LONG_KEEP_S)
            return report
    return report_keep(agency, kind, asked)


def report_keep(agency: Agency, kind: ReportKind, asked: Asked) -> Report:
    """Make a report in the language that is spoken now, and keep it."""
    report = report_made(agency, kind, asked)
    caches["reports"].set(_key(agency, kind, asked), report, LONG_KEEP_S if kind.is_long else KEEP_S)
    return report


def is_new(report: Report) -> bool:
    """Whether a report was made within the last minute."""
    return timezone.now() - report.made_at < dt.timedelta(seconds=KEEP_S)


def _is_within_reach(agency: Agency) -> bool:
    """Whether the database shows the agency's rows now: what is kept must not pass where its rows would not (`missions_project.lib.walls`)."""
    return connection.vendor != "postgresql" or Membership.objects.filter(agency=agency).exists()


def _key(agency: Agency, kind: ReportKind, asked: Asked) -> str:
    # Hashed: a choice of all beats is longer than a cache's keys may be. With the limits: what one person may see, another may not.
    # And with the agency's beginning: a file outlives a trial's database, in whose next one the same number is somebody else.
    # What another release has made is not read: its tables may be others.
    question = f"{MADE_BY} {get_language()} {asked.query} {asked.whose} {agency.created_at.isoformat()}"
    return f"report:{agency.pk}:{kind.slug}:{hashlib.sha256(question.encode()).hexdigest()[:32]}"


def _sent_for(agency: Agency, kind: ReportKind, asked: Asked) -> bool:
    """Whether a worker has been asked to count it anew, now or a moment ago. False where nobody can be asked."""
    from tactics.tasks import report_again_task

    # Those that are cut to what one person may see are made for that person.
    if asked.whose is not None:
        return False
    if cache.add(f"again:{_key(agency, kind, asked)}", 1, ASKED_S):
        try:
            report_again_task.delay(agency.pk, kind.slug, asked.query, get_language())
        except (OperationalError, OSError):
            logger.warning("No worker could be asked to count a report anew; it is counted by the page.")
            return False
    return True


def report_again(*, agency: Agency, slug: str, query: str, language: str) -> None:
    """Count one report anew, at a worker. What cannot be counted any more is left to the page, which says why."""
    kind = all_kinds()[slug]
    with translation.override(language):
        try:
            _kept(agency, kind, QueryDict(query))
            crimes_keep(agency)
        except MissionsError as exc:
            logger.info("The report %s is not counted anew: %s", slug, exc)


def reports_ahead(*, agency: Agency, languages: Iterable[str]) -> int:
    """Count what an agency's people are shown unasked by long reports, in each language. Returns how many were counted.

    Its crimes are kept too, for whatever else is asked of them.
    """
    made = 0
    try:
        crimes_keep(agency)
    except MissionsError as exc:
        logger.info("The crimes of %s are not read ahead: %s", agency.slug, exc)
    for language in languages:
        with translation.override(language or settings.LANGUAGE_CODE):
            for kind in all_kinds().values():
                if not kind.is_long or kind.why_off(agency):
                    continue
                try:
                    _kept(agency, kind, QueryDict())
                    made += 1
                except MissionsError as exc:
                    logger.info("The report %s is not counted ahead: %s", kind.slug, exc)
    return made


def _kept(agency: Agency, kind: ReportKind, query: QueryDict) -> None:
    today = timezone.localdate(timezone=ZoneInfo(agency.time_zone))
    asked = asked_from(
        query, choices_of(agency), today=today, days=kind.days, longest=kind.longest, options=kind.options
    )
    report_keep(agency, kind, asked)


def ahead_ask(person: User) -> int:
    """Have a worker count for the agencies of somebody who has just signed in, unless it has been done; returns for how many.

    One query. Where no worker can be asked, the minute's dispatcher tries.
    """
    from tactics.tasks import reports_ahead_task

    found = ahead_due(now=timezone.now(), of=person)
    try:
        for agency_id, languages in found:
            reports_ahead_task.delay(agency_id, languages)
    except (OperationalError, OSError):
        logger.warning("No worker could be asked to count reports ahead; the dispatcher tries.")
        cache.delete_many(f"ahead:{pk}" for pk, _languages in found)
        return 0
    return len(found)


def ahead_due(*, now: dt.datetime, of: User | None = None) -> list[tuple[int, list[str]]]:
    """Return the agencies (``of`` a person) whose unasked reports are to be counted now, with their readers' languages. One query.

    Claimed in the cache, once for each of ``AHEAD_HOURS``: counted twice is no harm.
    """
    readers = Membership.objects.filter(
        user__is_active=True, user__last_login__gte=now - dt.timedelta(days=READERS_DAYS)
    )
    if of is not None:
        readers = readers.filter(agency__in=Membership.objects.filter(user=of).values("agency"))
    languages: dict[tuple[int, str], set[str]] = {}
    for agency_id, zone, language in readers.values_list(
        "agency_id", "agency__time_zone", "user__language"
    ).distinct():
        languages.setdefault((agency_id, zone), set()).add(language or settings.LANGUAGE_CODE)
    turns = {f"ahead:{pk}": _turn(now, zone) for pk, zone in languages}
    done = cache.get_many(turns)
    turns = {key: turn for key, turn in turns.items() if done.get(key) != turn}
    cache.set_many(turns, LONG_KEEP_S)
    return [(pk, sorted(found)) for (pk, _zone), found in languages.items() if f"ahead:{pk}" in turns]


def _turn(now: dt.datetime, zone: str) -> str:
    local = now.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d}:{max(hour for hour in AHEAD_HOURS if hour <= local.hour)}"
