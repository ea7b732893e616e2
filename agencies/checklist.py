"""What an agency still lacks before its first missions, as each room tells it: shown on the admin's start page.

A room says its part with ``register`` from its ``admin.py``; nothing here knows the rooms to the right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agencies.models import Agency


@dataclass(frozen=True)
class ChecklistItem:
    """One step of the set-up: done or not, why it matters, and where to do it."""

    label: str
    done: bool
    why: str
    url: str
    detail: str = ""
    """What is there, in figures: "277 beats"."""


Contributor = Callable[[Agency], Sequence[ChecklistItem]]
_contributors: list[tuple[int, str, Contributor]] = []


def register(contributor: Contributor, *, order: int) -> None:
    """Add a room's items. ``order``: agencies 10, ingestion 20, forecasting 30, patrols 40, tactics 50.

    Registering the same function twice has no effect.
    """
    name = f"{contributor.__module__}.{contributor.__qualname__}"
    if name not in {known for _, known, _ in _contributors}:
        _contributors.append((order, name, contributor))


def checklist(agency: Agency) -> list[ChecklistItem]:
    """Return the agency's items in the order in which they are best done. A few queries per room."""
    ordered = sorted(_contributors, key=lambda entry: entry[:2])
    return [item for _, _, contributor in ordered for item in contributor(agency)]
