"""On PostgreSQL vehicle positions lie in one partition a month, so that a month goes in one piece and a shift's question reads one.

The rows are written anew once, in this transaction: some minutes for a hundred million. Nobody reads or writes positions
meanwhile. Taken back, they are one plain table again. SQLite stays as it is, and so does the model: that the key in the
database is (id, at) concerns nobody but PostgreSQL, which wants the partitions' column in each unique key.
"""

from datetime import UTC, datetime
from typing import Any

from django.db import migrations

from missions_project.lib.monthly import Monthly, bounds, month_after, month_of, wall_copy

POSITIONS = Monthly("ingestion_vehicleposition", "at")
TABLE, OLD = POSITIONS.table, f"{POSITIONS.table}_before"
MONTHS_AHEAD = 2


def _turn(cursor: Any, *, by_month: bool) -> None:
    cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
    cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [TABLE])
    (sequence,) = cursor.fetchone()
    cursor.execute(f"ALTER SEQUENCE {sequence} RENAME TO {OLD}_id_seq")
    cursor.execute(f"ALTER TABLE {TABLE} RENAME TO {OLD}")
    apart = f" PARTITION BY RANGE ({POSITIONS.column})" if by_month else ""
    # With the number's sequence, which gets its usual name again; without keys, which are built once the rows are there.
    cursor.execute(
        f"CREATE TABLE {TABLE} (LIKE {OLD} INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING STORAGE){apart}"
    )
    if by_month:
        _pieces(cursor)
    cursor.execute(f"INSERT INTO {TABLE} SELECT * FROM {OLD}")  # nosec B608 - names are ours
    cursor.execute(f"SELECT last_value, is_called FROM {OLD}_id_seq")  # nosec B608 - names are ours
    cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, %s)", [TABLE, *cursor.fetchone()])
    wall_copy(cursor, OLD, TABLE)
    if by_month:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%s)", [TABLE]
        )
        for (piece,) in cursor.fetchall():
            wall_copy(cursor, TABLE, piece)
    # With all of its partitions, and the names of its keys.
    cursor.execute(f"DROP TABLE {OLD}")
    key = "id, at" if by_month else "id"
    cursor.execute(f"ALTER TABLE {TABLE} ADD CONSTRAINT {TABLE}_pkey PRIMARY KEY ({key})")
    cursor.execute(
        f"ALTER TABLE {TABLE} ADD CONSTRAINT position_once_per_feed_unit UNIQUE (feed_id, unit_code, at)"
    )
    cursor.execute(f"CREATE INDEX position_by_time ON {TABLE} (agency_id, at)")
    cursor.execute(f"ANALYZE {TABLE}")


def _pieces(cursor: Any) -> None:
    """A piece for each month that has rows, for this one and the next two, and for the rest."""
    cursor.execute(f"SELECT DISTINCT date_trunc('month', at AT TIME ZONE 'UTC') FROM {OLD}")  # nosec B608 - names are ours
    wanted = {row[0].date() for row in cursor.fetchall()}
    now = month_of(datetime.now(UTC))
    wanted |= {month_after(now, n) for n in range(MONTHS_AHEAD + 1)}
    for month in sorted(wanted):
        cursor.execute(f"CREATE TABLE {POSITIONS.piece(month)} PARTITION OF {TABLE} {bounds(month)}")
    cursor.execute(f"CREATE TABLE {POSITIONS.rest} PARTITION OF {TABLE} DEFAULT")


def by_month(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            _turn(cursor, by_month=True)


def in_one_piece(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            _turn(cursor, by_month=False)


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0010_call_unit")]

    operations = [migrations.RunPython(by_month, in_one_piece)]
