"""Which categories of an events file may be forecast at all: the offence policy, at the bench's door."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agencies.engine.offence_policy import Allowed, offence_class_of, screen_code
from forecasting.engine.bench.events import EventsFile
from forecasting.engine.bench.problems import BenchProblem

_NOT_IN_FILE_NAMES = frozenset('/\\:*?"<>|')
_NOT_FIRST = (".", "=", "+", "-", "@")
"""A dot hides a file or climbs out of the folder; the others make a spreadsheet run the name as a formula."""
_LONGEST_NAME_BYTES = 150


@dataclass(frozen=True)
class Screened:
    """The categories that may be forecast and the reasons why the others may not ({category: message})."""

    allowed: tuple[str, ...]
    refused: Mapping[str, str]


def screen(names: tuple[str, ...], declared: Mapping[str, str]) -> Screened:
    """Screen category names like an agency's offence codes: an allow-list, refused offences named with the rule.

    A name is a class's key ("burglary"), a NIBRS or UCR code ("220"), or words ("residential burglary").
    ``declared`` says for a name that tells nothing which class it is ("assault" → "13A"); it cannot lift a
    refusal.
    """
    allowed, refused = [], {}
    for name in names:
        words = name.replace("_", " ").replace("-", " ")
        if name not in declared and offence_class_of(name) is not None:
            allowed.append(name)
            continue
        outcome = screen_code(description=words, declared=declared.get(name, ""))
        if isinstance(outcome, Allowed):
            allowed.append(name)
        else:
            refused[name] = outcome.message
    return Screened(tuple(allowed), refused)


def categories_choose(
    events: EventsFile, wanted: tuple[str, ...], declared: Mapping[str, str]
) -> tuple[tuple[str, ...], Screened]:
    """Say which categories are forecast: those asked for, or all that may be. Refused ones never are.

    Raises ``BenchProblem`` for a category that is not in the file, one that is refused, one that cannot be a
    file's name, and a file in which nothing may be forecast.
    """
    unknown = [name for name in (*wanted, *declared) if name not in events.names]
    if unknown:
        raise BenchProblem(
            f"The file has no category {', '.join(unknown)}. It has: {', '.join(events.names[:30])}.",
            next_step="correct --categories (or --offence).",
        )
    screened = screen(events.names, declared)
    for name in wanted:
        if name in screened.refused:
            raise BenchProblem(
                f"Category “{name}” may not be forecast. {screened.refused[name]}",
                next_step="leave it out of --categories; if its name merely says too little, declare what it is with "
                f"--offence {name}=CODE (a NIBRS code such as 13A, or a class such as burglary).",
            )
    if not screened.allowed:
        reasons = " ".join(f"“{name}”: {why}" for name, why in list(screened.refused.items())[:3])
        raise BenchProblem(
            f"No category of the file may be forecast. {reasons}",
            next_step="use a file of forecastable offences, or declare what a category is with --offence NAME=CODE.",
        )
    chosen = wanted or screened.allowed
    for name in chosen:
        if not _may_name_a_file(name):
            raise BenchProblem(
                f"Category “{name[:60]}” cannot be the name of a file.",
                next_step=f"rename it in the events file: at most {_LONGEST_NAME_BYTES} bytes, beginning with a letter or "
                'a digit, without line breaks and any of / \\ : * ? " < > |.',
            )
    return tuple(dict.fromkeys(chosen)), screened


def _may_name_a_file(name: str) -> bool:
    """Said before the first fit: a run of hours must not fail when it writes its forecast."""
    plain = name.isprintable() and not set(name) & _NOT_IN_FILE_NAMES and not name.startswith(_NOT_FIRST)
    return plain and len(name.encode()) <= _LONGEST_NAME_BYTES


def without_refused(events: EventsFile, screened: Screened) -> tuple[EventsFile, dict[str, int]]:
    """The events of the allowed categories, and how many of each refused one were left out."""
    keep = np.isin(events.category, [events.names.index(name) for name in screened.allowed])
    counts = {name: int((events.category == events.names.index(name)).sum()) for name in screened.refused}
    return events.take(np.flatnonzero(keep)), counts
