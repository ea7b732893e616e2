"""The report builder's readings: one query a period, added up by the database, then named by district, beat and shift."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import DateField, F, Min, Value
from django.db.models.functions import (
    ExtractHour,
    ExtractIsoWeekDay,
    ExtractMinute,
    TruncMonth,
    TruncWeek,
)

from agencies.models import Agency, Shift
from forecasting.engine.grid import project
from forecasting.selectors import active_grid
from tactics.reports.asked import Asked
from tactics.reports.builder_measures import Measure, Source
from tactics.reports.crimes import area_of_points, beat_areas

Key = tuple[Any, ...]
OUTSIDE = ""
"""The key of what lies outside all beats, or outside all shifts."""
PLACES = ("district", "beat")


class Reader:
    """Counts of one question, for any period. Two queries (beats and grid) where places, one where shifts are looked up."""

    def __init__(self, agency: Agency, asked: Asked, measure: Measure, splits: Sequence[str]) -> None:
        self.agency, self.asked, self.measure, self.splits = agency, asked, measure, tuple(splits)
        self.zone = ZoneInfo(agency.time_zone)
        by_place = any(name in splits or getattr(asked, name) for name in PLACES)
        by_shift = "shift" in splits or bool(asked.shift)
        looks_up = measure.source.on is None
        self.areas = _Areas(agency) if looks_up and by_place else None
        self.clock = _Clock(agency) if looks_up and by_shift else None

    def counts(self, first: dt.date, last: dt.date) -> dict[Key, float]:
        """The sum of each combination of the splits that occurs. One query."""
        source, asked = self.measure.source, self.asked
        rows = source.within(self.agency, first, last)
        for name, path in source.paths.items():
            if getattr(asked, name, ()):
                rows = rows.filter(**{f"{path}__in": getattr(asked, name)})
        raw = self._raw(source)
        grouped = (
            rows.order_by()
            .annotate(**{f"by_{name}": made for name, made in raw.items()})
            .values_list(*(f"by_{name}" for name in raw))
            .annotate(total=self.measure.value())
        )
        found = list(grouped)
        columns = dict(zip(raw, zip(*(row[:-1] for row in found), strict=True), strict=True)) if found else {}
        keys = self._keys(columns, len(found))
        # Whole numbers stay whole: 9.0 incidents look like an estimate.
        totals: dict[Key, float] = defaultdict(int)
        for key, kept, row in zip(*keys, found, strict=True):
            if kept:
                totals[key] += row[-1] or 0
        return dict(totals)

    def known_from(self) -> dt.date | None:
        """The first local date of which there is any record; None without one. One query."""
        source = self.measure.source
        field = source.on or source.instant
        first = source.rows(self.agency).order_by().aggregate(first=Min(field))["first"]
        return first.astimezone(self.zone).date() if isinstance(first, dt.datetime) else first

    def _raw(self, source: Source) -> dict[str, Any]:
        """What the database groups by: the splits themselves, or what they are looked up from."""
        local: dict[str, Any] = {} if source.on else {"tzinfo": self.zone}
        day = source.on or source.instant
        made: dict[str, Any] = {
            "week": TruncWeek(day, output_field=DateField(), **local),
            "month": TruncMonth(day, output_field=DateField(), **local),
            "weekday": ExtractIsoWeekDay(day, **local),
            "hour": ExtractHour(source.instant, tzinfo=self.zone),
        }
        raw: dict[str, Any] = {name: F(source.paths[name]) for name in self.splits if name in source.paths}
        raw |= {name: made[name] for name in self.splits if name in made}
        if self.areas:
            raw |= {"lon": F("lon"), "lat": F("lat")}
        if self.clock:
            raw |= {"weekday": made["weekday"], "hour": made["hour"]}
            raw["minute"] = ExtractMinute(source.instant, tzinfo=self.zone)
        # Grouped by nothing a query adds up nothing: one group that holds everything.
        return raw or {"all": Value(1)}

    def _keys(self, grouped: Mapping[str, Sequence[Any]], n: int) -> tuple[list[Key], list[bool]]:
        columns = dict(grouped)
        kept = [True] * n
        if n and self.areas:
            columns |= self.areas.of(columns["lon"], columns["lat"])
        if n and self.clock:
            columns["shift"] = self.clock.of(columns["weekday"], columns["hour"], columns["minute"])
        if n and self.measure.source.on is None:
            for name in ("district", "beat", "shift"):
                if chosen := getattr(self.asked, name):
                    kept = [keep and code in chosen for keep, code in zip(kept, columns[name], strict=True)]
        parts = [columns[name] for name in self.splits] if n else []
        return (list(zip(*parts, strict=True)) if parts else [()] * n), kept


class _Areas:
    """Which beat and district a place is in. Two queries."""

    def __init__(self, agency: Agency) -> None:
        self.epsg = active_grid(agency).epsg
        self.beats, self.areas = beat_areas(agency, self.epsg)

    def of(self, lon: Sequence[float], lat: Sequence[float]) -> dict[str, list[str]]:
        x_m, y_m = project(np.array(lon), np.array(lat), self.epsg)
        found = area_of_points(self.areas, x_m, y_m).tolist()
        beats = [*((code, district) for code, _, district in self.beats), (OUTSIDE, OUTSIDE)]
        return {"beat": [beats[one][0] for one in found], "district": [beats[one][1] for one in found]}


class _Clock:
    """Which shift a local weekday and time of day is in; where shifts overlap, the one that began last. One query."""

    def __init__(self, agency: Agency) -> None:
        self.shifts = list(Shift.objects.filter(agency=agency))
        self.known: dict[tuple[int, int, int], str] = {}

    def of(self, weekday: Sequence[int], hour: Sequence[int], minute: Sequence[int]) -> list[str]:
        return [self._at(*moment) for moment in zip(weekday, hour, minute, strict=True)]

    def _at(self, weekday: int, hour: int, minute: int) -> str:
        found = self.known.get((weekday, hour, minute))
        if found is None:
            since: list[tuple[int, str]] = []
            for shift in self.shifts:
                for days_ago in (0, 1):
                    begun = 60 * hour + minute + 1440 * days_ago - shift.start_minute
                    starts = (weekday - 1 - days_ago) % 7 in shift.weekday_numbers
                    if starts and 0 <= begun < shift.duration_minutes:
                        since.append((begun, shift.slug))
            found = self.known[weekday, hour, minute] = min(since)[1] if since else OUTSIDE
        return found
