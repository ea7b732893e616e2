"""An explanation in words: short clauses made from its numbers, and from nothing else."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from forecasting.engine.design import part_family
from forecasting.engine.explain import Explanation
from forecasting.engine.nearby import LayerAmount, RecentCount

RAISES = math.log(1.05)
"""A part that changes the expected count by less than 5 % is not worth a clause."""
MISSION_CLAUSES = 3
HEADLINE_LENGTH = 110
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS = {14: "two weeks"}
_LINKS = (" for ", " of ", " from ", " in ", " with ", " by ", " on ", " at ", " to ")
_GROUPS = {
    "recent_here": "recent",
    "recent_nearby": "recent",
    "long_run_here": "long_run",
    "long_run_nearby": "long_run",
    # Whether it rains and how much is one reason, not two.
    "weather:rain_amount": "weather:rain",
}
_SKY = {
    "warmth": ("warmer", "colder"),
    "rain": ("more rain", "less rain"),
    "snow": ("more snow", "less snow"),
}
_OWN_WORDS = {"gunfire": ("gunfire alert", "gunfire alerts")}


@dataclass(frozen=True)
class Labels:
    """How the agency calls things: crime types and layers by slug, and the shift. What is missing is made of the slug."""

    types: Mapping[str, str] = field(default_factory=dict)
    layers: Mapping[str, str] = field(default_factory=dict)
    shift: str = ""

    def type(self, slug: str) -> str:
        return self.types.get(slug, slug.replace("_", " ").replace("-", " "))

    def layer(self, slug: str) -> str:
        return self.layers.get(slug, slug.replace("_", " ").replace("-", " "))


@dataclass(frozen=True)
class Clause:
    """One reason: the parts it speaks for, what they add to the log expected count, the words and their short form."""

    parts: tuple[str, ...]
    value: float
    text: str
    short: str


def clauses(told: Explanation, labels: Labels | None = None) -> list[Clause]:
    """The reasons that raise the expected count, strongest first, then those that lower it, strongest first.

    A part gets a clause only if it changes the count by 5 % or more against the middle cell, and if the plain counts
    say the same as the model: what cannot be told in countable numbers is left to the table of factors.
    """
    named = labels or Labels()
    groups: dict[str, list[str]] = {}
    for part in told.contributions:
        groups.setdefault(_GROUPS.get(part, part), []).append(part)
    found = []
    for group, parts in groups.items():
        value = sum(told.contributions[part] for part in parts)
        if abs(value) < RAISES:
            continue
        words_of = _WORDS.get(part_family(group))
        said = words_of(told, named, group, value > 0) if words_of else None
        if said:
            found.append(Clause(tuple(parts), value, *said))
    found.sort(key=lambda one: -one.value)
    lowers = [one for one in reversed(found) if one.value < 0]
    return [one for one in found if one.value > 0] + lowers


def mission_clauses(told: Explanation, labels: Labels | None = None) -> list[str]:
    """At most three reasons for going there, strongest first."""
    return [one.text for one in clauses(told, labels) if one.value > 0][:MISSION_CLAUSES]


def headline(told: Explanation, labels: Labels | None = None) -> str:
    """The reasons in one line of at most 110 characters, for a print sheet or a phone."""
    line = ""
    for one in [one for one in clauses(told, labels) if one.value > 0][:MISSION_CLAUSES]:
        longer = f"{line}; {one.short}" if line else one.short
        if len(longer) <= HEADLINE_LENGTH:
            line = longer
        elif not line:
            line = f"{longer[: HEADLINE_LENGTH - 1]}…"
    if not told.is_watched:
        return "No sensor covers this cell"
    if not line and told.reference_expected > 0:
        line = f"expected count {_number(told.expected / told.reference_expected)} times the middle cell's"
    return line[:1].upper() + line[1:]


def words(told: Explanation, labels: Labels | None = None) -> list[str]:
    """Everything worth saying in plain sentences: the rank, every reason, and what speaks against."""
    named = labels or Labels()
    if not told.is_watched:
        name = _many(named.type(told.target))
        return [f"No sensor covers this cell: {name} here are unknown, which is not the same as none."]
    lines = [
        f"Expected in this shift: {told.expected:.4f} {_many(named.type(told.target))}; rank {told.rank:,} of "
        f"{told.n_cells:,} cells."
    ]
    if told.reference_expected > 0:
        usual = " in a shift with usual weather and no event" if told.against_usual else ""
        lines.append(
            f"That is {_number(told.expected / told.reference_expected)} times the city's middle cell{usual}."
        )
    for one in clauses(told, named):
        lines.append(_sentence(one.text if one.value > 0 else f"{one.text}: lowers the expected count"))
    return lines


_Said = tuple[str, str] | None


def _recent(told: Explanation, named: Labels, group: str, raises: bool) -> _Said:
    rows = [row for row in told.recent if row.category == told.target]
    row = next((row for row in rows if row.count), rows[-1] if rows else None)
    if row is None or (raises and not row.count) or (not raises and row.count > row.usual):
        return None
    return _recent_words(row, named.type(told.target))


def _recent_words(row: RecentCount, name: str) -> tuple[str, str]:
    short = (
        f"{counted(row.count, name)} within {row.radius_m:.0f} m in {_DAYS.get(row.days, f'{row.days} days')}"
    )
    if row.count < row.usual and (middle := row.reference_per_year * row.days / 365.25) < row.count:
        # Fewer than usual for this place and still a reason: what counts is how quiet the middle cell is.
        return f"{short} (middle cell {middle:.1f})", short
    return f"{short} (usual {row.usual:.1f})", short


def _long_run(told: Explanation, named: Labels, group: str, raises: bool) -> _Said:
    here, around = told.per_year_here, told.per_year_neighbours
    if raises and max(here, around) < 0.05:
        return None
    text = f"long run: {here:.1f} a year here, {around:.1f} in the cells around"
    name = _many(named.type(told.target))
    return (
        text,
        f"{here:.1f} {name} a year here"
        if here >= 0.05
        else f"{around:.1f} {name} a year in the cells around",
    )


def _time_of_day(told: Explanation, named: Labels, group: str, raises: bool) -> _Said:
    share, city = told.shift_share, told.city_shift_share
    when = f"{WEEKDAYS[told.weekday]} {_lower(named.shift or told.shift_slug.replace('-', ' '))}"
    name, radius = _many(named.type(told.target)), f"within {told.shift_radius_m:.0f} m"
    if share is None or city is None:
        return None
    if round(100 * share) != round(100 * city) and (share > city) == raises:
        return (
            f"{when}: {100 * share:.0f} % of {name} {radius} fall in this shift (city {100 * city:.0f} %)",
            f"{when} ({100 * share:.0f} % in this shift, city {100 * city:.0f} %)",
        )
    if raises and told.shift_per_year >= 0.05:
        # The shift is no busier than elsewhere for its place, but the place is busy in it.
        text = f"{when}: {told.shift_per_year:.1f} {name} a year {radius} in this shift"
        return text, text
    return None


def _other_type(told: Explanation, named: Labels, group: str, raises: bool) -> _Said:
    slug = group.split(":", 1)[1]
    rows = [row for row in told.recent if row.category == slug]
    name = named.type(slug)
    for row in rows:
        if raises and row.count > row.usual:
            return _recent_words(row, name)
    if not rows or (rows[0].per_year > rows[0].reference_per_year) != raises:
        return None
    row = rows[0]
    short = f"{row.per_year:.1f} {_many(name)} a year within {row.radius_m:.0f} m"
    return f"{short} (middle cell {row.reference_per_year:.1f})", short


def _layer(told: Explanation, named: Labels, group: str, raises: bool) -> _Said:
    slug = group.split(":", 1)[1]
    rows = sorted((row for row in told.layers if row.layer == slug), key=lambda row: row.radius_m)
    row = next((row for row in rows if _amount(row) != _amount(row, reference=True)), None)
    if row is None:
        return _column(told, named, group) if not rows else None
    middle = f"middle cell {_amount(row, reference=True)}"
    name, about = named.layer(slug), "" if row.unit == "places" else "about "
    within = f"within {about}{row.radius_m:.0f} m"
    if float(_amount(row).split()[0]) == 0:
        return f"no {_lower(name)} {within} ({middle})", f"no {_lower(name)} {within}"
    if row.amount > row.reference_amount:
        near = counted(int(row.amount), name) if row.unit == "places" else f"{_amount(row)} of {_lower(name)}"
        return f"near {near} ({within}; {middle})", f"near {near}"
    few = f"{_lower(name)}: only {_amount(row)} {within}"
    return f"{few} ({middle})", few


def _event(told: Explanation, named: Labels, group: str, raises: bool) -> _Said:
    slug = group.split(":", 1)[1]
    row = next((one for one in told.events if one.kind == slug), None)
    name = named.layer(slug)
    if row is None and told.against_usual:
        # The counts here have grown with the games; tonight there is none.
        return None if raises else (f"no {name} in this shift",) * 2
    if row is None:
        return _layer(told, named, group, raises)
    for radius, count in row.within:
        if count:
            text = f"{_events(count, name)} within {radius:,.0f} m"
            return text, text
    text = f"{_events(row.in_city, name)} elsewhere in the city"
    return text, text


def _events(count: int, name: str) -> str:
    """As ``counted``, but with the name's own capital: a team's name keeps it."""
    number, words = counted(count, name).split(" ", 1)
    return f"{number} {name[:1]}{words[1:]}"


def _weather(told: Explanation, named: Labels, group: str, raises: bool) -> _Said:
    slug = group.split(":", 1)[1]
    row = next((one for one in told.weather if one.name == slug), None)
    if row is None or slug not in _SKY:
        return _layer(told, named, group, raises)
    if row.value == 0 or (slug == "warmth" and round(abs(row.value)) == 0):
        return None
    more = _SKY[slug][0 if row.value > 0 else 1]
    amount = f"{abs(row.value):.0f} °C " if slug == "warmth" else ""
    expected = "" if slug == "warmth" else " expected"
    text = f"{amount}{more}{expected} than usual for the season"
    return text, text


def _column(told: Explanation, named: Labels, group: str) -> _Said:
    """Where nobody counted what stands near, the column's own value must do."""
    kind, slug = group.split(":", 1)
    prefix = "" if kind == "context" else f"{kind}:"
    rows = [
        row
        for row in told.context
        if row.name == f"{prefix}{slug}" or row.name.startswith(f"{prefix}{slug}_")
    ]
    if not rows:
        return None
    row = max(rows, key=lambda one: abs(one.value - one.city_mean))
    short = f"{_lower(named.layer(slug))} {row.value:.3g}"
    return f"{short} (average cell {row.city_mean:.3g})", short


_WORDS: dict[str, Callable[[Explanation, Labels, str, bool], _Said]] = {
    "recent": _recent,
    "long_run": _long_run,
    "time_of_day": _time_of_day,
    "other_types": _other_type,
    "context": _layer,
    "events": _event,
    "weather": _weather,
}


def _amount(row: LayerAmount, reference: bool = False) -> str:
    value = row.reference_amount if reference else row.amount
    return f"{value:.0f}" if row.unit == "places" else f"{value:.1f} {row.unit}"


def _number(value: float) -> str:
    # Nought times the middle cell is never what is meant.
    return f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def counted(count: int, name: str) -> str:
    """A number of things by the agency's name for them, which may be singular or plural.

    >>> counted(3, "Robbery"), counted(1, "Bars"), counted(2, "Theft from motor vehicle"), counted(1, "CTA stations")
    ('3 robberies', '1 bar', '2 thefts from motor vehicle', '1 CTA station')
    """
    return f"{count} {_one(name) if count == 1 else _many(name)}"


def _split(name: str) -> tuple[str, str]:
    """The noun that takes the plural, and what follows it."""
    at = min((place for link in _LINKS if (place := name.find(link)) > 0), default=len(name))
    return name[:at], name[at:]


def _many(name: str) -> str:
    head, rest = _split(_lower(name))
    if head in _OWN_WORDS:
        return _OWN_WORDS[head][1] + rest
    if not head[-1:].isalpha() or (head.endswith("s") and not head.endswith("ss")):
        return head + rest
    if head.endswith("y") and head[-2:-1] not in "aeiou":
        return f"{head[:-1]}ies{rest}"
    return f"{head}{'es' if _hisses(head) else 's'}{rest}"


def _one(name: str) -> str:
    head, rest = _split(_lower(name))
    if head in _OWN_WORDS:
        return _OWN_WORDS[head][0] + rest
    if head.endswith("ies") and len(head) > 4:
        return f"{head[:-3]}y{rest}"
    if head.endswith("es") and _hisses(head[:-2]):
        return head[:-2] + rest
    if head.endswith("s") and not head.endswith(("ss", "us", "is")):
        return head[:-1] + rest
    return head + rest


def _hisses(word: str) -> bool:
    return word.endswith(("ss", "ch", "sh", "x", "z"))


def _lower(name: str) -> str:
    """As inside a sentence; names in capitals (CTA) and with digits stay."""
    first = name.split(" ", 1)[0]
    return (
        name
        if first[1:].lower() != first[1:] or any(map(str.isdigit, first))
        else name[:1].lower() + name[1:]
    )
