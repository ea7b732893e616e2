"""What a person asked a report for: a period and a choice of districts, beats, shifts and crime types."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from agencies.lookups import date_from_text
from agencies.models import Agency, Beat, CrimeType, District, Shift
from missions_project.lib.errors import MissionsError

LONGEST_DAYS = 731
FILTERS = ("district", "beat", "shift", "type")
_NAMES = {"district": "district", "beat": "beat", "shift": "shift", "type": "crime type"}
PERIODS = {"7": "Last 7 days", "28": "Last 28 days", "year": "Year to date"}
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

    ``whose`` is no choice of the person but their limit, for reports that are not everybody's: ``ReportKind.narrowed`` sets it.
    """

    first: dt.date
    last: dt.date
    district: tuple[str, ...] = ()
    beat: tuple[str, ...] = ()
    shift: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()
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

    @property
    def words(self) -> str:
        """In words, for the head of a file."""
        period = f"{self.first} to {self.last} (local dates)"
        chosen = [
            f"{_NAMES[name]} {', '.join(getattr(self, name))}" for name in FILTERS if getattr(self, name)
        ]
        options = [f"{name} {', '.join(values)}" for name, values in self.options if values]
        return "; ".join([period, *options, *chosen])

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
        beat=[(code, f"Beat {code}") for code in _codes(Beat, agency)],
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
        raise MissionsError("The period ends before it starts.", next_step="swap “from” and “to”.")
    if (last - first).days >= longest:
        raise MissionsError(f"That is more than {longest} days.", next_step="choose a shorter period.")
    chosen: dict[str, Any] = {name: tuple(dict.fromkeys(_list(query, name))) for name in FILTERS}
    for name, codes in chosen.items():
        _check(_NAMES[name], codes, {code for code, _ in getattr(choices, name)})
    return Asked(first, last, **chosen, options=tuple((one.name, _option(query, one)) for one in options))


def _dates(query: Mapping[str, Any], today: dt.date, days: int) -> tuple[dt.date, dt.date]:
    yesterday = today - dt.timedelta(days=1)
    period = (_list(query, "period") or [""])[0]
    if period:
        _check("period", (period,), set(PERIODS))
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
    _check(option.title.lower(), asked, {value for value, _ in option.choices})
    if len(asked) > 1 and not option.many:
        raise MissionsError(f"{option.title}: {len(asked)} are chosen.", next_step="choose one.")
    return asked or option.default


def _check(name: str, codes: Sequence[str], known: set[str]) -> None:
    for code in codes:
        if code not in known:
            raise MissionsError(
                f"There is no {name} “{code[:40]}”.",
                next_step=f"choose from: {', '.join(sorted(known)[:20]) or 'none yet'}.",
            )


def _list(query: Mapping[str, Any], name: str) -> list[str]:
    # A web query has many values under one name, a stored one a list or, in older rows, one value.
    found = query.getlist(name) if hasattr(query, "getlist") else query.get(name, [])
    return [str(value) for value in ([found] if isinstance(found, str) else found) if value]
