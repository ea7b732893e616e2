"""Save the whole database as one file and put it back, on SQLite and on PostgreSQL, without a moment in which half of it is there."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from django.db import connections

from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from missions_project.lib.walls import SETTING
from missions_project.operations.backup.table_hashes import TableHash, postgres_table, quoted, sqlite_table

CLIENT_HINT = "install PostgreSQL's client programs (apt-get install postgresql-client) of the server's version or newer."
_NOT_CONTENT = (
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "django_celery_beat_",
    "operations_",
    "sqlite_",
)
"""Tables that `migrate` and a scheduler fill by themselves: an installation with rows in these alone is still empty."""

_BEGIN = "SET client_min_messages = warning;\nBEGIN;\nSET LOCAL lock_timeout = '30s';\n"


class SavedDatabase(Protocol):
    """What a backup asks of a kind of database."""

    vendor: str
    version: str

    def save(self, path: Path, *, progress: Progress) -> dict[str, TableHash]:
        """Write one consistent state into the file, and return the fingerprints of that state's tables."""

    def load(self, path: Path) -> None:
        """Put the file's state in the place of the database's own: all of it or, where anything fails, nothing."""

    def hashes(self, *, progress: Progress) -> dict[str, TableHash]:
        """The tables' fingerprints as of now."""

    def filled(self) -> list[str]:
        """Tables that hold rows which somebody would miss, by name."""


def database() -> SavedDatabase:
    """The installation's database."""
    return PostgresDatabase() if connections["default"].vendor == "postgresql" else SqliteDatabase()


def _each(names: list[str], cursor: Any, one: Any, progress: Progress) -> dict[str, TableHash]:
    found = {}
    for number, name in enumerate(names):
        progress(number, len(names), "Reading the tables")
        found[name] = one(cursor, name)
    progress(len(names), len(names), "Reading the tables")
    return found


def _content(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith(_NOT_CONTENT)]


class SqliteDatabase:
    """An SQLite file, saved and put back with SQLite's own backup: readers and writers may go on meanwhile."""

    vendor = "sqlite"

    def __init__(self) -> None:
        self.path = Path(str(connections["default"].settings_dict["NAME"]))
        self.version = sqlite3.sqlite_version

    @staticmethod
    def _names(connection: sqlite3.Connection) -> list[str]:
        rows = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        return sorted(row[0] for row in rows)

    def save(self, path: Path, *, progress: Progress) -> dict[str, TableHash]:
        with closing(sqlite3.connect(self.path, timeout=60)) as here, closing(sqlite3.connect(path)) as there:
            # All pages in one step: in several, a busy writer would make it begin again for ever.
            here.backup(there)
            # One file, and not one with a second beside it that holds the newest rows.
            there.execute("PRAGMA journal_mode=DELETE")
            return _each(self._names(there), there.cursor(), sqlite_table, progress)

    def load(self, path: Path) -> None:
        connections.close_all()
        with closing(sqlite3.connect(path)) as saved, closing(sqlite3.connect(self.path, timeout=60)) as here:
            if saved.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise MissionsError(
                    "The saved database is damaged. Nothing was changed.", next_step="take an earlier backup."
                )
            try:
                saved.backup(here)
            except sqlite3.OperationalError as error:
                raise MissionsError(
                    f"The database is in use ({error}). It was not changed.",
                    next_step="stop web, workers and scheduler, then restore again.",
                ) from error
            here.execute("PRAGMA journal_mode=WAL")

    def hashes(self, *, progress: Progress) -> dict[str, TableHash]:
        with closing(sqlite3.connect(self.path, timeout=60)) as here:
            return _each(self._names(here), here.cursor(), sqlite_table, progress)

    def filled(self) -> list[str]:
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(self.path, timeout=60)) as here:
            return [
                name
                for name in _content(self._names(here))
                if here.execute(f"SELECT 1 FROM {quoted(name)} LIMIT 1").fetchone()  # nosec B608 - names come from the database and are quoted
            ]


class PostgresDatabase:
    """A PostgreSQL database: `pg_dump` of one snapshot, put back in one transaction."""

    vendor = "postgresql"

    def __init__(self) -> None:
        self._connection = connections["default"]
        self._connection.ensure_connection()
        self.version = str(self._connection.pg_version)  # type: ignore[attr-defined]  # PostgreSQL's alone

    def save(self, path: Path, *, progress: Progress) -> dict[str, TableHash]:
        program = _program("pg_dump")
        with self._snapshot() as (cursor, snapshot):
            command = [program, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
            # Else it refuses tables that have walls, unless it may walk through them.
            command.append("--enable-row-security")
            # An extension's own rows (PostGIS's list of coordinate systems) are its owner's, and only the owner may put them back.
            schema = _schema(cursor)
            command += [
                f"--exclude-table-data={quoted(schema)}.{quoted(name)}"
                for name in _postgres_names(cursor, of_extensions=True)
            ]
            progress(0, 1, "Saving the database")
            done = subprocess.run(
                [*command, f"--schema={schema}", f"--file={path}"],
                env=self._environment(), capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode != 0:
                raise MissionsError(f"pg_dump failed: {done.stderr.strip()[-500:]}", next_step=CLIENT_HINT)
            progress(1, 1, "Saving the database")
            return _each(_postgres_names(cursor), cursor, postgres_table, progress)

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[Any, str]]:
        """A cursor and the name of the state that it sees, for another program to see the same."""
        # A connection of its own: the snapshot needs a whole transaction, and somebody may be in one already.
        own = self._connection.copy()
        try:
            with own.cursor() as cursor:
                cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SELECT pg_export_snapshot()")
                yield cursor, cursor.fetchone()[0]
                cursor.execute("ROLLBACK")
        finally:
            own.close()

    def load(self, path: Path) -> None:
        reader, writer = _program("pg_restore"), _program("psql")
        with self._connection.cursor() as cursor:
            schema, drops = _schema(cursor), _drops(cursor)
        # An open transaction of our own would hold the tables that are about to go.
        connections.close_all()
        into = subprocess.Popen(
            [writer, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"],
            env=self._environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        script = subprocess.Popen(
            [reader, "--no-owner", "--no-privileges", f"--schema={schema}", "--file=-", str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        # The block closes the pipes: each restore would otherwise leave three open.
        with into, script:
            assert into.stdin
            assert into.stderr
            assert script.stdout
            assert script.stderr
            try:
                # A statement that waits for ever on somebody's open transaction tells nobody why.
                into.stdin.write("".join([_BEGIN, *drops]).encode())
                shutil.copyfileobj(script.stdout, into.stdin, 1024**2)
                # Written only after the whole script was read: without it psql's end takes everything back.
                if script.wait() == 0:
                    into.stdin.write(b"COMMIT;\n")
                into.stdin.close()
            except BrokenPipeError:
                script.kill()
                # Closing flushes into the same broken pipe, and is closed all the same.
                with suppress(BrokenPipeError):
                    into.stdin.close()
            error = (into.stderr.read() + script.stderr.read()).decode(errors="replace").strip()
        if into.wait() != 0 or script.wait() != 0:
            raise MissionsError(
                f"The database could not be put back, and was left as it was: {error[-500:]}",
                next_step=f"stop web, workers and scheduler and restore again; if it says so again, {CLIENT_HINT}",
            )

    def hashes(self, *, progress: Progress) -> dict[str, TableHash]:
        with self._connection.cursor() as cursor:
            return _each(_postgres_names(cursor), cursor, postgres_table, progress)

    def filled(self) -> list[str]:
        with self._connection.cursor() as cursor:
            found = []
            for name in _content(_postgres_names(cursor)):
                cursor.execute(f"SELECT 1 FROM {quoted(name)} LIMIT 1")  # nosec B608 - names come from the database and are quoted
                if cursor.fetchone():
                    found.append(name)
        return found

    def _environment(self) -> dict[str, str]:
        """How the client programs find the server. Never as arguments: every account of the machine can list those."""
        told = self._connection.get_connection_params()
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}  # fmt: skip
        found = {variable: str(told[name]) for name, variable in names.items() if told.get(name)}
        # The programs read every agency's rows, past the walls between them.
        asked = [os.environ.get("PGOPTIONS", ""), f"-c {SETTING}=all"]
        if role := self._connection.settings_dict["OPTIONS"].get("assume_role"):
            asked.append(f"-c role={role}")
        return {
            **os.environ,
            **found,
            "PGDATABASE": str(self._connection.settings_dict["NAME"]),
            "PGOPTIONS": " ".join(filter(None, asked)),
        }


def _program(name: str) -> str:
    # Debian's wrapper in /usr/bin picks the newest version that is installed.
    found = shutil.which(name)
    if found is None:
        raise MissionsError(f"{name} is not installed.", next_step=CLIENT_HINT)
    return found


def _schema(cursor: Any) -> str:
    cursor.execute("SELECT current_schema()")
    return str(cursor.fetchone()[0])


def _postgres_names(cursor: Any, *, of_extensions: bool = False) -> list[str]:
    # Ordinary and partitioned tables; a partition's rows are read through its parent.
    cursor.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
        # Tables that an extension (PostGIS) brought are its own.
        "AND EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') = %s",
        [of_extensions],
    )
    return sorted(row[0] for row in cursor.fetchall())


def _drops(cursor: Any) -> list[str]:
    """What takes away everything of ours: tables, and the functions of their triggers, which do not go with them."""
    tables = [
        f"DROP TABLE IF EXISTS {quoted(_schema(cursor))}.{quoted(name)} CASCADE;\n"
        for name in _postgres_names(cursor)
    ]
    cursor.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = current_schema() AND p.prokind = 'f' "
        "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
    )
    return tables + [f"DROP FUNCTION IF EXISTS {name} CASCADE;\n" for (name,) in cursor.fetchall()]
