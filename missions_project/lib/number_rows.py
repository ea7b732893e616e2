"""Rows of numbers, straight from the database into an array: Django would look at each number, which takes as long as the query."""

from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import BigIntegerField, FloatField, Func, QuerySet, Sum
from django.db.models.functions import Cast

FETCH_ROWS = 20_000


class EpochSeconds(Func):
    """An instant as whole seconds since 1970 (UTC), computed by the database; of a date, those of its beginning.

    Turning text into a Python datetime and back costs ten times as much as the rest of the query.
    """

    output_field = BigIntegerField()
    # The database gives a whole number already; Django would call int() on each, which took half of the time of reading.
    convert_value = staticmethod(Func._convert_value_noop)  # type: ignore[attr-defined]

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # SQLite counts in milliseconds, and would round the last half of one up to the next second, at midnight to the next day.
        template = "CAST(strftime('%%%%s', SUBSTR(%(expressions)s, 1, 19)) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # As a float: EXTRACT gives a numeric, of which the same takes three times as long. A microsecond is still told apart.
        template = "FLOOR(DATE_PART('epoch', %(expressions)s))::bigint"
        return self.as_sql(compiler, connection, template=template, **extra)


class FloatSum(Sum):
    """A sum of whole or broken numbers as a float, which PostgreSQL would give as a decimal and Django convert row by row."""

    convert_value = staticmethod(Func._convert_value_noop)  # type: ignore[attr-defined]

    def __init__(self, expression: Any, **extra: Any) -> None:
        super().__init__(Cast(expression, FloatField()), **extra)


def numbers_of(rows: QuerySet[Any], columns: int) -> npt.NDArray[np.float64]:
    """Return what a ``values_list`` of so many numbers names, float64 [rows, columns]; NaN where there is none. One query.

    Block by block: a list of half a million tuples would cost 200 MB before it becomes an array.
    """
    values = rows.iterator(chunk_size=FETCH_ROWS)
    blocks = []
    while block := list(islice(values, FETCH_ROWS)):
        blocks.append(np.array(block, dtype=np.float64))
    return np.concatenate(blocks) if blocks else np.empty((0, columns))
