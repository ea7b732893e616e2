"""How many rows each table has and one fingerprint of them all: what shows that a restored database is the one that was saved.

A row's fingerprint is the first eight bytes of its SHA-256, a table's their sum: the order in which a database hands out rows
does not matter, a row that is missing, doubled or changed does.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class TableHash:
    """A table's number of rows and their fingerprint, in hex."""

    rows: int
    sha256_sum: str


def sqlite_table(cursor: Any, name: str) -> TableHash:
    """One table of an SQLite file, read through a plain cursor: Django's own turns values into others first."""
    rows = total = 0
    cursor.execute(f"SELECT * FROM {quoted(name)}")  # nosec B608 - names come from the database and are quoted
    while some := cursor.fetchmany(_ROWS_AT_ONCE):
        for row in some:
            total += int.from_bytes(hashlib.sha256(repr(row).encode()).digest()[:8], "big", signed=True)
        rows += len(some)
    return TableHash(rows, f"{total % 2**64:016x}")


def postgres_table(cursor: Any, name: str) -> TableHash:
    """One table of PostgreSQL. The server does the work: fetching fifty million rows to hash them here would take an hour."""
    table = quoted(name)
    part = f"encode(substring(sha256(convert_to({table}::text, 'UTF8')) from 1 for 8), 'hex')"
    cursor.execute(
        f"SELECT count(*), coalesce(sum(('x' || {part})::bit(64)::bigint::numeric), 0) FROM {table}"  # nosec B608 - names come from the database and are quoted
    )
    rows, total = cursor.fetchone()
    return TableHash(int(rows), f"{int(total) % 2**64:016x}")


def quoted(name: str) -> str:
    """A table's name as both databases take it in a statement: names come from the database itself, yet may hold anything."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def differences(before: dict[str, TableHash], after: dict[str, TableHash]) -> list[str]:
    """What is not the same, in words, by table; empty where everything is."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            found.append(f"{name} is {'new' if was is None else 'missing'}")
        elif was.rows != now.rows:
            found.append(f"{name} had {was.rows} rows and has {now.rows}")
        elif was != now:
            found.append(f"{name} has rows that differ")
    return found
