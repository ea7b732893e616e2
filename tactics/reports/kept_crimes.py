"""The crimes of some years, kept as they were read: what is asked of them by a new filter or period need not wait for half a million rows.

A worker reads them when it counts the long reports ahead, and again when a page has shown figures from them.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from django.core.cache import caches
from django.utils import timezone

from agencies.models import Agency, Beat
from agencies.selectors import active_crime_types
from forecasting.models import Grid
from tactics.reports.asked import Asked
from tactics.reports.crimes import Crimes, CrimesRead, crimes_asked, crimes_read

KEEP_S = 36 * 3600
DAYS_BACK = 365 * 8
"""Five earlier years, the weeks before them, and a year and a half in which the period may begin."""
AGAIN = dt.timedelta(hours=1)
"""What was read within the last hour is not read anew for the next question."""


def crimes_keep(agency: Agency) -> None:
    """Read the agency's crimes and keep them, unless that was done within the last hour. Ten queries at most.

    Raises ``MissionsError`` where there is no grid yet.
    """
    kept: CrimesRead | None = caches["reports"].get(_key(agency))
    if kept is not None and timezone.now() - kept.read_at < AGAIN:
        return
    today = timezone.localdate(timezone=ZoneInfo(agency.time_zone))
    caches["reports"].set(
        _key(agency), crimes_read(agency, today - dt.timedelta(days=DAYS_BACK), today), KEEP_S
    )


def kept_crimes_of(
    agency: Agency, asked: Asked, *, since: dt.date, until: dt.date | None = None
) -> Crimes | None:
    """As ``crimes_of``, but of the crimes that are kept; None where none are, or not these. Three queries.

    Nothing fits that was read before the last day asked for was over, on another grid, with beats of other names, or with fewer crime types.
    """
    kept: CrimesRead | None = caches["reports"].get(_key(agency))
    if kept is None or kept.since > since or asked.last >= _local_day(kept.read_at, agency):
        return None
    types = active_crime_types(agency)
    if not {crime_type.slug for crime_type in types} <= set(kept.table.categories):
        return None
    if not Grid.objects.filter(pk=kept.grid, agency=agency, is_active=True).exists():
        return None
    beats = Beat.objects.filter(agency=agency).order_by("code")
    told = [
        (code, name or district, district)
        for code, name, district in beats.values_list("code", "district__name", "district__code")
    ]
    return crimes_asked(kept, types, asked, since, until or asked.last) if told == kept.beats else None


def _local_day(moment: dt.datetime, agency: Agency) -> dt.date:
    return moment.astimezone(ZoneInfo(agency.time_zone)).date()


def _key(agency: Agency) -> str:
    # With the agency's beginning: a file outlives a trial's database, in whose next one the same number is somebody else.
    return f"crimes:{agency.pk}:{agency.created_at.isoformat()}:{agency.time_zone}"
