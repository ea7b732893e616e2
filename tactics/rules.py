"""Which tactics a mission may be given: the agency's rules, read for its crime type, shift, hour and place."""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tactics.models import TacticRule


@dataclass(frozen=True)
class Allowed:
    """A tactic that the rules allow, by the rule that decides for it."""

    rule: TacticRule
    preference: float

    @property
    def for_this_shift(self) -> bool:
        return self.rule.shift_id is not None


def suits_hour(start: dt.time | None, end: dt.time | None, at: dt.time) -> bool:
    """Whether a time of day lies in [start, end), over midnight if it ends earlier; no times: always."""
    if start is None or end is None:
        return True
    return start <= at < end if start < end else at >= start or at < end


def suits_place(places: Collection[str], near: Collection[str], known: Collection[str]) -> bool:
    """Whether the box is near one of these kinds of place; none named: everywhere.

    Only what is known can speak against a box: where no layer tells of one of the kinds, the box may be near that one.
    """
    return not places or any(place in near or place not in known for place in places)


def allowed_tactics(
    rules: Iterable[TacticRule],
    *,
    shift_id: int,
    starts: dt.time,
    near: Collection[str] = (),
    known: Collection[str] = (),
) -> list[Allowed]:
    """Return the allowed tactics, the most preferred first, equal ones by name. No query when rules come with tactics.

    ``rules``: those of the mission's crime type. For each tactic the most specific rule that fits decides: one for the
    place goes before one for the shift, that before one for all; of equally specific ones (a box near a school and near
    shops) the lowest preference, so that "not near schools" holds next to shops. Preference 0 hides the tactic.
    """
    deciding: dict[int, TacticRule] = {}
    for rule in rules:
        if rule.shift_id not in (None, shift_id) or (rule.context and rule.context not in near):
            continue
        other = deciding.get(rule.tactic_id)
        if other is None or _rank(rule) > _rank(other):
            deciding[rule.tactic_id] = rule
    found = [
        Allowed(rule, rule.preference)
        for rule in deciding.values()
        if rule.preference > 0
        and rule.tactic.is_active
        and not rule.tactic.is_enforcement
        and suits_hour(rule.tactic.hours_from, rule.tactic.hours_to, starts)
        and suits_place(rule.tactic.places, near, known)
    ]
    return sorted(found, key=lambda row: (-row.preference, row.rule.tactic.name))


def _rank(rule: TacticRule) -> tuple[bool, bool, float]:
    return bool(rule.context), rule.shift_id is not None, -rule.preference


def kinds_asked(rules: Iterable[TacticRule]) -> set[str]:
    """The kinds of place on which these rules or their tactics depend."""
    asked: set[str] = set()
    for rule in rules:
        asked.update(rule.tactic.places)
        if rule.context:
            asked.add(rule.context)
    return asked
