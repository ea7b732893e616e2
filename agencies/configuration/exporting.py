"""Writing an agency's configuration as a document."""

import datetime as dt
import math
from typing import Any

from django.db import models

from agencies.configuration.documents import KIND, SCHEMA, configuration_text
from agencies.configuration.sections import Section, section_of, sections
from agencies.fields import AreaField
from agencies.models import Agency

AGENCY_FIELDS = ("slug", "name", "time_zone", "boundary", "cell_size_m", "crs_epsg")


def configuration_export(agency: Agency) -> dict[str, Any]:
    """The agency's whole configuration, the same for the same rows. One query a table and many-to-many column.

    Rows are known by their slugs and codes, not by their numbers, and stand in the order of those: so two exports can
    be compared line by line. Nothing in it names a person, and no secret is in it.
    """
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "agency": {
            name: plain(Agency._meta.get_field(name), getattr(agency, name)) for name in AGENCY_FIELDS
        },
        "sections": {section.name: section_rows(section, agency) for section in sections()},
    }


def section_rows(section: Section, agency: Agency) -> list[dict[str, Any]]:
    """The agency's rows of one table."""
    relations = [
        name
        for name in section.columns
        if section.column(name).many_to_one or section.column(name).one_to_one
    ]
    paths = [path for name in relations for path in _paths(section.column(name).related_model, name)]
    many = [name for name in section.columns if section.column(name).many_to_many]
    rows = section.model._default_manager.filter(agency=agency).select_related(*paths).prefetch_related(*many)
    told = [{name: _value(section, row, name) for name in section.columns} for row in rows]
    # Where keys are equal (two policies of one name) the rest decides: the order must not be that of the database.
    return sorted(
        told, key=lambda row: (sort_key([row[name] for name in section.key]), configuration_text(row))
    )


def _paths(model: type[models.Model], prefix: str) -> list[str]:
    """The relations to follow so that a related row's key costs no query of its own."""
    section = section_of(model)
    below = [name for name in section.key if section.column(name).is_relation] if section else []
    return [prefix] + [
        path
        for name in below
        for path in _paths(section.column(name).related_model, f"{prefix}__{name}")  # type: ignore[union-attr]
    ]


def _value(section: Section, row: models.Model, name: str) -> Any:
    column = section.column(name)
    if column.many_to_many:
        return sorted(
            (key_of(related) for related in getattr(row, name).all()), key=lambda key: sort_key([key])
        )
    value = getattr(row, name)
    if column.is_relation:
        return None if value is None else key_of(value)
    value = plain(column, value)
    clean = section.cleaned.get(name)
    return clean(value) if clean else value


def key_of(row: models.Model) -> Any:
    """A row's key as it stands in a document: one value, or a list of them where it takes several."""
    section = section_of(type(row))
    if section is None:
        raise ValueError(f"{type(row).__name__} is no section of the configuration: nothing can point to it.")
    values = [_value(section, row, name) for name in section.key]
    return values[0] if len(values) == 1 else values


def plain(column: Any, value: Any) -> Any:
    """A column's value as JSON has it. Times as 16:00:00, dates as 2026-03-14, areas always as MultiPolygons."""
    if isinstance(column, AreaField):
        # Rows of old hold single polygons: a document with both would not be the same after its way back.
        return column.to_python(value)
    if isinstance(value, dt.time | dt.date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("A number that is none cannot be written down.")
    return value


def sort_key(values: list[Any]) -> list[Any]:
    """Orders rows by keys of mixed kinds: nothing before something, numbers before texts."""
    ordered: list[Any] = []
    for value in values:
        if isinstance(value, list):
            ordered.append((3, sort_key(value)))
        elif value is None:
            ordered.append((0, ""))
        elif isinstance(value, bool | int | float):
            ordered.append((1, value))
        else:
            ordered.append((2, str(value)))
    return ordered
