"""Audit events as people read them: each changed column with what it was and what it became."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.utils.translation import gettext as _

from agencies.audit_words import subject_words
from agencies.models import AuditEvent
from agencies.words import said

MAX_TEXT = 500


def plain_value(value: Any) -> Any:
    """A form's value as it may stand in the audit log: related rows by name, areas by the number of their points."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Model):
        return str(value)
    if isinstance(value, dict) and "coordinates" in value:
        return f"area of {str(value['coordinates']).count('[') - 2} points"
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, dict)):
        return [plain_value(item) for item in value]
    return str(value)[:MAX_TEXT]


@dataclass(frozen=True)
class Change:
    """One column of a change. ``before`` and ``after`` are texts; both empty where the values are not kept."""

    label: str
    before: str
    after: str
    kept: bool = True


@lru_cache(maxsize=2_048)
def _name(model: str, name: str) -> Any:
    # Not yet a text: kept as one, the first reader's language would be everybody's.
    try:
        return apps.get_model(model)._meta.get_field(name).verbose_name  # type: ignore[union-attr]
    except (LookupError, ValueError, FieldDoesNotExist, AttributeError):
        return name.replace("_", " ")


def field_words(model: str, name: str) -> str:
    """What a column is called, in the reader's language; its name in words where no such column is left. No query."""
    return said(str(_name(model, name)))


def _label(model: str, name: str) -> str:
    # A row that belongs to the changed one stands under its table's name and number, or as deleted.
    table, _space, which = name.rpartition(" ")
    if table and (which.isdigit() or which == "deleted"):
        words = f"{said(table)} {which}" if which.isdigit() else _("%(name)s deleted") % {"name": said(table)}
    else:
        words = field_words(model, name)
    return words[:1].upper() + words[1:]


def _shown(value: Any, model: str, name: str) -> str:
    if value is None or value == "" or value == []:
        return _("empty")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(subject_words("", str(item)) for item in value)
    return (
        _choice(model, name, value)
        if isinstance(value, str)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def _choice(model: str, name: str, value: str) -> str:
    try:
        choices = dict(apps.get_model(model)._meta.get_field(name).flatchoices)  # type: ignore[union-attr]
    except (LookupError, ValueError, FieldDoesNotExist, AttributeError):
        return subject_words("", value)
    return str(choices[value]) if value in choices else subject_words("", value)


def changes_of(event: AuditEvent) -> list[Change]:
    """The columns that the event changed, in the order of the form. Empty for events that are about no columns."""
    columns = event.detail.get("changed") if isinstance(event.detail, dict) else None
    if not isinstance(columns, dict):
        return []
    changes = []
    for name, values in columns.items():
        label = _label(event.model, name)
        if isinstance(values, list) and len(values) == 2:
            before, after = (_shown(value, event.model, name) for value in values)
            changes.append(Change(label, before, after))
        else:
            told = "" if values == "changed" else subject_words("", str(values))
            changes.append(Change(label, "", told, kept=values != "changed"))
    return changes
