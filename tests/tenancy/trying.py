"""Trying a request that names another agency's row, and what that agency would have to complain of afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction

from tests.tenancy.names import added, kinds_of, kinds_of_part, values_of
from tests.tenancy.towns import KEY, NAME, Town
from tests.tenancy.walk import crossings, rows_of, words_of


class Written:
    """Whether anything was written, sessions aside: where nothing was, nobody's rows need to be walked."""

    anything = False

    def hear(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        reads = sql.lstrip().upper().startswith(("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK"))
        if not reads and "session" not in sql.partition(" WHERE ")[0]:
            self.anything = True
        return execute(sql, params, many, context)


@contextmanager
def undone() -> Iterator[Written]:
    """Whatever is written within is taken back at the end."""
    cache.clear()
    written = Written()
    with transaction.atomic(), connection.execute_wrapper(written.hear):
        yield written
        transaction.set_rollback(True)
    cache.clear()


def wrongs(theirs: Town, ours: Town, before: dict[str, str], written: Written, told: str) -> list[str]:
    """What another agency would have to complain of after a request of ours, while what it wrote is still there."""
    found = ["a name of theirs is told"] if NAME in told else []
    if not written.anything:
        return found
    found += crossings()
    found += [
        f"their {table} changed" for table, rows in rows_of(theirs.agency).items() if rows != before[table]
    ]
    kept = words_of(ours.agency)
    return found + [f"{word} is kept with us" for word in (NAME, KEY) if word in kept]


def attempts(
    theirs: Town, name: str, parts: dict[str, Any], body: dict[str, Any], heard: set[str]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The request anew, each time with one part or one field that names a row of theirs."""
    for part, own in parts.items():
        kinds = kinds_of_part(name, part)
        assert kinds is not None, f"{name}: say in tests/tenancy/names.py what “{part}” of its address names"
        for value in values_of(theirs, kinds):
            if isinstance(value, int) == isinstance(own, int):
                yield f"{part} = {value}", parts | {part: value}, body
    for field in sorted(heard | body.keys()):
        kinds = kinds_of(field)
        assert kinds is not None, f"{name}: say in tests/tenancy/names.py what the field “{field}” names"
        for value in values_of(theirs, kinds):
            for sent in added(body, field, value):
                yield f"{field} = {value}", parts, sent
