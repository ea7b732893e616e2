"""One row of any model for an agency, made from the model's own fields: walls are tested on every registered model."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone

from agencies.models import Agency, AuditEvent, User
from tests.factories import rectangle

_numbers = itertools.count(1)
# Values that code looks up in a table: an invented one would not be found there.
MUST_BE_REAL: dict[str, dict[str, Any]] = {
    # Sealed before its shift: the database takes no seal that says otherwise.
    "forecasting.forecastseal": {"sealed_at": datetime(2026, 1, 1, tzinfo=UTC)},
    "ingestion.quarantinedrow": {"code": "missing_coordinates"},
    "tactics.impactstudy": {"kind": "rolling"},
    # Not answered: an answer has a time and an author.
    "tactics.exposurefinding": {"answer": ""},
}
# Relations that may be empty each, but not all of them.
MUST_BE_SET = {"tactics.policyproposal": ("policy",)}


def make_row(model: type[models.Model], agency: Agency, depth: int = 0) -> Any:
    """Save and return a row of the model that belongs to the agency. Related rows are the agency's own.

    Saved raw: what is tested is who may see the row, not how the services would have made it.
    """
    values: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if field.primary_key and not isinstance(field, models.UUIDField | models.CharField):
            continue
        if field.is_relation:
            if not field.null or field.name in MUST_BE_SET.get(model._meta.label_lower, ()):
                values[field.name] = _related(field.related_model, agency, depth)  # type: ignore[arg-type]
            elif field.related_model is Agency:
                values[field.name] = agency
        elif not field.has_default() and not field.null:
            values[field.name] = _value(field)
    row = model(**values | MUST_BE_REAL.get(model._meta.label_lower, {}))
    if model is AuditEvent:
        row.save()  # its place in the chain is not made up
    else:
        row.save_base(raw=True, force_insert=True)
    return row


def _related(model: type[models.Model], agency: Agency, depth: int) -> Any:
    if model is Agency:
        return agency
    if model is User:
        return User.objects.filter(memberships__agency=agency).first()
    names = {field.name for field in model._meta.concrete_fields}
    existing = model._default_manager.filter(agency=agency).first() if "agency" in names else None
    return existing or make_row(model, agency, depth + 1)


def _value(field: Any) -> Any:
    number = next(_numbers)
    if getattr(field, "geom_type", ""):
        return rectangle(0, 0, 500, 500)
    if field.choices:
        return field.choices[0][0]
    if isinstance(field, models.JSONField):
        return {}
    if isinstance(field, models.BooleanField):
        return False
    if isinstance(field, models.DateTimeField):
        # Later fields get later instants: an end lies after its start.
        return timezone.now() + timedelta(hours=number)
    if isinstance(field, models.DateField):
        return timezone.now().date()
    if isinstance(field, models.TimeField):
        return timezone.now().time()
    if isinstance(field, models.BinaryField):
        return b""
    if isinstance(field, models.UUIDField):
        return uuid.uuid4()
    if isinstance(field, models.FloatField | models.IntegerField):
        return number
    return f"x{number}"[: field.max_length or 20]
