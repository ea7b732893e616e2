"""Connections for database feeds: PostgreSQL by psycopg, others by SQLAlchemy with whatever driver is installed."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.utils.translation import gettext as _

from ingestion.sources.base import SourceError

Batches = Iterator[list[tuple[Any, ...]]]
_NAMED = re.compile(r"(?<!:):([a-z_]+)\b")


def _failed(exc: BaseException, parameters: Any) -> SourceError:
    """What went wrong, in the database's own first line, without the password and without the statement's values."""
    origin = getattr(exc, "orig", None) or exc
    line = (str(origin).strip().splitlines() or [""])[0][:300]
    if str(getattr(origin, "sqlstate", "") or "").startswith("22"):
        # "Invalid input syntax for integer: …" quotes the row's value, and values do not belong in logs.
        line = _("a value in the data does not fit the query.")
    if parameters.password:
        line = line.replace(parameters.password, "…")
    return SourceError(
        _("The database %(database)s on %(host)s says: %(words)s")
        % {
            "database": parameters.database,
            "host": parameters.host or _("this machine"),
            "words": f"{type(origin).__name__}: {line}",
        },
        _("Try the query with the same account in the database's own client, and correct the feed."),
    )


class _Postgres:
    def __init__(self, connection: Any, batch_rows: int) -> None:
        self._connection = connection
        self._batch_rows = batch_rows

    def run(self, sql: str, values: Mapping[str, Any]) -> tuple[tuple[str, ...], Batches]:
        # A server-side cursor: a client-side one would first fetch ten years of calls into memory.
        cursor = self._connection.cursor(name="missions_pull")
        cursor.itersize = self._batch_rows
        statement = _NAMED.sub(r"%(\1)s", sql.replace("%", "%%")) if values else sql
        cursor.execute(statement, dict(values) or None)
        header = tuple(column.name for column in cursor.description)

        def batches() -> Batches:
            while batch := cursor.fetchmany(self._batch_rows):
                yield batch
            cursor.close()

        return header, batches()


@contextmanager
def postgres(parameters: Any, address: str, port: int, batch_rows: int) -> Iterator[_Postgres]:
    """One READ ONLY transaction with a statement timeout. The looked-up address is used: the name is not asked again."""
    import psycopg

    try:
        with psycopg.connect(
            host=parameters.host,
            hostaddr=address,
            port=port,
            dbname=parameters.database,
            user=parameters.user or None,
            password=parameters.password or None,
            connect_timeout=10,
            application_name="missions pull",
            options=f"-c default_transaction_read_only=on -c statement_timeout={parameters.timeout_seconds * 1000}",
        ) as connection:
            connection.read_only = True
            yield _Postgres(connection, batch_rows)
            connection.rollback()
    except psycopg.Error as exc:
        raise _failed(exc, parameters) from None


class _Alchemy:
    def __init__(self, connection: Any, batch_rows: int) -> None:
        self._connection = connection
        self._batch_rows = batch_rows

    def run(self, sql: str, values: Mapping[str, Any]) -> tuple[tuple[str, ...], Batches]:
        from sqlalchemy import text

        result = self._connection.execution_options(
            stream_results=True, max_row_buffer=self._batch_rows
        ).execute(text(sql), dict(values))

        def batches() -> Batches:
            while batch := result.fetchmany(self._batch_rows):
                yield [tuple(row) for row in batch]

        return tuple(result.keys()), batches()


@contextmanager
def alchemy(parameters: Any, address: str, port: int, batch_rows: int) -> Iterator[_Alchemy]:
    """A connection of any other kind; what it does is rolled back in the end, whatever it was."""
    try:
        from sqlalchemy import URL, create_engine
        from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
        from sqlalchemy.pool import NullPool
    except ImportError:
        raise SourceError(
            _("SQLAlchemy is not installed."),
            _("pip install -r requirements.txt on the server and start it again."),
        ) from None
    if parameters.dialect == "sqlite":
        url = URL.create(
            "sqlite", database=f"file:{parameters.database}", query={"mode": "ro", "uri": "true"}
        )
    else:
        url = URL.create(
            parameters.dialect,
            parameters.user or None,
            parameters.password or None,
            address,
            port,
            parameters.database,
        )
    try:
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            try:
                yield _Alchemy(connection, batch_rows)
            finally:
                connection.rollback()
    except (ModuleNotFoundError, NoSuchModuleError) as exc:
        raise SourceError(
            _("The driver for %(dialect)s is not installed on this server (%(exc)s).")
            % {"dialect": parameters.dialect, "exc": exc},
            _("The operator installs it: pip install %(package)s, and starts the server again.")
            % {"package": parameters.dialect.rpartition("+")[2]},
        ) from None
    except SQLAlchemyError as exc:
        raise _failed(exc, parameters) from None
