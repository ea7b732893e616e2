"""The report builder: one thing counted, split by up to two others, over a period, beside earlier ones."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.access import SEES_PLANS
from agencies.models import Agency
from missions_project.lib.days import short_day
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from tactics.models import Tactic
from tactics.reports.asked import Asked, Choices, Option, choices_of
from tactics.reports.builder_chart import bars_height, built_svg
from tactics.reports.builder_counts import OUTSIDE, Key, Reader
from tactics.reports.builder_measures import MEASURES, SPLITS, Measure
from tactics.reports.kinds import ReportKind
from tactics.reports.shapes import Cell, Chart, Column, Figure, Reads, Report, Table

MOST_LINES = 5_000
MOST_ACROSS = 31
WEEKDAYS = (
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
)
BEFORE, YEAR = "before", "year"
COMPARES = {BEFORE: gettext_lazy("The period before"), YEAR: gettext_lazy("The same period last year")}
_OUTSIDE = {
    "district": gettext_lazy("Outside all districts"),
    "beat": gettext_lazy("Outside all beats"),
    "shift": gettext_lazy("Outside all shifts"),
}
_MORE = {
    BEFORE: gettext_lazy("%(change)s more than in the period before"),
    YEAR: gettext_lazy("%(change)s more than in the same period last year"),
}
_LESS = {
    BEFORE: gettext_lazy("%(change)s less than in the period before"),
    YEAR: gettext_lazy("%(change)s less than in the same period last year"),
}
Lines = list[tuple[Any, str]]


@dataclass(frozen=True)
class Compared:
    """An earlier period with its counts, by the keys of today's lines; None where the records do not reach so far back."""

    slug: str
    first: dt.date
    last: dt.date
    counts: dict[Key, float] | None

    @property
    def words(self) -> str:
        return f"{short_day(self.first)} – {short_day(self.last)}"


class ReportBuilder(ReportKind):
    """Any of the measures by up to two splits, each line beside the period before and last year's."""

    slug: ClassVar[str] = "builder"
    title: ClassVar[str] = gettext_lazy("Report builder")
    what: ClassVar[str] = gettext_lazy(
        "Choose what is counted, by what it is split, the period and what it is compared with; save it, share it, have it sent."
    )
    roles: ClassVar[frozenset[str]] = SEES_PLANS
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "measure",
            gettext_lazy("Measure"),
            tuple((one.slug, one.title) for one in MEASURES.values()),
            ("incidents",),
        ),
        Option("by", gettext_lazy("Split by"), tuple(SPLITS.items()), ("week",)),
        Option("then", gettext_lazy("Then by"), tuple(SPLITS.items())),
        Option("compare", gettext_lazy("Compare with"), tuple(COMPARES.items()), many=True),
    )

    def check(self, agency: Agency, asked: Asked) -> None:
        """Refuse combinations that mean nothing. No query."""
        measure, splits = MEASURES[asked.chosen("measure")[0]], _splits(asked)
        for split in splits:
            if split not in measure.splits:
                able = ", ".join(SPLITS[name].lower() for name in measure.splits)
                raise MissionsError(
                    _("%(title)s cannot be split by %(split)s.")
                    % {"title": measure.title, "split": SPLITS[split].lower()},
                    next_step=_("choose from: %(able)s.") % {"able": able},
                )
        if asked.type and not measure.can_filter_types:
            raise MissionsError(
                _("%(title)s have no crime type to choose by.") % {"title": measure.title},
                next_step=_("take the crime types off, or choose another measure."),
            )
        for pair, why, instead in (
            ({"week", "month"}, _("A week lies across months."), _("split by month or week, not both.")),
            (
                {"district", "beat"},
                _("A beat lies in one district."),
                _("split by beat or district, not both."),
            ),
        ):
            if pair <= set(splits):
                raise MissionsError(why, next_step=instead)
        if BEFORE in asked.chosen("compare") and ("month" in splits or ("week" in splits and asked.days % 7)):
            raise MissionsError(
                _("Its months and weeks do not line up with those of the period before."),
                next_step=_("compare with last year, or choose whole weeks and split by week."),
            )

    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read choices and counts. Four queries and one a period; one more each for comparisons, shifts and tactics, two for places.

        Raises ``MissionsError`` for combinations that mean nothing, for too many lines, and for places without a grid.
        """
        self.check(agency, asked)
        measure, splits, choices = MEASURES[asked.chosen("measure")[0]], _splits(asked), choices_of(agency)
        reader = Reader(agency, asked, measure, splits)
        counts = reader.counts(asked.first, asked.last)
        compared = _compared(reader, asked, splits)
        found = [counts, *(one.counts for one in compared if one.counts)]
        lines = [_lines(agency, asked, choices, splits, at, found) for at in range(len(splits))]
        n = _product(len(one) for one in lines)
        if n > MOST_LINES:
            raise MissionsError(
                _("That is %(n)s lines; a page holds %(most)s.") % {"n": f"{n:,}", "most": f"{MOST_LINES:,}"},
                next_step=_(
                    "choose a shorter period, a coarser split, or some of the districts, beats or crime types."
                ),
            )
        total = sum(counts.values())
        tables = [_table(measure, splits, lines, counts, compared)]
        if len(splits) == 2 and len(lines[1]) <= MOST_ACROSS:
            tables.insert(0, _cross(measure, splits, lines, counts))
        return Report(
            slug=self.slug,
            title=_title(measure, splits),
            agency=agency.name,
            agency_slug=agency.slug,
            zone=agency.time_zone,
            asked=asked,
            made_at=timezone.now(),
            sentence=_sentence(measure, asked, total, compared),
            figures=tuple(_figures(measure, asked, total, compared)),
            tables=tuple(tables),
            charts=_charts(measure, splits, lines) if total else (),
            notes=tuple(_notes(measure, splits, compared, reader)),
            about=(str(measure.note),),
        )

    def chart(self, report: Report, slug: str) -> bytes | None:
        table = report.table("lines")
        return built_svg(table, _splits(report.asked)) if slug == "built" and table else None


def _splits(asked: Asked) -> list[str]:
    return list(dict.fromkeys([*asked.chosen("by"), *asked.chosen("then")]))


def _title(measure: Measure, splits: list[str]) -> str:
    return (_("%(what)s by %(first)s and %(second)s") if len(splits) > 1 else _("%(what)s by %(first)s")) % {
        "what": measure.title,
        "first": SPLITS[splits[0]].lower(),
        "second": SPLITS[splits[-1]].lower(),
    }


def _compared(reader: Reader, asked: Asked, splits: list[str]) -> list[Compared]:
    """The earlier periods asked for, with counts. One query, one more for each that the records reach."""
    wanted = [slug for slug in COMPARES if slug in asked.chosen("compare")]
    known = reader.known_from() if wanted else None
    rows = []
    for slug in wanted:
        # Like reports everywhere here: the same weekdays a year ago; the year to date and months go by dates.
        by_date = slug == YEAR and "week" not in splits and ("month" in splits or _is_to_date(asked))
        if by_date:
            first, last = _year_before(asked.first), _year_before(asked.last)
        else:
            back = dt.timedelta(days=364 if slug == YEAR else asked.days)
            first, last = asked.first - back, asked.last - back
        counts = None
        if known and known <= first:
            move = _mover(splits, asked.first - first)
            counts = {move(key): value for key, value in reader.counts(first, last).items()}
        rows.append(Compared(slug, first, last, counts))
    return rows


def _is_to_date(asked: Asked) -> bool:
    return (asked.first.month, asked.first.day) == (1, 1) and asked.days > 7


def _year_before(day: dt.date) -> dt.date:
    # 29 February has no day a year before: its period ended on the 28th.
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def _mover(splits: list[str], back: dt.timedelta) -> Callable[[Key], Key]:
    """From an earlier period's keys to today's: its first week is compared with the first week, January with January."""

    def moved(name: str, part: Any) -> Any:
        if name == "week":
            return part + back
        return part.replace(year=part.year + 1) if name == "month" else part

    return lambda key: tuple(moved(name, part) for name, part in zip(splits, key, strict=True))


def _lines(
    agency: Agency,
    asked: Asked,
    choices: Choices,
    splits: list[str],
    at: int,
    found: list[dict[Key, float]],
) -> Lines:
    """What a split is made of, as (key, label): all that was asked for, empty or not, then what else was met. One query for tactics."""
    split = splits[at]
    lines: Lines
    if split in ("type", "district", "beat", "shift"):
        chosen = getattr(asked, split)
        # A column that is called Beat need not say so in every line.
        names = {"beat": [(code, code) for code, __ in choices.beat]}.get(split, getattr(choices, split))
        lines = [(code, name) for code, name in names if not chosen or code in chosen]
    elif split == "tactic":
        met = {key[at] for counts in found for key in counts}
        rows = Tactic.objects.filter(agency=agency, slug__in=met).order_by("name")
        lines = list(rows.values_list("slug", "name"))
    else:
        lines = _times(asked, split)
    known = {key for key, __ in lines}
    other = {key[at] for counts in found for key in counts} - known
    return lines + [(key, _other(split, key)) for key in sorted(other, key=str)]


def _other(split: str, key: Any) -> str:
    return str(_OUTSIDE[split]) if key == OUTSIDE else str(key)


def _times(asked: Asked, split: str) -> Lines:
    if split == "weekday":
        return [(number, str(day)) for number, day in enumerate(WEEKDAYS, 1)]
    if split == "hour":
        return [(hour, f"{hour:02d}:00") for hour in range(24)]
    days = [asked.first + dt.timedelta(days=n) for n in range(asked.days)]
    if split == "month":
        return [(day, f"{day:%Y-%m}") for day in dict.fromkeys(day.replace(day=1) for day in days)]
    mondays = dict.fromkeys(day - dt.timedelta(days=day.weekday()) for day in days)
    return [(day, day.isoformat()) for day in mondays]


def _product(numbers: Iterable[int]) -> int:
    total = 1
    for number in numbers:
        total *= number
    return total


def _combined(lines: list[Lines]) -> list[tuple[Key, tuple[str, ...]]]:
    rows: list[tuple[Key, tuple[str, ...]]] = [((), ())]
    for line in lines:
        rows = [((*key, one), (*names, name)) for key, names in rows for one, name in line]
    return rows


def _table(
    measure: Measure,
    splits: list[str],
    lines: list[Lines],
    counts: dict[Key, float],
    compared: list[Compared],
) -> Table:
    total = sum(counts.values())
    columns = [_split_column(name) for name in splits]
    columns += [_column(measure, "value", measure.title), Column("share", _("Share of all"), "share")]
    for one in compared:
        columns += [
            _column(measure, one.slug, one.words),
            Column(
                f"{one.slug}_change",
                _("Difference"),
                "share",
                about=_("From the earlier to the present period"),
            ),
        ]
    rows: list[tuple[Cell, ...]] = []
    for key, names in _combined(lines):
        value = counts.get(key, 0)
        cells: list[Cell] = [*names, value, value / total if total else None]
        for one in compared:
            past = None if one.counts is None else one.counts.get(key, 0)
            cells += [past, _change(value, past)]
        rows.append(tuple(cells))
    return Table("lines", _title(measure, splits), tuple(columns), rows)


def _split_column(split: str) -> Column:
    return Column(split, SPLITS[split], reads="clock" if split == "hour" else "")


def _column(measure: Measure, key: str, title: str) -> Column:
    return Column(key, title, measure.kind, measure.unit)


def _cross(measure: Measure, splits: list[str], lines: list[Lines], counts: dict[Key, float]) -> Table:
    columns = [_split_column(splits[0])]
    reads: Reads = "hour" if splits[1] == "hour" else ""
    columns += [replace(_column(measure, f"{splits[1]}_{name}", name), reads=reads) for __, name in lines[1]]
    rows: list[tuple[Cell, ...]] = [
        (name, *(values := [counts.get((key, across), 0) for across, __ in lines[1]]), sum(values))
        for key, name in lines[0]
    ]
    return Table(
        "cross",
        f"{SPLITS[splits[0]]} × {SPLITS[splits[1]].lower()}",
        (*columns, _column(measure, "all", _("All"))),
        rows,
    )


def _change(value: float, past: float | None) -> float | None:
    return value / past - 1 if past else None


def _number(measure: Measure, value: float) -> str:
    return f"{value:,.0f}" if measure.kind == "int" else f"{value:,.1f}"


def _sentence(measure: Measure, asked: Asked, total: float, compared: list[Compared]) -> str:
    words = _("%(title)s: %(total)s from %(first)s to %(last)s") % {
        "title": measure.title,
        "total": _number(measure, total),
        "first": short_day(asked.first),
        "last": short_day(asked.last),
    }
    parts = []
    for one in compared:
        past = sum(one.counts.values()) if one.counts is not None else None
        if past:
            change = total / past - 1
            words_of = _MORE if change >= 0 else _LESS
            parts.append(words_of[one.slug] % {"change": f"{100 * abs(change):.0f} %"})
    return ", ".join([words, *parts]) + "."


def _figures(measure: Measure, asked: Asked, total: float, compared: list[Compared]) -> Iterable[Figure]:
    unit = f" {measure.unit}" if measure.unit else ""
    yield Figure(
        measure.title, _number(measure, total) + unit, _("in %(days)s days") % {"days": f"{asked.days:,}"}
    )
    yield Figure(_("A day"), f"{total / asked.days:,.1f}{unit}", _("on average"))
    for one in compared:
        if one.counts is None:
            yield Figure(
                COMPARES[one.slug], "–", _("%(words)s: not all of it on record") % {"words": one.words}
            )
        else:
            yield Figure(COMPARES[one.slug], _number(measure, sum(one.counts.values())) + unit, one.words)


def _charts(measure: Measure, splits: list[str], lines: list[Lines]) -> tuple[Chart, ...]:
    time = bool({"week", "month"} & set(splits))
    height = 320 if time else bars_height(len(lines[0]), len(splits))
    words = (_("%(title)s, a line over time.") if time else _("%(title)s, bars.")) % {
        "title": _title(measure, splits)
    }
    return (Chart("built", _title(measure, splits), words, "lines", 720, height),)


def _notes(measure: Measure, splits: list[str], compared: list[Compared], reader: Reader) -> Iterable[str]:
    if {"week", "month"} & set(splits):
        yield _("The first and the last week or month may lie only partly in the period.")
    if reader.clock:
        yield _(
            "What happened is put into the shift that was on by the clock; where two overlap, into the one that began last."
        )
    if any(one.counts is None for one in compared):
        yield _(
            "An earlier period that begins before the records is left empty: less on record is not less that happened."
        )
    if compared and measure.kind == "int":
        yield (
            _(
                "Counts differ by chance: two of them by up to about twice the root of their sum (40 and 60 are hardly apart). "
                "A change is a description, never an effect."
            )
        )
