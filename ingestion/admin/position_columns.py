"""On the page of a feed of vehicle positions: under which names its sender sends unit, instant and place."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from ingestion.engine.position_mapping import LABELS, PositionMapping
from ingestion.engine.positions import COLUMNS
from ingestion.models import Feed, RecordKind
from ingestion.words import said

PREFIX = "position_"
NAMES = tuple(PREFIX + name for name in (*COLUMNS, "date_format", "time_zone"))


def position_names(feed: Feed | None) -> tuple[str, ...]:
    """The form's fields about columns; none for feeds of another kind of record."""
    return NAMES if feed is not None and feed.record_kind == RecordKind.POSITIONS else ()


def position_fields(feed: Feed) -> dict[str, forms.Field]:
    """Those fields, with what is stored. Empty means the documented name."""
    if not position_names(feed):
        return {}
    mapping = PositionMapping.from_json(feed.mapping or {})
    fields: dict[str, forms.Field] = {
        PREFIX + name: forms.CharField(
            required=False,
            initial="" if mapping.columns[name] == name else mapping.columns[name],
            label=_("Name of %(what)s") % {"what": said(LABELS[name])},
            help_text=_("The key or column in what the machine sends. Empty: %(name)s.") % {"name": name},
        )
        for name in COLUMNS
    }
    fields[PREFIX + "date_format"] = forms.CharField(
        required=False,
        initial=mapping.date_format,
        label=_("Times look like"),
        help_text=_("iso (also understood besides), epoch (seconds), epoch_ms, or e.g. %m/%d/%Y %H:%M:%S."),
    )
    fields[PREFIX + "time_zone"] = forms.CharField(
        required=False,
        initial=mapping.time_zone,
        label=_("Time zone of the sender"),
        help_text=_("Empty: the agency's. Times with an offset of their own keep it."),
    )
    return fields


def position_mapping_read(form: Any) -> PositionMapping | None:
    """What was entered, with an error on each field at fault; None for other feeds."""
    if NAMES[0] not in form.fields:
        return None
    given = {name: (form.cleaned_data.get(PREFIX + name) or "").strip() for name in COLUMNS}
    mapping = PositionMapping.from_json(
        {
            "columns": given,
            "date_format": (form.cleaned_data.get(PREFIX + "date_format") or "").strip(),
            "time_zone": (form.cleaned_data.get(PREFIX + "time_zone") or "").strip(),
        }
    )
    for name, message in mapping.problems().items():
        form.add_error(PREFIX + name, message)
    return mapping
