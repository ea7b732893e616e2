"""Crime trends: what a command staff meeting opens with."""

import datetime as dt
from typing import ClassVar

import numpy as np
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from agencies.models import Agency
from missions_project.lib.days import day_and_month, long_day, short_day
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from tactics.engine.trends import CountBand, count_bands, hours_of_week, weekly_counts
from tactics.reports.asked import Asked
from tactics.reports.crimes import Crimes, crimes_of
from tactics.reports.kept_crimes import kept_crimes_of
from tactics.reports.kinds import ReportKind
from tactics.reports.shapes import Cell, Chart, Column, Figure, Report, Table
from tactics.reports.trends_chart import hours_svg, weeks_svg
from tactics.reports.trends_counts import WORDS, YEARS, count_tables, outside_of
from tactics.reports.trends_places import RECENT_DAYS, YEAR_OF_WEEKS, day64, emerging_table, repeats_table

WEEKS = 53


class CrimeTrends(ReportKind):
    """Counts against earlier years, weeks, hours, repeats and emerging cells."""

    slug: ClassVar[str] = "crime-trends"
    title: ClassVar[str] = gettext_lazy("Crime trends")
    what: ClassVar[str] = gettext_lazy(
        "Counts against last year and five years, weeks, hours of the week, repeats, cells that are new on the list."
    )
    filters: ClassVar[tuple[str, ...]] = ("district", "beat", "type")
    is_long: ClassVar[bool] = True

    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read six years of crimes and count them. Nine queries, two more with gunfire.

        Raises ``MissionsError`` where there is no grid yet, or no crime on record.
        """
        return self._made(agency, asked, crimes_of(agency, asked, since=_since(asked)))

    def make_at_once(self, agency: Agency, asked: Asked) -> Report | None:
        """Three queries."""
        crimes = kept_crimes_of(agency, asked, since=_since(asked))
        return None if crimes is None else self._made(agency, asked, crimes)

    def _made(self, agency: Agency, asked: Asked, crimes: Crimes) -> Report:
        if crimes.data_from is None:
            raise MissionsError(
                _("There is no crime on record in these years."),
                next_step=_("import incidents: Data → Import a file."),
            )
        counts, *by_place = count_tables(crimes, asked)
        weeks, hours = _weeks(crimes, asked), _hours(crimes, asked)
        return Report(
            slug=self.slug,
            title=self.title,
            agency=agency.name,
            agency_slug=agency.slug,
            zone=agency.time_zone,
            asked=asked,
            made_at=crimes.read_at,
            sentence=_sentence(counts, asked),
            figures=tuple(
                Figure(
                    crime_type.name, f"{n:,}", _("28 days to %(last)s") % {"last": day_and_month(asked.last)}
                )
                for crime_type, n in zip(crimes.types, _by_type(crimes, asked.last, RECENT_DAYS), strict=True)
            ),
            tables=(
                counts,
                *by_place,
                hours,
                repeats_table(crimes, asked),
                emerging_table(crimes, asked),
                weeks,
            ),
            charts=(
                Chart(
                    "weeks",
                    _("Weeks"),
                    _("Crimes a week by type, with limits of earlier years."),
                    "weeks",
                    720,
                    180 * max(1, (len(crimes.types) + 1) // 2) + 30,
                ),
                Chart(
                    "hours",
                    _("Hours of the week"),
                    _("Crimes by weekday and hour in the period."),
                    "hours",
                    720,
                    260,
                ),
            ),
            notes=(
                _(
                    "Of %(rows)s counts about %(chance)s fall outside their limits by chance alone; %(outside)s do. Limits take the earlier years' rate as one: where “spread” is far above 1 these years differ by more than chance, and the limits are too narrow."
                )
                % {
                    "rows": len(counts.rows),
                    "chance": f"{0.05 * len(counts.rows):.0f}",
                    "outside": outside_of(counts.rows),
                },
                _(
                    "Counted by the beginning of the time of occurrence, as reported up to now: the last days still grow as "
                    "reports come in. What officers initiated is left out."
                ),
            ),
            about=(
                _(
                    "Incidents, gunfire alerts and calls about shots by time of occurrence; officer-initiated ones left out"
                ),
            ),
            data={"grid": crimes.grid},
        )

    def chart(self, report: Report, slug: str) -> bytes | None:
        if slug == "weeks":
            return weeks_svg(report.table("weeks"))
        return hours_svg(report.table("hours")) if slug == "hours" else None


def _by_type(crimes: Crimes, last: dt.date, days: int) -> list[int]:
    inside = crimes.between(day64(last) - (days - 1), day64(last))
    return [int(n) for n in np.bincount(crimes.kind[inside], minlength=len(crimes.types))]


def _sentence(counts: Table, asked: Asked) -> str:
    month = [row for row in counts.rows if row[1] == _("28 days")]
    more = [str(row[0]).lower() for row in month if row[-1] == WORDS["more"]]
    fewer = [str(row[0]).lower() for row in month if row[-1] == WORDS["fewer"]]
    told = {
        "last": long_day(asked.last),
        "more": get_text_list(more, _("and")),
        "fewer": get_text_list(fewer, _("and")),
    }
    if more and fewer:
        words = _(
            "In the 28 days to %(last)s more than chance explains, given earlier years: %(more)s. Fewer: %(fewer)s."
        )
    elif more:
        words = _("In the 28 days to %(last)s more than chance explains, given earlier years: %(more)s.")
    elif fewer:
        words = _("In the 28 days to %(last)s fewer than chance explains, given earlier years: %(fewer)s.")
    else:
        words = _("In the 28 days to %(last)s no crime type lies outside the limits of earlier years.")
    return words % told


def _weeks(crimes: Crimes, asked: Asked) -> Table:
    n_weeks = WEEKS + YEARS * 52
    by_type = [
        weekly_counts(crimes.day[crimes.kind == position], last=day64(asked.last), weeks=n_weeks)
        for position in range(len(crimes.types))
    ]
    # A saved question may name a type that is no longer active: then there is none.
    every = np.array(by_type, dtype=np.int64).reshape(-1, n_weeks)
    ends = day64(asked.last) - 7 * np.arange(WEEKS - 1, -1, -1)
    bands: dict[tuple[int, int], CountBand] = {}
    reached = [
        sum(end - 6 - YEAR_OF_WEEKS * n >= crimes.data_from for n in range(1, YEARS + 1))
        if crimes.data_from is not None
        else 0
        for end in ends
    ]
    for years in set(reached):
        # All weeks that have as many earlier years, of all types at once: one by one they took a tenth of the report.
        weeks = np.flatnonzero(np.array(reached) == years)
        at = YEARS * 52 + weeks
        earlier = np.stack([every[:, at - 52 * n] for n in range(1, years + 1)], axis=-1) if years else None
        found = count_bands(
            every[:, at].ravel(),
            np.zeros((every[:, at].size, 0), dtype=np.int64)
            if earlier is None
            else earlier.reshape(-1, years),
        )
        places = ((position, int(week)) for position in range(len(every)) for week in weeks)
        bands |= dict(zip(places, found, strict=True))
    rows: list[tuple[Cell, ...]] = []
    for position, crime_type in enumerate(crimes.types):
        for week, end in enumerate(ends):
            band, known = bands[position, week], reached[week] > 0
            rows.append(
                (
                    crime_type.name,
                    str(end - 6),
                    band.now,
                    *(value if known else None for value in (band.mean, band.low, band.high)),
                )
            )
    return Table(
        "weeks",
        _("Weeks"),
        (
            Column("crime_type", _("Crime type")), Column("week_from", _("Week from")), Column("count", _("Crimes"), "int"),
            Column("expected", _("Mean of earlier years"), "number"), Column("low", _("Low limit"), "int"), Column("high", _("High limit"), "int"),
        ),
        rows,
        note=_("Weeks end with the last day of the period; earlier years' are 364 days apart, so that weekdays agree."),
    )  # fmt: skip


def _since(asked: Asked) -> dt.date:
    """The first day of which the counts need the crimes: five years and the weeks before the period."""
    return asked.first - dt.timedelta(days=YEAR_OF_WEEKS * YEARS + WEEKS * 7)


def _hours(crimes: Crimes, asked: Asked) -> Table:
    inside = crimes.between(day64(asked.first), day64(asked.last))
    week = hours_of_week(crimes.table, crimes.row[inside])
    days = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
    return Table(
        "hours",
        _("Weekday and hour, %(first)s to %(last)s")
        % {"first": short_day(asked.first), "last": short_day(asked.last)},
        (
            Column("weekday", _("Weekday")),
            *(Column(f"h{hour:02d}", f"{hour:02d}", "number", reads="hour") for hour in range(24)),
        ),
        [(day, *(float(value) for value in row)) for day, row in zip(days, week, strict=True)],
        note=_(
            "Crimes whose time is known only roughly are spread over the hours in which they may have been."
        ),
    )
