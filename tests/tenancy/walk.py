"""The walk over every stored row: which of them, by any key that it holds, names rows of two agencies at once.

Written from the models' own descriptions: a model or a field that is added later is walked too.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models

from agencies.models import Agency, Membership, User

Key = tuple[type[models.Model], Any]


class Owners:
    """Whose each row is: by its own agency, else by that of a row that it names. Two queries a model, once."""

    def __init__(self) -> None:
        self._of: dict[type[models.Model], dict[Any, int]] = {}
        self.of_person: dict[int, set[int]] = defaultdict(set)
        for person, agency in Membership._base_manager.values_list("user", "agency"):
            self.of_person[person].add(agency)

    def of(self, model: type[models.Model]) -> dict[Any, int]:
        """Each row's agency by the row's key. A row that names none is left out."""
        model = model._meta.concrete_model or model
        if model not in self._of:
            self._of[model] = {}  # a model that names itself asks again while it is read
            self._of[model] = dict(self._read(model))
        return self._of[model]

    def _read(self, model: type[models.Model]) -> Iterator[tuple[Any, int]]:
        if model is Agency:
            yield from ((pk, pk) for pk in Agency.objects.values_list("pk", flat=True))
            return
        keys = keys_of(model)
        own = next((field for field in keys if field.related_model is Agency), None)
        for row in model._base_manager.values("pk", *{field.attname for field in keys}):
            if own is not None and row[own.attname] is not None:
                yield row["pk"], row[own.attname]
                continue
            for field in keys:
                if field.related_model not in (Agency, User) and row[field.attname] is not None:
                    found = self.of(field.related_model).get(row[field.attname])
                    if found is not None:
                        yield row["pk"], found
                        break


def keys_of(model: type[models.Model]) -> list[Any]:
    """The fields of a model that hold the key of another row."""
    return [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]


def all_models() -> list[type[models.Model]]:
    """Every model with a table, those that only join two others too."""
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if not model._meta.proxy and model._meta.managed]


def crossings() -> list[str]:
    """Return each row that names rows of more than one agency, as “table key: field → table key”; none is as it should be.

    A person may belong to several agencies: they must belong to the row's, or be nobody's (the operator, or one who left).
    """
    owners, found = Owners(), []
    for model in all_models():
        keys = keys_of(model)
        if not keys:
            continue
        whose = owners.of(model)
        for row in model._base_manager.values("pk", *{field.attname for field in keys}):
            agency = whose.get(row["pk"])
            for field in keys if agency is not None else []:
                there, target = row[field.attname], field.related_model
                if there is None:
                    continue
                allowed = (
                    owners.of_person[there] if target is User else {owners.of(target).get(there, agency)}
                )
                if allowed and agency not in allowed:
                    label = f"{model._meta.label_lower} {row['pk']}"
                    found.append(f"{label}: {field.name} → {target._meta.label_lower} {there}")
    return found


def rows_of(agency: Agency) -> dict[str, str]:
    """A digest of all rows of an agency by table: the same as long as none is added, changed or deleted."""
    owners, digests = Owners(), {}
    people = {person for person, agencies in owners.of_person.items() if agency.pk in agencies}
    for model in all_models():
        mine = (
            people if model is User else {pk for pk, whose in owners.of(model).items() if whose == agency.pk}
        )
        rows = sorted(
            repr(sorted(row.items()))
            for row in model._base_manager.values()
            if row[model._meta.pk.attname] in mine
        )
        digests[model._meta.label_lower] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return digests


def words_of(agency: Agency) -> str:
    """Every text and every list that the agency's rows hold, as one text to search in."""
    owners, told = Owners(), []
    kinds = (models.CharField, models.TextField, models.JSONField)
    for model in all_models():
        names = [field.attname for field in model._meta.concrete_fields if isinstance(field, kinds)]
        mine = {pk for pk, whose in owners.of(model).items() if whose == agency.pk} if names else set()
        if mine:
            rows = model._base_manager.values_list("pk", *names)
            told += [json.dumps(row, default=str) for row in rows if row[0] in mine]
    return "\n".join(told)
