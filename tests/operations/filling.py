"""One row in every table of an old schema: what an update has to carry along."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.apps.registry import Apps
from django.db import connection, models

AT = dt.datetime(2026, 3, 1, 21, 40, tzinfo=dt.UTC)
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [0.01, 0], [0.01, 0.01], [0, 0.01], [0, 0]]]}
SHAPES = {
    "PolygonField": SQUARE,
    "MultiPolygonField": {"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"]]},
}
VALUES: Mapping[type[models.Field[Any, Any]], Any] = {
    models.DateTimeField: AT,
    models.DateField: AT.date(),
    models.TimeField: dt.time(6),
    models.DurationField: dt.timedelta(hours=1),
    models.UUIDField: uuid.UUID(int=1),
    models.JSONField: {},
    models.BinaryField: b"x",
    models.BooleanField: False,
    models.DecimalField: Decimal(1),
    models.FloatField: 1.0,
    models.IntegerField: 1,
    models.EmailField: "x@example.org",
    models.GenericIPAddressField: "192.0.2.1",
    models.TextField: "text",
    models.CharField: "x",
}


def tables_of(apps: Apps, labels: tuple[str, ...]) -> list[type[models.Model]]:
    """The models of these apps in an order in which each comes after those that it needs."""
    waiting = [
        model
        for label in labels
        for model in apps.get_app_config(label).get_models()
        if model._meta.managed and not model._meta.proxy
    ]
    ordered: list[type[models.Model]] = []
    while waiting:
        ready = [
            model
            for model in waiting
            if not any(other in waiting and other is not model for other in _needs(model))
        ]
        assert ready, f"these need each other: {waiting}"
        ordered += ready
        waiting = [model for model in waiting if model not in ready]
    return ordered


def _needs(model: type[models.Model]) -> Iterator[type[models.Model]]:
    for field in model._meta.concrete_fields:
        if field.is_relation and not field.null:
            yield field.related_model  # type: ignore[misc]


def fill(
    ordered: list[type[models.Model]], own: Mapping[str, Mapping[str, Any]]
) -> dict[type[models.Model], models.Model]:
    """Make one row of each; ``own`` has the values that a model's checks ask for, by ``app.model``."""
    made: dict[type[models.Model], models.Model] = {}
    for model in ordered:
        given = dict(own.get(model._meta.label_lower, {}))
        values = {
            field.name: _value(field, made) for field in model._meta.concrete_fields if _is_asked(field)
        }
        row = model(**values | given)
        # As it stands: an old model has none of its methods, and its rules were the forms'.
        row.save(force_insert=True)
        made[model] = row
    return made


def _is_asked(field: models.Field[Any, Any]) -> bool:
    return not (field.primary_key or field.null or (field.has_default() and not field.is_relation))


def _value(field: models.Field[Any, Any], made: Mapping[type[models.Model], models.Model]) -> Any:
    if field.is_relation:
        return made[field.related_model]  # type: ignore[index]
    if type(field).__name__ in SHAPES:
        return SHAPES[type(field).__name__]
    if field.choices:
        return next(iter(field.flatchoices))[0]
    return next(value for kind, value in VALUES.items() if isinstance(field, kind))


def rows_of(ordered: list[type[models.Model]]) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these models' tables, in the columns that they have, read without the models."""
    found = {}
    with connection.cursor() as cursor:
        for model in ordered:
            columns = ", ".join(
                connection.ops.quote_name(field.column) for field in model._meta.concrete_fields
            )
            cursor.execute(
                f"SELECT {columns} FROM {connection.ops.quote_name(model._meta.db_table)} ORDER BY 1"
            )
            found[model._meta.label_lower] = [tuple(map(str, row)) for row in cursor.fetchall()]
    return found
