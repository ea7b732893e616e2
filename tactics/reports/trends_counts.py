"""The counts of crime trends: each crime type's periods against last year and up to five, for the city, its districts and its beats."""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from missions_project.lib.days import long_day, short_day
from missions_project.lib.lazy import gettext_lazy
from tactics.engine.trends import CountBand, count_bands
from tactics.reports.asked import Asked
from tactics.reports.crimes import Crimes
from tactics.reports.shapes import Cell, Column, Table
from tactics.reports.trends_places import YEAR_OF_WEEKS, day64

YEARS = 5
MOST_PLACES_ON_PAGE = 300
"""Rows of one period's counts by place that the page shows: sixty beats of five types."""
MOST_ON_PAGE = 100
"""Rows of the counts by district and by beat that the page shows: a large city has five thousand, and most of them say nothing new."""
WORDS = {
    "more": gettext_lazy("▲ more"),
    "fewer": gettext_lazy("▼ fewer"),
    "as expected": gettext_lazy("as expected"),
    "no earlier year": gettext_lazy("no earlier year"),
}
Counts = npt.NDArray[np.int64]
Dates = tuple[dt.date, dt.date]

_LINE = (
    Column("count", gettext_lazy("Now"), "int"),
    Column("last_year", gettext_lazy("Last year"), "int"),
    Column("change", gettext_lazy("Difference"), "share", digits=0),
    Column("expected", gettext_lazy("Mean of earlier years"), "number"),
    Column("low", gettext_lazy("Low limit"), "int"),
    Column("high", gettext_lazy("High limit"), "int"),
    Column(
        "spread",
        gettext_lazy("Spread"),
        "number",
        about=gettext_lazy("Variance of the earlier years over their mean; 1 is chance alone"),
    ),
    Column("verdict", gettext_lazy("Against earlier years")),
)


def outside_of(rows: Iterable[tuple[Cell, ...]]) -> int:
    """How many lines lie outside their limits."""
    outside = {str(WORDS["more"]), str(WORDS["fewer"])}
    return sum(row[-1] in outside for row in rows)


def count_tables(crimes: Crimes, asked: Asked) -> list[Table]:
    """The periods that meetings ask for, by crime type: for the whole city, by district and by beat; and the period that was asked for.

    Whatever the number of places, the crimes of a period and year are gone through once.
    """
    years, by_day = [_windows(asked, back) for back in range(YEARS + 1)], _ByDay.of(crimes)
    periods = [
        (years[0][number][0], by_day.counted([(year[number][1], year[number][2]) for year in years]))
        for number in range(len(years[0]))
    ]
    back = [dt.timedelta(days=YEAR_OF_WEEKS * n) for n in range(YEARS + 1)]
    own = by_day.counted([(asked.first - one, asked.last - one) for one in back])
    n_beats = len(crimes.beats)
    has_any = np.bincount(crimes.beat[crimes.beat >= 0], minlength=n_beats) > 0
    names = sorted({name for (__, name), known in zip(crimes.beats, has_any, strict=True) if known})
    of_district = [
        np.array([number for number, (__, name) in enumerate(crimes.beats) if name == one]) for one in names
    ]
    of_beat = [np.array([number]) for number in np.flatnonzero(has_any)]
    codes = [crimes.beats[int(own[0])][0] for own in of_beat]
    district, beat = Column("district", _("District")), Column("beat", _("Beat"))
    last = {"last": long_day(asked.last)}
    dates = {"first": short_day(asked.first), "last": short_day(asked.last)}
    return [
        _city(crimes, asked, periods),
        _standing_out("district-counts", _("Counts by district to %(last)s, what stands out first") % last, district, crimes, names,
                      [(name, _added(every, of_district)) for name, every in periods]),
        _place_table("districts", _("By district, %(first)s to %(last)s") % dates, district, crimes, names, _added(own, of_district)),
        _standing_out("beat-counts", _("Counts by beat to %(last)s, what stands out first") % last, beat, crimes, codes,
                      [(name, _added(every, of_beat)) for name, every in periods]),
        _place_table("beats", _("By beat, %(first)s to %(last)s") % dates, beat, crimes, codes, _added(own, of_beat)),
    ]  # fmt: skip


def _year_back(day: dt.date, years: int) -> dt.date:
    # 29 February has no other years: the day before stands for it.
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def _windows(asked: Asked, years: int) -> list[tuple[str, dt.date, dt.date]]:
    """The periods that meetings ask for, so many years back: weeks keep their weekdays, the year to date its dates."""
    back, last = dt.timedelta(days=YEAR_OF_WEEKS * years), asked.last
    return [
        (_("7 days"), last - dt.timedelta(days=6) - back, last - back),
        (_("28 days"), last - dt.timedelta(days=27) - back, last - back),
        (_("year to date"), dt.date(last.year - years, 1, 1), _year_back(last, years)),
    ]


@dataclass(frozen=True)
class _ByDay:
    """The crimes by day: a period is one stretch of them. ``slot`` says of which beat (the last for none) and type each is."""

    day: npt.NDArray[np.datetime64]
    slot: Counts
    shape: tuple[int, int]
    data_from: np.datetime64 | None

    @classmethod
    def of(cls, crimes: Crimes) -> "_ByDay":
        beats, types = len(crimes.beats), len(crimes.types)
        # Nearly in order already: local days of crimes by time.
        order = np.argsort(crimes.day, kind="stable")
        slot = np.where(crimes.beat < 0, beats, crimes.beat) * types + crimes.kind
        return cls(crimes.day[order], slot[order], (beats + 1, types), crimes.data_from)

    def counted(self, windows: list[Dates]) -> Counts:
        """Crimes of the first window and of the earlier years' that the data reach, by beat and type: int64 [years, beats + 1, types].

        A year that begins before the data is left out: it counts for nothing.
        """
        known = [
            (day64(first), day64(last))
            for year, (first, last) in enumerate(windows)
            if year == 0 or (self.data_from is not None and day64(first) >= self.data_from)
        ]
        return np.stack([self._table(first, last) for first, last in known])

    def _table(self, first: np.datetime64, last: np.datetime64) -> Counts:
        begin, end = np.searchsorted(self.day, [first, last + 1])
        found = np.bincount(self.slot[begin:end], minlength=self.shape[0] * self.shape[1])
        return found.astype(np.int64).reshape(self.shape)


def _added(counted: Counts, places: list[npt.NDArray[np.int64]]) -> Counts:
    """The counts of places that are each made of some beats: int64 [years, places, types]."""
    found = np.zeros((len(counted), len(places), counted.shape[2]), dtype=np.int64)
    for number, beats in enumerate(places):
        found[:, number] = counted[:, beats].sum(axis=1)
    return found


def _bands(counted: Counts) -> list[list[tuple[CountBand, int | None]]]:
    """How each count stands against earlier years, and last year's: by place, then by type."""
    years, places, types = counted.shape
    flat = counted.reshape(years, places * types)
    before: list[int | None] = flat[1].tolist() if years > 1 else [None] * (places * types)
    lines = list(zip(count_bands(flat[0], flat[1:].T), before, strict=True))
    return [lines[place * types : (place + 1) * types] for place in range(places)]


def _words() -> dict[str, str]:
    # Once for all lines: a large city has five thousand, and each would look its word up in the translations.
    return {word: str(said) for word, said in WORDS.items()}


def _line(band: CountBand, before: int | None, words: dict[str, str]) -> tuple[Cell, ...]:
    known = not math.isnan(band.mean)
    return (
        band.now,
        before,
        (band.now - before) / before if before else None,
        band.mean if known else None,
        band.low if known else None,
        band.high if known else None,
        None if math.isnan(band.spread) else band.spread,
        words[band.word],
    )


def _city(crimes: Crimes, asked: Asked, periods: list[tuple[str, Counts]]) -> Table:
    told, words = [(name, _bands(every.sum(axis=1, keepdims=True))[0]) for name, every in periods], _words()
    return Table(
        "counts",
        _("Counts to %(last)s") % {"last": long_day(asked.last)},
        (Column("crime_type", _("Crime type")), Column("period", _("Period")), *_LINE),
        [
            (crime_type.name, name, *_line(*by_type[position], words))
            for position, crime_type in enumerate(crimes.types)
            for name, by_type in told
        ],
        note=_(
            "Limits: what chance keeps to in 95 of 100 periods, given up to five earlier years (fewer where the data begin later)."
        ),
    )


def _place_table(
    slug: str, title: str, place: Column, crimes: Crimes, labels: list[str], counted: Counts
) -> Table:
    """One period, place by place."""
    words = _words()
    rows: list[tuple[Cell, ...]] = [
        (label, crime_type.name, *_line(band, before, words))
        for label, by_type in zip(labels, _bands(counted), strict=True)
        for crime_type, (band, before) in zip(crimes.types, by_type, strict=True)
    ]
    columns = (place, Column("crime_type", _("Crime type")), *_LINE)
    return Table(slug, title, columns, rows, most_shown=MOST_PLACES_ON_PAGE)


def _standing_out(
    slug: str, title: str, place: Column, crimes: Crimes, labels: list[str], periods: list[tuple[str, Counts]]
) -> Table:
    """All periods of all places, what chance explains least first; what is level by place, type and period; without earlier years last."""
    told, words = [(name, _bands(counted)) for name, counted in periods], _words()
    found = [
        (band.p, (label, crime_type.name, name, *_line(band, before, words)))
        for number, label in enumerate(labels)
        for position, crime_type in enumerate(crimes.types)
        for name, by_place in told
        for band, before in (by_place[number][position],)
    ]
    rows: list[tuple[Cell, ...]] = [row for __, row in sorted(found, key=_by_chance)]
    return Table(
        slug,
        title,
        (place, Column("crime_type", _("Crime type")), Column("period", _("Period")), *_LINE),
        rows,
        note=_(
            "What chance alone explains least stands first, more or fewer. Chance alone puts at most about %(chance)s of these %(rows)s counts outside their limits; outside lie %(outside)s."
        )
        % {
            "rows": f"{len(rows):,}",
            "chance": f"{0.05 * len(rows):,.0f}",
            "outside": f"{outside_of(rows):,}",
        },
        most_shown=MOST_ON_PAGE,
    )


def _by_chance(found: tuple[float, tuple[Cell, ...]]) -> float:
    return 2.0 if math.isnan(found[0]) else found[0]
