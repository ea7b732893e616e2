"""What a change would do, told before it is saved: each room says what it knows of a row as it is and as it would be.

A room says its part with ``register`` from its ``admin.py``; nothing here knows the rooms to the right. Nothing is written.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Model

from agencies.dashboards import Panel
from agencies.models import Agency

Contributor = Callable[[Agency, Any, Any], Sequence[Panel]]
"""``(agency, before, after)``: the row as saved (None for a new one) and as the form has it, unsaved."""
_contributors: list[tuple[str, int, str, Contributor]] = []


def register(model: type[Model], contributor: Contributor, *, order: int) -> None:
    """Add what a room has to say about changes of one table. The same function twice has no effect."""
    name = f"{contributor.__module__}.{contributor.__qualname__}"
    label = model._meta.label_lower
    if (label, name) not in {(known, called) for known, _, called, _ in _contributors}:
        _contributors.append((label, order, name, contributor))


def panels(agency: Agency, before: Model | None, after: Model) -> list[Panel]:
    """Everything that is known of the change, in the order of the rooms."""
    label = after._meta.label_lower
    chosen = sorted((entry for entry in _contributors if entry[0] == label), key=lambda entry: entry[1:3])
    return [panel for *_, contributor in chosen for panel in contributor(agency, before, after)]
