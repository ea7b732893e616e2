"""Pages by cursor: the next page goes on after the last row seen, whatever was added or taken away in between."""

import base64
import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from missions_project.lib.rest.queries import Query

MAX_LIMIT, DEFAULT_LIMIT = 200, 50
T = TypeVar("T")
M = TypeVar("M", bound=Model)


class PagedQuery(Query):
    """The parameters that every list has."""

    cursor = serializers.CharField(
        required=False, max_length=300, help_text="Where to go on: taken from `next` of the page before."
    )
    limit = serializers.IntegerField(
        required=False, default=DEFAULT_LIMIT, min_value=1, max_value=MAX_LIMIT, help_text="Rows a page."
    )


@dataclass(frozen=True)
class Page(Generic[T]):
    """The rows of one page, and where the next begins (None: this was the last)."""

    rows: list[T]
    next_cursor: str | None

    def as_json(self, request: Request, show: Callable[[T], Any]) -> dict[str, Any]:
        """The page as every list answers it."""
        following = None
        if self.next_cursor is not None:
            asked = request.query_params.copy()
            asked["cursor"] = self.next_cursor
            following = f"{request.build_absolute_uri(request.path)}?{asked.urlencode()}"
        return {"next": following, "results": [show(row) for row in self.rows]}


def cursor_to_text(key: Sequence[Any]) -> str:
    """A row's place in the order, as a word that clients hand back and need not read.

    >>> cursor_from_text(cursor_to_text([dt.datetime(2026, 3, 1, tzinfo=dt.UTC), 7]), (dt.datetime, int))
    [datetime.datetime(2026, 3, 1, 0, 0, tzinfo=datetime.timezone.utc), 7]
    """
    plain = [part.isoformat() if isinstance(part, dt.date) else part for part in key]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def cursor_from_text(text: str, kinds: Sequence[type]) -> list[Any]:
    """The place that ``cursor_to_text`` wrote. Raises ``ValidationError`` for anything else."""
    try:
        plain = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        key = [_read(part, kind) for part, kind in zip(plain, kinds, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise bad_cursor() from None
    if any(isinstance(part, dt.datetime) and part.tzinfo is None for part in key):
        raise bad_cursor()
    # A number beyond the database's would be an error there.
    if any(isinstance(part, int) and abs(part) >= 2**63 for part in key):
        raise bad_cursor()
    return key


def _read(part: Any, kind: Any) -> Any:
    return kind.fromisoformat(part) if issubclass(kind, dt.date) else kind(part)


def bad_cursor() -> ValidationError:
    """The refusal of a cursor that is none of ours."""
    return ValidationError({"cursor": [_("This is no cursor of this list. Begin without one.")]})


def page_of_rows(
    rows: QuerySet[M], order: Sequence[tuple[str, type]], *, cursor: str | None, limit: int
) -> Page[M]:
    """Return one page of a queryset in this order (``-name`` descends); the last part must be unique. One query."""
    names = [name.lstrip("-") for name, _ in order]
    if cursor:
        key = cursor_from_text(cursor, [kind for _, kind in order])
        after, equal = Q(pk__in=[]), Q()
        for (name, _), field, value in zip(order, names, key, strict=True):
            after |= equal & Q(**{f"{field}__{'lt' if name.startswith('-') else 'gt'}": value})
            equal &= Q(**{field: value})
        rows = rows.filter(after)
    found = list(rows.order_by(*(name for name, _ in order))[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Page(found, cursor_to_text([_value(found[-1], name) for name in names]) if more else None)


def _value(row: Model, path: str) -> Any:
    found: Any = row
    for step in path.split("__"):
        found = getattr(found, step)
    return found


def page_of_list(rows: list[T], key: Callable[[T], tuple[Any, ...]], kinds: Sequence[type], *, cursor: str | None,
                 limit: int) -> Page[T]:  # fmt: skip
    """The same for rows that were worked out: ascending by ``key``. No query."""
    ordered = sorted(rows, key=key)
    if cursor:
        place = tuple(cursor_from_text(cursor, kinds))
        ordered = [row for row in ordered if key(row) > place]
    more = len(ordered) > limit
    ordered = ordered[:limit]
    return Page(ordered, cursor_to_text(key(ordered[-1])) if more else None)
