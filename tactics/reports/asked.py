"""What a person asked a report for: a period and a choice of districts, beats, shifts and crime types."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from agencies.lookups import date_from_text
from agencies.models import Agency, Beat, CrimeType, District, Shift
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy

LONGEST_DAYS = 731
FILTERS = ("district", "beat", "shift", "type")
_NAMES = {
    "district": gettext_lazy("district %(chosen)s"),
    "beat": gettext_lazy("beat %(chosen)s"),
    "shift": gettext_lazy("shift %(chosen)s"),
    "type": gettext_lazy("crime type %(chosen)s"),
}
_UNKNOWN = {
    "district": gettext_lazy("There is no district “%(code)s”."),
    "beat": gettext_lazy("There is no beat “%(code)s”."),
    "shift": gettext_lazy("There is no shift “%(code)s”."),
    "type": gettext_lazy("There is no crime type “%(code)s”."),
    "period": gettext_lazy("There is no period “%(code)s”."),
}
PERIODS = {
    "7": gettext_lazy("Last 7 days"),
    "28": gettext_lazy("Last 28 days"),
    "year": gettext_lazy("Year to date"),
}
"""Periods that move with the day: each ends yesterday."""


@dataclass(frozen=True)
class Option:
    """A choice that one report offers beside the filters: ``choices`` as (value, label); without one asked for, ``default``."""

    name: str
    title: str
    choices: tuple[tuple[str, str], ...]
    default: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True)
class Whose:
    """Whose figures a person may see: one unit's, or those of all units of some districts (of none named: of all)."""

    unit: int | None = None
    districts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Asked:
    """Local dates, both included, the codes or slugs chosen, and what else the report lets choose; an empty filter means all.

    ``told`` says the options in the language of whoever asked. ``whose`` is no choice of the person but their limit, for reports that are not everybody's: ``ReportKind.narrowed`` sets it.
    """

    first: dt.date
    last: dt.date
    district: tuple[str, ...] = ()
    beat: tuple[str, ...] = ()
    shift: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()
    told: tuple[str, ...] = field(default=(), compare=False)
    whose: Whose | None = None

    def chosen(self, name: str) -> tuple[str, ...]:
        """The values of one of the report's own choices; empty where nothing is chosen."""
        return dict(self.options).get(name, ())

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def query(self) -> str:
        """The tail of an address that asks for the same again."""
        pairs = [("from", self.first.isoformat()), ("to", self.last.isoformat())]
        pairs += [(name, value) for name, values in self.options for value in values]
        return urlencode(pairs + [(name, value) for name in FILTERS for value in getattr(self, name)])

    def without(self, name: str, *codes: str) -> "Asked":
        """The same question with fewer of a filter's codes."""
        left: Any = {name: tuple(code for code in getattr(self, name) if code not in codes)}
        return replace(self, **left)

    @property
    def words(self) -> str:
        """In words, for the head of a file."""
        period = _("%(first)s to %(last)s (local dates)") % {"first": self.first, "last": self.last}
        chosen = [
            _NAMES[name] % {"chosen": ", ".join(getattr(self, name))}
            for name in FILTERS
            if getattr(self, name)
        ]
        return "; ".join([period, *self.told, *chosen])

    def lets(self, **codes: str) -> bool:
        """Whether something with these codes is inside the choice: ``lets(district="S", type="burglary")``."""
        return all(not getattr(self, name) or code in getattr(self, name) for name, code in codes.items())


@dataclass(frozen=True)
class Choices:
    """What can be chosen in this agency, as (code, name)."""

    district: list[tuple[str, str]]
    beat: list[tuple[str, str]]
    shift: list[tuple[str, str]]
    type: list[tuple[str, str]]


def choices_of(agency: Agency) -> Choices:
    """Return the agency's districts, beats, shifts and active crime types. Four queries."""
    return Choices(
        district=[(row.code, str(row)) for row in District.objects.filter(agency=agency).defer("geometry")],
        beat=[(code, _("Beat %(code)s") % {"code": code}) for code in _codes(Beat, agency)],
        shift=list(Shift.objects.filter(agency=agency).values_list("slug", "name")),
        type=list(CrimeType.objects.filter(agency=agency, is_active=True).values_list("slug", "name")),
    )


def _codes(model: Any, agency: Agency) -> list[str]:
    return list(model.objects.filter(agency=agency).order_by("code").values_list("code", flat=True))


def asked_from(
    query: Mapping[str, Any],
    choices: Choices,
    *,
    today: dt.date,
    days: int,
    longest: int = LONGEST_DAYS,
    options: Sequence[Option] = (),
) -> Asked:
    """Return what an address's query asks for; without dates the last ``days`` full days. A ``period`` goes before dates.

    Raises ``MissionsError`` for dates that make no sense and for a district, beat, shift, crime type or other choice that does
    not exist here: a report of "all" under a misspelt name would be read as one of that name.
    """
    first, last = _dates(query, today, days)
    if last < first:
        raise MissionsError(_("The period ends before it starts."), next_step=_("swap “from” and “to”."))
    if (last - first).days >= longest:
        raise MissionsError(
            _("That is more than %(longest)s days.") % {"longest": longest},
            next_step=_("choose a shorter period."),
        )
    chosen: dict[str, Any] = {name: tuple(dict.fromkeys(_list(query, name))) for name in FILTERS}
    for name, codes in chosen.items():
        _check(str(_UNKNOWN[name]), codes, {code for code, __ in getattr(choices, name)})
    values = [(one, _option(query, one)) for one in options]
    return Asked(
        first, last, **chosen, options=tuple((one.name, names) for one, names in values),
        told=tuple(_told(one, names) for one, names in values if names),
    )  # fmt: skip


def _told(option: Option, values: tuple[str, ...]) -> str:
    labels = dict(option.choices)
    return f"{option.title}: {', '.join(str(labels[value]) for value in values)}"


def _dates(query: Mapping[str, Any], today: dt.date, days: int) -> tuple[dt.date, dt.date]:
    yesterday = today - dt.timedelta(days=1)
    period = (_list(query, "period") or [""])[0]
    if period:
        _check(str(_UNKNOWN["period"]), (period,), set(PERIODS))
        return period_start(period, yesterday), yesterday
    last = date_from_text(query.get("to") or yesterday.isoformat())
    return date_from_text(query.get("from") or (last - dt.timedelta(days=days - 1)).isoformat()), last


def period_start(period: str, last: dt.date) -> dt.date:
    """The first day of a moving period that ends on ``last``.

    >>> period_start("year", dt.date(2026, 3, 4)), period_start("7", dt.date(2026, 3, 4))
    (datetime.date(2026, 1, 1), datetime.date(2026, 2, 26))
    """
    return last.replace(month=1, day=1) if period == "year" else last - dt.timedelta(days=int(period) - 1)


def _option(query: Mapping[str, Any], option: Option) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(_list(query, option.name)))
    unknown = _("There is no %(name)s “%(code)s”.")
    # The code's place stays open: it is filled in where the unknown one is met.
    _check(unknown.replace("%(name)s", option.title.lower()), asked, {value for value, __ in option.choices})
    if len(asked) > 1 and not option.many:
        raise MissionsError(
            _("%(title)s: %(n)s are chosen.") % {"title": option.title, "n": len(asked)},
            next_step=_("choose one."),
        )
    return asked or option.default


def _check(unknown: str, codes: Sequence[str], known: set[str]) -> None:
    for code in codes:
        if code not in known:
            raise MissionsError(
                unknown % {"code": code[:40]},
                next_step=_("choose from: %(able)s.")
                % {"able": ", ".join(sorted(known)[:20]) or _("none yet")},
            )


def _list(query: Mapping[str, Any], name: str) -> list[str]:
    # A web query has many values under one name, a stored one a list or, in older rows, one value.
    found = query.getlist(name) if hasattr(query, "getlist") else query.get(name, [])
    return [str(value) for value in ([found] if isinstance(found, str) else found) if value]
