"""The crimes of some years, kept as they were read: what is asked of them by a new filter or period need not wait for half a million rows.

A worker reads them when it counts the long reports ahead, and again when a page has shown figures from them.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from django.core.cache import caches
from django.utils import timezone

from agencies.models import Agency, Beat
from agencies.selectors import active_crime_types
from forecasting.models import Grid
from tactics.reports.asked import Asked
from tactics.reports.crimes import Crimes, CrimesRead, crimes_asked, crimes_read
from tactics.reports.made_by import MADE_BY

KEEP_S = 36 * 3600
DAYS_BACK = 365 * 8
"""Five earlier years, the weeks before them, and a year and a half in which the period may begin."""
AGAIN = dt.timedelta(hours=1)
"""What was read within the last hour is not read anew for the next question."""


FEWEST = 20_000
"""So many are read in a twentieth of a second: not worth the memory."""


@dataclass(frozen=True)
class Packed:
    """``CrimesRead`` in half of its size, exactly: 33 bytes a crime, 16 MB for half a million.

    ``read`` has an empty table; ``columns`` holds places as they are, times as seconds since 1970 (32 bits reach 2106) and what is
    added to them: seconds to the interval's end, minutes to the local clock.
    """

    read: CrimesRead
    columns: dict[str, npt.NDArray[Any]]


def crimes_keep(agency: Agency) -> None:
    """Read the agency's crimes and keep them, unless that was done within the last hour. Ten queries at most.

    Raises ``MissionsError`` where there is no grid yet.
    """
    kept: Packed | None = caches["reports"].get(_key(agency))
    if kept is not None and timezone.now() - kept.read.read_at < AGAIN:
        return
    today = timezone.localdate(timezone=ZoneInfo(agency.time_zone))
    read = crimes_read(agency, today - dt.timedelta(days=DAYS_BACK), today)
    if len(read.table) >= FEWEST:
        caches["reports"].set(_key(agency), packed(read), KEEP_S)


def packed(read: CrimesRead) -> Packed:
    """Return what is kept of the crimes. When they became known is not."""
    table = read.table
    columns: dict[str, npt.NDArray[Any]] = {
        "x_m": table.x_m,
        "y_m": table.y_m,
        "occurred": table.occurred_utc.astype(np.int64).astype(np.uint32),
        "lasted_s": (table.occurred_to_utc - table.occurred_utc).astype(np.int64).astype(np.uint32),
        "ahead_min": ((table.occurred_local - table.occurred_utc).astype(np.int64) // 60).astype(np.int16),
        "category": table.category.astype(np.int8),
        "beat": read.beat.astype(np.int16),
        "cell": read.cell.astype(np.int32),
    }
    nothing = np.empty(0, dtype=np.int64)
    return Packed(replace(read, table=table.take(nothing), beat=nothing, cell=nothing), columns)


def unpacked(kept: Packed) -> CrimesRead:
    """The crimes again. Each counts as known when its interval had ended."""
    columns = kept.columns
    occurred = columns["occurred"].astype("datetime64[s]")
    ended = occurred + columns["lasted_s"].astype("timedelta64[s]")
    table = replace(
        kept.read.table,
        x_m=columns["x_m"],
        y_m=columns["y_m"],
        occurred_utc=occurred,
        occurred_to_utc=ended,
        occurred_local=occurred + columns["ahead_min"].astype("timedelta64[m]"),
        known_utc=ended,
        category=columns["category"].astype(np.int16),
    )
    beat, cell = columns["beat"].astype(np.int64), columns["cell"].astype(np.int64)
    return replace(kept.read, table=table, beat=beat, cell=cell)


def kept_crimes_of(
    agency: Agency, asked: Asked, *, since: dt.date, until: dt.date | None = None
) -> Crimes | None:
    """As ``crimes_of``, but of the crimes that are kept; None where none are, or not these. Three queries.

    Nothing fits that was read before the last day asked for was over, on another grid, with beats of other names, or with fewer crime types.
    """
    found: Packed | None = caches["reports"].get(_key(agency))
    if found is None:
        return None
    kept = found.read
    if kept.since > since or asked.last >= _local_day(kept.read_at, agency):
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
    if told != kept.beats:
        return None
    return crimes_asked(unpacked(found), types, asked, since, until or asked.last)


def _local_day(moment: dt.datetime, agency: Agency) -> dt.date:
    return moment.astimezone(ZoneInfo(agency.time_zone)).date()


def _key(agency: Agency) -> str:
    # With the agency's beginning: a file outlives a trial's database, in whose next one the same number is somebody else.
    return f"crimes:{MADE_BY}:{agency.pk}:{agency.created_at.isoformat()}:{agency.time_zone}"
