"""What the tactic report reads: the tactics ticked off at visits, and those that were recommended."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from django.db.models import Count, Exists, OuterRef, Q

from agencies.models import Agency
from patrols.models import Engagement, MissionPlan
from tactics.models import TacticDraw, TacticUse
from tactics.reports.asked import Asked
from tactics.reports.shifts import FILTERS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Uses:
    """Tactics ticked off at visits, one element a tick; ``minutes`` of the whole visit. ``tactic`` indexes ``names``.

    ``drawn``: the tactic recommended for the visit's mission, -1 without one. ``kind``, ``district``: keys of the database.
    ``week``: its Monday. ``hour``: of the arrival, on the agency's clock.
    """

    names: list[str]
    tactic: Ints
    visit: Ints
    mission: Ints
    drawn: Ints
    kind: Ints
    beat: Ints
    week: npt.NDArray[np.datetime64]
    hour: Ints
    minutes: Floats

    def by(self, place: Ints, count: int) -> tuple[Ints, Floats]:
        """Visits and minutes by (place, tactic): int64 and float64 [count, tactics]. Places below 0 are left out."""
        n = len(self.names)
        inside = place >= 0
        at = place[inside] * n + self.tactic[inside]
        visits: Ints = np.bincount(at, minlength=count * n).reshape(count, n).astype(np.int64)
        spent = np.bincount(at, weights=self.minutes[inside], minlength=count * n)
        return visits, spent.astype(np.float64).reshape(count, n)


@dataclass(frozen=True)
class Followed:
    """Missions by tactic recommended (rows) and week (columns): drawn, of those visited, of those with it ticked. int64 each."""

    weeks: list[dt.date]
    drawn: Ints
    visited: Ints
    followed: Ints


def lookups(agency: Agency, asked: Asked, mission: str) -> dict[str, Any]:
    """The lookups that cut rows by their mission's plan and place."""
    chosen = {
        f"{mission}__{path}__in": getattr(asked, name)
        for name, path in FILTERS.items()
        if getattr(asked, name)
    }
    return {"agency": agency, f"{mission}__plan__on__range": (asked.first, asked.last)} | chosen


def uses_of(agency: Agency, asked: Asked, tactics: dict[int, str]) -> Uses:
    """Every tick of the period. One query."""
    place = {pk: number for number, pk in enumerate(tactics)}
    zone = ZoneInfo(agency.time_zone)
    rows = (
        TacticUse.objects.filter(**lookups(agency, asked, "engagement__mission"))
        .order_by()
        .values_list(
            "tactic_id", "engagement_id", "engagement__mission_id", "engagement__mission__tactic_draw__tactic_id",
            "engagement__mission__crime_type_id", "engagement__mission__beat_id", "engagement__mission__plan__on",
            "engagement__arrived_at", "engagement__left_at",
        )
    )  # fmt: skip
    numbers: list[tuple[int, ...]] = []
    minutes: list[float] = []
    mondays: dict[dt.date, int] = {}
    for tactic, visit, mission, drawn, kind, beat, on, arrived, left in rows.iterator(chunk_size=20_000):
        if (week := mondays.get(on)) is None:
            week = mondays[on] = on.toordinal() - on.weekday()
        numbers.append(
            (place[tactic], visit, mission, place.get(drawn, -1), kind, beat, week, arrived.astimezone(zone).hour)
        )  # fmt: skip
        # A timer that still runs has no length yet.
        minutes.append((left - arrived).total_seconds() / 60 if left else 0.0)
    table = np.array(numbers, dtype=np.int64).reshape(-1, 8)
    week_at = (table[:, 6] - dt.date(1970, 1, 1).toordinal()).astype("datetime64[D]")
    return Uses(
        names=list(tactics.values()),
        tactic=table[:, 0],
        visit=table[:, 1],
        mission=table[:, 2],
        drawn=table[:, 3],
        kind=table[:, 4],
        beat=table[:, 5],
        week=week_at,
        hour=table[:, 7],
        minutes=np.array(minutes, dtype=np.float64),
    )


def followed_of(agency: Agency, asked: Asked, tactics: dict[int, str], uses: Uses) -> Followed:
    """What was recommended, and whether it was done at any visit. One query."""
    visits = Engagement.objects.filter(mission=OuterRef("mission"))
    rows = (
        TacticDraw.objects.filter(
            mission__plan__state=MissionPlan.State.PUBLISHED, **lookups(agency, asked, "mission")
        )
        .annotate(is_visited=Exists(visits))
        .order_by()
        .values_list("tactic_id", "mission__plan__on")
        .annotate(n=Count("pk"), visited=Count("pk", filter=Q(is_visited=True)))
    )
    place = {pk: number for number, pk in enumerate(tactics)}
    counts: dict[tuple[int, dt.date], list[int]] = defaultdict(lambda: [0, 0])
    for tactic, on, n, visited in rows:
        own = counts[place[tactic], on - dt.timedelta(days=on.weekday())]
        own[0] += n
        own[1] += visited
    weeks = sorted({week for _, week in counts})
    drawn, seen, done = (np.zeros((len(tactics), len(weeks)), dtype=np.int64) for _ in range(3))
    for (tactic, week), (n, visited) in counts.items():
        drawn[tactic, weeks.index(week)], seen[tactic, weeks.index(week)] = n, visited
    hit = np.flatnonzero((uses.tactic == uses.drawn) & (uses.drawn >= 0))
    _, first = np.unique(uses.mission[hit], return_index=True)
    mine = hit[first]
    column = np.searchsorted(np.array(weeks, dtype="datetime64[D]"), uses.week[mine])
    # A tick at a mission of a plan that was replaced since has no published draw beside it.
    known = column < len(weeks)
    np.add.at(done, (uses.drawn[mine][known], column[known]), 1)
    return Followed(weeks, drawn, seen, np.minimum(done, seen))
