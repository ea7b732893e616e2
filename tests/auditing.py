"""The audit log's guards in tests: emptied with the rest of a test's database, and opened to tamper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from django.db import connection, transaction
from django.db.backends.postgresql.operations import DatabaseOperations as PostgresOperations
from django.db.backends.sqlite3.base import DatabaseOperations

from agencies import models_audit
from agencies.audit_guards import drop_statements, guards_install, guards_remove


def _flush_without_guards(operations: Any, vendor: str) -> Any:
    """Emptying a database is a DELETE or a TRUNCATE, which the guards refuse; ``post_migrate``, sent after each flush, puts them back."""
    flush = operations.sql_flush

    def sql_flush(self: Any, style: Any, tables: Any, **kwargs: Any) -> list[str]:
        statements = flush(self, style, tables, **kwargs)
        return [*drop_statements(vendor), *statements] if statements else statements

    return sql_flush


# Tests only: the product never empties its database.
DatabaseOperations.sql_flush = _flush_without_guards(DatabaseOperations, "sqlite")  # type: ignore[method-assign]
PostgresOperations.sql_flush = _flush_without_guards(PostgresOperations, "postgresql")  # type: ignore[method-assign]


@contextmanager
def without_guards() -> Iterator[None]:
    """What somebody does who may drop triggers."""
    guards_remove(connection)
    yield
    guards_install(connection)


@contextmanager
def locks_behind_the_chains() -> Iterator[list[str]]:
    """The statements that lock a row although the transaction holds a chain's lock: two such transactions can wait for each other.

    On SQLite, which has one lock for all, only those that write are seen; PostgreSQL shows ``FOR UPDATE`` too.
    """
    found: list[str] = []
    state = {"depth": 0, "locked": False}
    enter, leave, lock = transaction.Atomic.__enter__, transaction.Atomic.__exit__, models_audit.chain_locked

    def entered(self: Any) -> None:
        enter(self)
        # The one around a whole test is no transaction of the product's.
        state["depth"] += not self._from_testcase

    def left(self: Any, *error: Any) -> None:
        state["depth"] -= not self._from_testcase
        state["locked"] &= state["depth"] > 0
        leave(self, *error)

    def locked(key: str) -> Any:
        state["locked"] = True
        return lock(key)

    def watched(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        table = sql.split(" WHERE ")[0]
        locks = sql.startswith(("UPDATE", "DELETE")) or " FOR UPDATE" in sql or " FOR NO KEY UPDATE" in sql
        if state["locked"] and locks and "agencies_audit" not in table:
            found.append(table[:160])
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        stack.enter_context(patch.object(transaction.Atomic, "__enter__", entered))
        stack.enter_context(patch.object(transaction.Atomic, "__exit__", left))
        stack.enter_context(patch.object(models_audit, "chain_locked", locked))
        stack.enter_context(connection.execute_wrapper(watched))
        yield found
