"""How an agency's feeds, runs and models are doing, on one page of the admin, as each room tells it.

A room says its part with ``register`` from its ``admin.py``; nothing here knows the rooms to the right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agencies.models import Agency


@dataclass(frozen=True)
class Cell:
    """One cell: its text, where it leads, and how it is: good, warn, bad or nothing."""

    text: str
    url: str = ""
    tone: str = ""
    number: bool = False


@dataclass(frozen=True)
class Panel:
    """One table of the dashboard. The first cell of a row names it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str
    """What to say, and what to do, where there is no row."""
    url: str = ""
    """The list behind it."""
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def heads(self) -> list[tuple[str, bool]]:
        """The columns' names, each with whether it holds numbers: those stand to the right, name and all."""
        first = self.rows[0] if self.rows else []
        return [(name, n < len(first) and first[n].number) for n, name in enumerate(self.columns)]


Contributor = Callable[[Agency], Sequence[Panel]]
_contributors: list[tuple[int, str, Contributor]] = []


def register(contributor: Contributor, *, order: int) -> None:
    """Add a room's panels. ``order``: ingestion 20, forecasting 30, patrols 40. The same function twice has no effect."""
    name = f"{contributor.__module__}.{contributor.__qualname__}"
    if name not in {known for _, known, _ in _contributors}:
        _contributors.append((order, name, contributor))


def panels(agency: Agency) -> list[Panel]:
    """Every room's panels, in order. A few queries a room, however many rows there are."""
    ordered = sorted(_contributors, key=lambda entry: entry[:2])
    return [panel for _, _, contributor in ordered for panel in contributor(agency)]
