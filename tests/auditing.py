"""The audit log's guards in tests: emptied with the rest of a test's database, and opened to tamper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.sqlite3.base import DatabaseOperations

from agencies.audit_guards import drop_statements, guards_install, guards_remove

_sql_flush = DatabaseOperations.sql_flush


def _flush_without_guards(self: Any, style: Any, tables: Any, **kwargs: Any) -> list[str]:
    """Emptying SQLite is a DELETE, which the guards refuse; ``post_migrate``, sent after each flush, puts them back."""
    statements = _sql_flush(self, style, tables, **kwargs)
    return [*drop_statements("sqlite"), *statements] if statements else statements


DatabaseOperations.sql_flush = _flush_without_guards  # type: ignore[method-assign]  # tests only


@contextmanager
def without_guards() -> Iterator[None]:
    """What somebody does who may drop triggers."""
    guards_remove(connection)
    yield
    guards_install(connection)
