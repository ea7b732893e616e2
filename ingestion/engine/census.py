"""Which columns of a census file a forecast may read, which are refused, and by which rule."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingestion.engine.privacy import Violation, is_census_key, screen_census_columns, tidy_column

FIGURES = ("population", "households", "housing_units", "vacant_units", "median_age")
"""What is kept of a census area, by the names of the model's fields."""

_NAMES: dict[str, re.Pattern[str]] = {
    "population": re.compile(
        r"(?:total |tot |estimated |est )?pop(?:ulation)?(?: total| count)?(?: \d{2,4})?"
    ),
    "households": re.compile(r"(?:total )?(?:house ?holds?|hh)(?: count| total)?(?: \d{2,4})?"),
    "housing_units": re.compile(
        r"(?:total )?(?:housing(?: units?)?|dwellings?|units?)(?: count| total)?(?: \d{2,4})?"
    ),
    "vacant_units": re.compile(r"vacant(?: housing)? units?(?: count| total)?(?: \d{2,4})?|vacant"),
    "median_age": re.compile(r"median age(?: \d{2,4})?"),
}
# The census bureau's own names: table, line, and E (or nothing) for the estimate. Only these lines are figures of ours.
_LINES = {
    ("B01003", 1): "population",
    ("B01001", 1): "population",
    ("P1", 1): "population",
    ("B11001", 1): "households",
    ("B25001", 1): "housing_units",
    ("B25002", 1): "housing_units",
    ("H1", 1): "housing_units",
    ("B25002", 3): "vacant_units",
    ("B25004", 1): "vacant_units",
    ("H1", 3): "vacant_units",
    ("B01002", 1): "median_age",
}
_ALLOWED_TABLES = frozenset({"B01001", "B01002", "B01003", "B25001", "B25002", "B25004", "H1"})
_TABLE = re.compile(
    r"((?:[BCS]|DP|P|H)\d{1,5})([A-I])?(?:[_ .]?(?:C\d{2}_)?(E?)(\d{1,3})?([A-Z]{0,2}))?", re.IGNORECASE
)
_SUBJECTS: tuple[tuple[str, str, str], ...] = (
    (r"[BC](?:02|03)\d{3}|P[1-5]|P[89]|P1\d", "race_or_ethnicity", "race or ethnicity"),
    (r"[BC](?:05|06|07)\d{3}", "race_or_ethnicity", "citizenship or origin"),
    (r"[BC](?:04|16)\d{3}", "race_or_ethnicity", "ancestry or language"),
    (r"[BCS](?:14|15)\d{2,3}", "education", "schooling or education"),
    (r"[BC](?:17|19|20|22)\d{3}|S(?:17|19|20|22)\d{2}", "income", "income or poverty"),
    (r"[BC]23\d{3}|S23\d{2}", "income", "employment"),
    (
        r"B25(?:003|006|007|008|009|01\d|02\d|03\d|05\d|06\d|07\d|08\d|09\d|1\d\d)|H[4-9]|H1\d",
        "tenure",
        "tenure, rent or value",
    ),
    (r"[BC](?:11|12|09|13)\d{3}", "relationship", "families and relations"),
    (r"[BC](?:18|21|27)\d{3}", "not_on_census_list", "disability, service or insurance"),
)


@dataclass(frozen=True)
class CensusVerdict:
    """What a census file holds: figures by name with their columns, harmless columns, refused columns with the rule."""

    figures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    refused: tuple[Violation, ...] = ()

    @property
    def named(self) -> str:
        """The refused columns, each with its rule, in the file's order."""
        return ", ".join(f"{one.column} ({one.rule})" for one in self.refused)


def judge_columns(columns: Iterable[str]) -> CensusVerdict:
    """Sort a census file's columns into figures, harmless ones and refused ones, by name and by census table code.

    An allow-list: what is neither population, households, housing units, vacancy or age nor a key is refused.

    >>> verdict = judge_columns(["GEOID", "B01003_001E", "B01001B_001E", "B19013_001E", "Vacant units"])
    >>> sorted(verdict.figures), verdict.named
    (['population', 'vacant_units'], 'B01001B_001E (race_or_ethnicity), B19013_001E (income)')
    """
    figures: dict[str, list[str]] = {}
    unused: list[str] = []
    refused: list[Violation] = []
    for column in columns:
        figure, violation = _by_table(column) if _is_table(column) else _by_name(column)
        if violation is not None:
            refused.append(violation)
        elif figure:
            figures.setdefault(figure, []).append(column)
        else:
            unused.append(column)
    return CensusVerdict(
        {name: tuple(found) for name, found in figures.items()}, tuple(unused), tuple(refused)
    )


def _is_table(column: str) -> bool:
    match = _TABLE.fullmatch(column.strip())
    # "H1" and "P1" alone might be anybody's name for anything; a line number makes them the census bureau's.
    return match is not None and (len(match[1]) > 2 or match[4] is not None)


def _by_table(column: str) -> tuple[str, Violation | None]:
    match = _TABLE.fullmatch(column.strip())
    if match is None:
        return "", _refusal(column, "not_on_census_list", "an unknown table")
    table, race, line = match[1].upper(), (match[2] or "").upper(), int(match[4] or 1)
    suffix = (match[3] + match[5]).upper()
    if race:
        return "", _refusal(column, "race_or_ethnicity", "a table split by race or ethnicity")
    figure = _LINES.get((table, line), "") if suffix in ("", "E", "N") else ""
    if figure or table in _ALLOWED_TABLES or _is_margin(table, line, suffix):
        return figure, None
    for pattern, rule, what in _SUBJECTS:
        if re.fullmatch(pattern, table):
            return "", _refusal(column, rule, f"of a table of {what}")
    return "", _refusal(column, "not_on_census_list", "of a table that is not on the list")


def _is_margin(table: str, line: int, suffix: str) -> bool:
    """Margins of error and annotations of a figure say nothing more than the figure."""
    return (table, line) in _LINES and suffix in ("M", "EA", "MA", "NA")


def _by_name(column: str) -> tuple[str, Violation | None]:
    words = re.sub(r"(?<=[a-z]{2})(?=\d)", " ", tidy_column(column))
    figure = next((name for name, pattern in _NAMES.items() if pattern.fullmatch(words)), "")
    if figure or is_census_key(column):
        return figure, None
    violations = screen_census_columns([column])
    return "", violations[0] if violations else None


def _refusal(column: str, rule: str, what: str) -> Violation:
    return Violation(
        column=column,
        rule=rule,
        message=f"Census column {column!r} is {what} (rule {rule}), so no forecast may use it. Take it out, or load the "
        "table into the audit store.",
    )
