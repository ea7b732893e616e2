"""PostgreSQL tables that are kept in one piece a month: which pieces there are, a further one, one taken out.

A piece is a partition: month by month by UTC, and one, the rest, for what has no month of its own. Every function works inside
the caller's transaction and within the caller's reach (`missions_project.lib.walls`); locks are named where they are taken.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

LOCK_SECONDS = 2
"""Whoever asks for the table behind us waits as long as we do: better to come again another time."""


@dataclass(frozen=True)
class Monthly:
    """A table and the column by whose time it is kept apart. Names are ours and go into statements as they are."""

    table: str
    column: str

    @property
    def rest(self) -> str:
        """The piece of what has no month of its own."""
        return f"{self.table}_rest"

    def piece(self, month: date) -> str:
        return f"{self.table}_{month:%Y_%m}"

    def leaving(self, month: date) -> str:
        """The name of a month that was taken out of the table and is not counted to the end yet."""
        return f"{self.table}_leaving_{month:%Y_%m}"


def month_of(at: datetime) -> date:
    """The first day of the instant's month, by UTC."""
    return at.astimezone(UTC).date().replace(day=1)


def month_after(month: date, n: int = 1) -> date:
    """The month that comes ``n`` later (or earlier).

    >>> month_after(date(2026, 11, 1), 2), month_after(date(2026, 1, 1), -1)
    (datetime.date(2027, 1, 1), datetime.date(2025, 12, 1))
    """
    year, number = divmod(month.year * 12 + month.month - 1 + n, 12)
    return date(year, number + 1, 1)


def month_begins(month: date) -> datetime:
    """Its first instant."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def is_monthly(cursor: Any, kept: Monthly) -> bool:
    """Whether the table is kept by month: not on SQLite, nor where the migration was taken back. One query, none on SQLite."""
    if cursor.db.vendor != "postgresql":
        return False
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_partitioned_table WHERE partrelid = to_regclass(%s))", [kept.table]
    )
    return bool(cursor.fetchone()[0])


def months(cursor: Any, kept: Monthly) -> list[date]:
    """The months that have a piece of their own, the oldest first. One query."""
    cursor.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(%s)",
        [kept.table],
    )
    return _months_in((row[0] for row in cursor.fetchall()), kept.table)


def months_leaving(cursor: Any, kept: Monthly) -> list[date]:
    """The months that were taken out and still have their rows. One query."""
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()) AND relkind = 'r' "
        "AND starts_with(relname, %s)",
        [f"{kept.table}_leaving_"],
    )
    return _months_in((row[0] for row in cursor.fetchall()), f"{kept.table}_leaving")


def _months_in(names: Iterable[str], stem: str) -> list[date]:
    found = [re.fullmatch(rf"{re.escape(stem)}_(\d{{4}})_(\d{{2}})", name) for name in names]
    return sorted(date(int(one[1]), int(one[2]), 1) for one in found if one)


def months_in_rest(cursor: Any, kept: Monthly, *, most: int) -> list[date]:
    """The months of what lies in the rest, the oldest first, at most so many. One query a month and one more.

    Each reads the rest through, for no index begins with the time: it is meant to be small.
    """
    found: list[date] = []
    after = datetime(1, 1, 1, tzinfo=UTC)
    smallest = f"SELECT min({kept.column}) FROM {kept.rest} WHERE {kept.column} >= %s"  # nosec B608 - names are ours, values go by parameters
    while len(found) < most:
        cursor.execute(smallest, [after])
        (at,) = cursor.fetchone()
        if at is None:
            break
        found.append(month_of(at))
        after = month_begins(month_after(found[-1]))
    return found


def rest_is_empty(cursor: Any, kept: Monthly) -> bool:
    """Whether nothing lies in the rest. One query."""
    cursor.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {kept.rest})")  # nosec B608 - names are ours
    return bool(cursor.fetchone()[0])


def month_is_empty(cursor: Any, kept: Monthly, month: date) -> bool:
    """Whether the month's piece holds nothing. One query."""
    cursor.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {kept.piece(month)})")  # nosec B608 - names are ours
    return bool(cursor.fetchone()[0])


def patience(cursor: Any) -> None:
    """Until the transaction ends, wait ``LOCK_SECONDS`` for a lock and no longer."""
    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")


def month_add(cursor: Any, kept: Monthly, month: date) -> int:
    """Give a month a piece of its own, with what lies in the rest of it; returns how many rows that were.

    Locks: SHARE UPDATE EXCLUSIVE on the table, beside which everybody reads and writes; ACCESS EXCLUSIVE on the rest, for which
    only those wait who read or write there. Both at the start: taken one after the other, a push that had read there and
    writes next would wait for us and we for it.
    """
    patience(cursor)
    cursor.execute(f"LOCK TABLE ONLY {kept.table} IN SHARE UPDATE EXCLUSIVE MODE")
    cursor.execute(f"LOCK TABLE {kept.rest} IN ACCESS EXCLUSIVE MODE")
    piece, begins, ends = kept.piece(month), month_begins(month), month_begins(month_after(month))
    # The identity is the table's: PostgreSQL 17 refuses a piece with one of its own.
    cursor.execute(f"CREATE TABLE {piece} (LIKE {kept.table} INCLUDING ALL EXCLUDING IDENTITY)")
    wall_copy(cursor, kept.table, piece)
    cursor.execute(
        f"WITH moved AS (DELETE FROM {kept.rest} WHERE {kept.column} >= %s AND {kept.column} < %s RETURNING *) "  # nosec B608 - names are ours, values go by parameters
        f"INSERT INTO {piece} SELECT * FROM moved",
        [begins, ends],
    )
    moved: int = cursor.rowcount
    cursor.execute(f"ALTER TABLE {kept.table} ATTACH PARTITION {piece} {bounds(month)}")
    return moved


def bounds(month: date) -> str:
    """What PostgreSQL calls a month: from its first instant up to, and without, the next one's."""
    return f"FOR VALUES FROM ('{month_begins(month).isoformat()}') TO ('{month_begins(month_after(month)).isoformat()}')"


def table_lock(cursor: Any, kept: Monthly) -> None:
    """Have the table alone: ACCESS EXCLUSIVE, for the few milliseconds of taking a month out, after at most ``LOCK_SECONDS``."""
    patience(cursor)
    cursor.execute(f"LOCK TABLE ONLY {kept.table} IN ACCESS EXCLUSIVE MODE")


def month_take_out(cursor: Any, kept: Monthly, month: date) -> None:
    """Take a month out of the table; its rows are a table of their own from then on. Needs ``table_lock``.

    Not CONCURRENTLY: PostgreSQL refuses that beside a piece for the rest, and inside a transaction. Out of a transaction, a
    decision taken a moment before could be another one's by then.
    """
    cursor.execute(f"ALTER TABLE {kept.table} DETACH PARTITION {kept.piece(month)}")
    cursor.execute(f"ALTER TABLE {kept.piece(month)} RENAME TO {kept.leaving(month)}")


def wall_copy(cursor: Any, source: str, target: str) -> None:
    """Put up before one table the walls that another one has: whoever asks a piece by its own name finds them too."""
    cursor.execute(
        "SELECT polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy "
        "WHERE polrelid = to_regclass(%s) ORDER BY 1",
        [source],
    )
    for name, using, check in cursor.fetchall():
        told = f"CREATE POLICY {name} ON {target} USING ({using})"
        cursor.execute(told + (f" WITH CHECK ({check})" if check else ""))
    cursor.execute(
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = to_regclass(%s)", [source]
    )
    has_walls, forced = cursor.fetchone()
    if has_walls:
        cursor.execute(f"ALTER TABLE {target} ENABLE ROW LEVEL SECURITY")
    if forced:
        cursor.execute(f"ALTER TABLE {target} FORCE ROW LEVEL SECURITY")
