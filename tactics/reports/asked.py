"""What a person asked a report for: a period and a choice of districts, beats, shifts and crime types."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from agencies.lookups import date_from_text
from agencies.models import Agency, Beat, CrimeType, District, Shift
from missions_project.lib.errors import MissionsError

LONGEST_DAYS = 731
FILTERS = ("district", "beat", "shift", "type")
_NAMES = {"district": "district", "beat": "beat", "shift": "shift", "type": "crime type"}


@dataclass(frozen=True)
class Whose:
    """Whose figures a person may see: one unit's, or those of all units of some districts (of none named: of all)."""

    unit: int | None = None
    districts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Asked:
    """Local dates, both included, and the codes or slugs chosen; an empty choice means all.

    ``whose`` is no choice of the person but their limit, for reports that are not everybody's: ``ReportKind.narrowed`` sets it.
    """

    first: dt.date
    last: dt.date
    district: tuple[str, ...] = ()
    beat: tuple[str, ...] = ()
    shift: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    whose: Whose | None = None

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def query(self) -> str:
        """The tail of an address that asks for the same again."""
        pairs = [("from", self.first.isoformat()), ("to", self.last.isoformat())]
        return urlencode(pairs + [(name, value) for name in FILTERS for value in getattr(self, name)])

    @property
    def words(self) -> str:
        """In words, for the head of a file."""
        period = f"{self.first} to {self.last} (local dates)"
        chosen = [
            f"{_NAMES[name]} {', '.join(getattr(self, name))}" for name in FILTERS if getattr(self, name)
        ]
        return "; ".join([period, *chosen])

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
    query: Mapping[str, Any], choices: Choices, *, today: dt.date, days: int, longest: int = LONGEST_DAYS
) -> Asked:
    """Return what an address's query asks for; without dates the last ``days`` full days.

    Raises ``MissionsError`` for dates that make no sense and for a district, beat, shift or crime type that does not exist
    here: a report of "all" under a misspelt name would be read as one of that name.
    """
    last = date_from_text(query.get("to") or (today - dt.timedelta(days=1)).isoformat())
    first = date_from_text(query.get("from") or (last - dt.timedelta(days=days - 1)).isoformat())
    if last < first:
        raise MissionsError("The period ends before it starts.", next_step="swap “from” and “to”.")
    if (last - first).days >= longest:
        raise MissionsError(f"That is more than {longest} days.", next_step="choose a shorter period.")
    chosen: dict[str, Any] = {name: tuple(dict.fromkeys(_list(query, name))) for name in FILTERS}
    for name, codes in chosen.items():
        known = {code for code, _ in getattr(choices, name)}
        for code in codes:
            if code not in known:
                raise MissionsError(
                    f"There is no {_NAMES[name]} “{code[:40]}”.",
                    next_step=f"choose from: {', '.join(sorted(known)[:20]) or 'none yet'}.",
                )
    return Asked(first, last, **chosen)


def _list(query: Mapping[str, Any], name: str) -> list[str]:
    # A web query has many values under one name, a stored one a list.
    found = query.getlist(name) if hasattr(query, "getlist") else query.get(name, [])
    return [str(value) for value in found if value]
