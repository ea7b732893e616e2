"""The years, months and days above a long list of rows, found without reading all of them."""

import datetime as dt
from itertools import pairwise
from typing import Any

from django.db.models import Exists, Max, Min, QuerySet
from django.http import HttpRequest
from django.utils import timezone


class DatedQuerySet(QuerySet[Any]):
    """Rows that know their years, months and days by asking an index whether each has any.

    To sort the times of three hundred thousand rows for the two years among them takes longer than the rest of the page.
    """

    def datetimes(self, field_name: str, kind: Any, *args: Any, **kwargs: Any) -> Any:
        """Starts of the years, months or days in which rows lie, oldest first, in the current zone. Two queries."""
        if kind not in ("year", "month", "day"):
            return super().datetimes(field_name, kind, *args, **kwargs)
        ends = self.aggregate(first=Min(field_name), last=Max(field_name))
        if ends["first"] is None:
            return []
        starts = _starts(timezone.localtime(ends["first"]), timezone.localtime(ends["last"]), kind)
        # Selected by keys alone: what else the list shows makes no difference to whether there is a row.
        rows = self.order_by()
        found = [
            Exists(rows.filter(**{f"{field_name}__gte": begin, f"{field_name}__lt": end}))
            for begin, end in pairwise(starts)
        ]
        # In no order: the model's own would sort every row to find the one that is asked.
        has_rows = self.model._base_manager.order_by().values_list(*found)[:1].get()
        return [begin for begin, is_there in zip(starts, has_rows, strict=False) if is_there]


def _starts(first: dt.datetime, last: dt.datetime, kind: str) -> list[dt.datetime]:
    """The start of each year, month or day from that of ``first`` to the one after ``last``."""
    zone = timezone.get_current_timezone()
    day = first.date()
    if kind != "day":
        day = day.replace(day=1, **({"month": 1} if kind == "year" else {}))
    starts: list[dt.datetime] = []
    while not starts or starts[-1] <= last:
        # Midnight by the wall each time: to add 24 hours would leave it where the clocks change.
        starts.append(dt.datetime.combine(day, dt.time(), tzinfo=zone))
        if kind == "year":
            day = day.replace(year=day.year + 1)
        elif kind == "month":
            day = (day + dt.timedelta(days=31)).replace(day=1)
        else:
            day += dt.timedelta(days=1)
    return starts


class LongListMixin:
    """A list of hundreds of thousands of rows: counted once, its dates asked of the index of ``date_hierarchy``."""

    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)  # type: ignore[misc]
        return DatedQuerySet(rows.model, query=rows.query, using=rows._db)
