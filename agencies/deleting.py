"""What goes with a row that is deleted in the admin, counted before Django's own page reads all of it.

Django's page holds every row that would go in memory, and lists it: with a feed or an agency of a large city these are millions.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import models
from django.db.models.deletion import get_candidate_relations_to_delete
from django.utils.formats import number_format
from django.utils.translation import gettext as _

MOST_ROWS = 1_000
"""Rows of one kind that a page may delete, or list as being in use."""


def kinds_too_many(rows: Sequence[models.Model]) -> list[str]:
    """The kinds of rows, by name, of which more than ``MOST_ROWS`` would go with these or keep them. Empty where a page may delete them.

    Goes from row to row as deleting would, kind by kind, and goes no deeper where a kind is too many. One query a relation,
    each of at most ``MOST_ROWS`` keys for each that is asked for.
    """
    waiting: list[tuple[type[models.Model], list[Any]]] = []
    if rows:
        waiting.append((type(rows[0]), [row.pk for row in rows]))
    seen: dict[type[models.Model], set[Any]] = {}
    found: dict[str, None] = {}
    while waiting:
        model, keys = waiting.pop()
        relations: Iterable[Any] = get_candidate_relations_to_delete(model._meta)
        for relation in relations:
            # The others only empty a column, in one statement.
            if relation.on_delete not in (models.CASCADE, models.PROTECT, models.RESTRICT):
                continue
            kind: type[models.Model] = relation.related_model
            known = seen.setdefault(kind, set())
            hanging = kind._base_manager.filter(**{f"{relation.field.name}__in": keys})
            more = set(hanging.values_list("pk", flat=True).order_by()[: MOST_ROWS + 1]) - known
            known |= more
            if len(known) > MOST_ROWS:
                found[str(kind._meta.verbose_name_plural)] = None
            elif more and relation.on_delete is models.CASCADE:
                waiting.append((kind, list(more)))
    return list(found)


def told_too_many(kinds: Sequence[str]) -> list[str]:
    """The same as lines of the page that says why nothing is deleted, with the next step last."""
    most = number_format(MOST_ROWS, force_grouping=True)
    return [
        *(_("more than %(most)s %(kinds)s") % {"most": most, "kinds": kind} for kind in kinds),
        _(
            "So much is not deleted by a page. Records of a feed go by a retention policy; a row that is not wanted any more is "
            "switched off."
        ),
    ]
