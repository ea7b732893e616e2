"""Which tables are configuration, as each room tells it: nothing here knows the rooms to the right."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models


@dataclass(frozen=True)
class Section:
    """One table of an agency's configuration: how a row is known without its number, and which columns travel.

    ``key`` names the columns that tell rows of one agency apart (empty: the agency has at most one row); ``fields``
    the other columns that travel. Both may name relations: a related row is written as its own key. ``left_out`` says
    of each remaining column why it stays behind, so that a new column cannot be forgotten.
    """

    name: str
    model: type[models.Model]
    key: tuple[str, ...]
    fields: tuple[str, ...]
    order: int
    """Rows are made in this order: a section comes after those that its rows point to."""
    left_out: dict[str, str] = field(default_factory=dict)
    switch: str = ""
    """The column that makes a row act by itself; a copy that starts switched off has it False."""
    cleaned: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    """By column: what takes a secret out of a value before it travels."""
    check: Callable[[Any], list[str]] | None = None
    """What is wrong with a row that the model itself does not check, in sentences."""
    by_hand: Callable[[Any], list[str]] | None = None
    """What a person must still enter for a row that was made from a document, in sentences."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Everything that travels, the key first."""
        return self.key + self.fields

    def column(self, name: str) -> Any:
        """The model's field of this name. Raises ``FieldDoesNotExist``."""
        return self.model._meta.get_field(name)


_sections: dict[str, Section] = {}


def register(*added: Section) -> None:
    """Add a room's tables, from its ``AppConfig.ready``. The same section again replaces itself.

    Raises ``ValueError`` where a section names a column that its model does not have: found at start-up, and not by
    the person who exports.
    """
    for section in added:
        for name in (*section.columns, *section.left_out, *([section.switch] if section.switch else [])):
            try:
                section.column(name)
            except FieldDoesNotExist as exc:
                raise ValueError(f"Section {section.name} names {name}, which is no column of it.") from exc
        _sections[section.name] = section


def sections() -> list[Section]:
    """Every registered table, in the order in which rows are made."""
    return sorted(_sections.values(), key=lambda section: (section.order, section.name))


def section_of(model: type[models.Model]) -> Section | None:
    """The section of a model, if it is configuration."""
    return next((section for section in _sections.values() if section.model is model), None)
