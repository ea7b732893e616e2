"""What the doctor finds, and the list of what it looks at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from missions_project.lib.progress import Progress, no_progress


class Level(StrEnum):
    """How bad: an error stops work or endangers data, a warning will."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and how to mend it."""

    check: str
    level: Level
    what: str
    next_step: str


Look = Callable[[], Iterator[tuple[Level, str, str]]]


@dataclass(frozen=True)
class Check:
    """One thing that is looked at. ``needs_database``: skipped where the database does not answer."""

    name: str
    title: str
    look: Look
    needs_database: bool


CHECKS: dict[str, Check] = {}
"""In the order in which they are looked at: what others depend on comes first."""


def check(name: str, title: str, *, needs_database: bool = False) -> Callable[[Look], Look]:
    """Enter a function into the list: it yields level, what is wrong and the next step; nothing where all is well."""

    def entered(look: Look) -> Look:
        CHECKS[name] = Check(name, title, look, needs_database)
        return look

    return entered


def examine(*, progress: Progress = no_progress) -> list[Finding]:
    """Look at everything and return what is wrong. A look that breaks is itself a finding: the others go on."""
    found: list[Finding] = []
    for number, one in enumerate(CHECKS.values()):
        progress(number, len(CHECKS), one.title)
        if one.needs_database and any(row.check in ("database", "migrations") for row in found):
            continue
        try:
            found += [Finding(one.name, *row) for row in one.look()]
        except Exception as error:  # noqa: BLE001 - a doctor that falls ill itself must still name the other complaints
            found.append(
                Finding(
                    one.name,
                    Level.ERROR,
                    f"{one.title} could not be looked at ({type(error).__name__}: {error}).",
                    "mend what the message says; if it makes no sense, show it to support.",
                )
            )
    progress(len(CHECKS), len(CHECKS), "Done")
    return found
