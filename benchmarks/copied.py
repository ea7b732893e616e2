"""Made-up rows into PostgreSQL by the million."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any


@contextlib.contextmanager
def copied(connection: Any, table: str, names: Sequence[str], options: str = "") -> Iterator[Any]:
    """A COPY to write rows to, as ``cursor.copy`` yields it; they are in ``table`` when the block ends.

    By way of a temporary table, as the product's own imports go: PostgreSQL takes no COPY where row-level security holds.
    """
    columns = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE arriving AS SELECT {columns} FROM {table} LIMIT 0")
        with cursor.copy(f"COPY arriving ({columns}) FROM STDIN {options}") as copy:
            yield copy
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM arriving")
        cursor.execute("DROP TABLE arriving")
