"""A query against an agency's CAD or RMS database, or better its replica: read-only, by a column that grows."""

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from django.conf import settings

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.privacy import screen_columns
from ingestion.sources.base import Page, SourceError, parameter, register
from ingestion.sources.json_rows import sample_table
from ingestion.sources.sql_guard import bare_query, select_problem
from missions_project.lib.addresses import endpoints
from missions_project.lib.http import Fetcher
from missions_project.lib.lazy import gettext_lazy as _

BATCH_ROWS = 5_000
SAMPLE_SECONDS = 12
_DIALECTS = {
    "postgresql": ("PostgreSQL", 5432),
    "mssql+pyodbc": ("SQL Server (pyodbc)", 1433),
    "mssql+pymssql": ("SQL Server (pymssql)", 1433),
    "oracle+oracledb": ("Oracle (oracledb)", 1521),
    "mysql+pymysql": ("MySQL or MariaDB (PyMySQL)", 3306),
    "sqlite": (_("SQLite file (only where the operator allows it)"), 0),
}


@dataclass(frozen=True)
class DatabaseParameters:
    """What an administrator sets for a database feed."""

    dialect: str = parameter(
        "postgresql",
        label=_("Database"),
        help=_("PostgreSQL works at once; for the others the operator installs the driver that is named."),
        choices=tuple((key, label) for key, (label, __) in _DIALECTS.items()),
    )
    host: str = parameter("", label=_("Server"), help=_("Host name or address of the replica."))
    port: int = parameter(0, label=_("Port"), help=_("0: the usual one."), minimum=0)
    database: str = parameter("", label=_("Database name"), help="", required=True)
    user: str = parameter("", label=_("User"), help=_("An account that may only read."))
    password: str = parameter("", label=_("Password"), help="", secret=True)
    query: str = parameter(
        "",
        label=_("Query"),
        help=_(
            "One SELECT that names its columns. Only the mapped ones are asked for. :watermark stands for the last value "
            "of the column below, where the database should filter early."
        ),
        required=True,
    )
    watermark_column: str = parameter(
        "",
        label=_("Column that grows"),
        help=_(
            "When a row was last changed, or a running number: only rows from the last value on are asked for."
        ),
        required=True,
    )
    begin_at: str = parameter(
        "",
        label=_("Begin at"),
        help=_("The column's first value that is wanted, e.g. 2020-01-01. Empty: all rows."),
    )
    overlap_minutes: int = parameter(
        60,
        label=_("Overlap (minutes)"),
        help=_("Asked for again each time: transactions commit late."),
        minimum=0,
    )
    timeout_seconds: int = parameter(
        300, label=_("Longest query (s)"), help=_("The query is stopped after this."), minimum=1
    )


class _Connection(Protocol):
    def run(
        self, sql: str, values: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], Iterator[list[tuple[Any, ...]]]]:
        """Column names and batches of rows. ``sql`` names its parameters as ``:name``."""


@register
class Database:
    """Rows in the order of the watermark; the cursor holds its last value.

    Rows of exactly that value are asked for again (they may have been written since), and count as unchanged.
    """

    kind: ClassVar[str] = "database"
    label: ClassVar[str] = _("Database query")
    help: ClassVar[str] = _("A read-only SQL query against the agency's CAD or RMS database, or its replica.")
    Parameters: ClassVar[type] = DatabaseParameters

    def __init__(self, parameters: DatabaseParameters | None = None) -> None:
        self.parameters = given = parameters or DatabaseParameters()
        problem = select_problem(given.query) if given.query.strip() else ""
        if problem:
            raise SourceError(
                _("The query is refused: %(problem)s.") % {"problem": problem},
                _("Enter a single SELECT that only reads."),
            )
        if given.watermark_column and not re.fullmatch(r"[A-Za-z_]\w*", given.watermark_column):
            raise SourceError(
                _("%(watermark_column)s cannot be the name of a column.")
                % {"watermark_column": repr(given.watermark_column)},
                _("Give it a plain name in the query (… AS updated_at)."),
            )
        if ":watermark" in given.query and not given.begin_at:
            raise SourceError(
                _("The query compares with :watermark, and the first pull has no last value yet."),
                _("Fill in “Begin at”, e.g. 2020-01-01."),
            )
        if given.dialect == "sqlite" and re.search(r"[?#%]", given.database):
            raise SourceError(_("The file's name holds ?, # or %."), _("Rename the file."))
        if re.search(r"[,/\s]", given.host):
            raise SourceError(
                _("%(host)s is no host name.") % {"host": repr(given.host)},
                _("Enter one server's name or address."),
            )

    def where(self) -> str:
        return f"{self.parameters.database} on {self.parameters.host or 'this machine'}"

    def pages(
        self, mapping: FeedMapping, cursor: Mapping[str, Any], fetcher: Fetcher, now: datetime
    ) -> Generator[Page, None, None]:
        columns = mapping.column_names
        mark = self.parameters.watermark_column
        since = self._since(cursor)
        names = ", ".join(_quoted(name, self.parameters.dialect) for name in dict.fromkeys((*columns, mark)))
        condition = (
            f" WHERE {_quoted(mark, self.parameters.dialect)} >= :watermark" if since is not None else ""
        )
        sql = (
            f"SELECT {names} FROM ({bare_query(self.parameters.query)}) pulled{condition} "  # nosec B608 - the administrator's own query, read-only, checked by sql_guard
            f"ORDER BY {_quoted(mark, self.parameters.dialect)}"
        )
        values = {"watermark": since} if ":watermark" in sql else {}
        with self._connection(fetcher) as connection:
            header, batches = connection.run(sql, values)
            place = {name.lower(): index for index, name in enumerate(header)}
            wanted = [place[name.lower()] for name in columns]
            last = place[mark.lower()]
            came = False
            for batch in batches:
                came = True
                fetcher.pulse(f"Reading from {self.where()}")
                reached = next((row[last] for row in reversed(batch) if row[last] is not None), None)
                after = cursor if reached is None else _kept(reached)
                yield Page(rows=[[_text(row[i]) for i in wanted] for row in batch], cursor=after)
            if not came:
                yield Page(cursor=cursor)

    def sample(self, rows: int, fetcher: Fetcher) -> tuple[tuple[str, ...], list[list[str]]]:
        """The first rows, of all columns but those about persons: the database is asked for their names only."""
        inner = bare_query(self.parameters.query)
        values = {"watermark": self.parameters.begin_at} if ":watermark" in inner else {}
        with self._connection(fetcher, SAMPLE_SECONDS) as connection:
            header, _batches = connection.run(f"SELECT * FROM ({inner}) pulled WHERE 1 = 0", values)  # nosec B608 - the administrator's own query, read-only, checked by sql_guard
        refused = {violation.column for violation in screen_columns(header)}
        asked = [name for name in header if name not in refused]
        if not asked:
            raise SourceError(
                _("The query has no column that may be read."), _("Name columns about incidents in it.")
            )
        names = ", ".join(_quoted(name, self.parameters.dialect) for name in asked)
        with self._connection(fetcher, SAMPLE_SECONDS) as connection:
            _header, batches = connection.run(f"SELECT {names} FROM ({inner}) pulled", values)  # nosec B608 - the administrator's own query, read-only, checked by sql_guard
            first = next(batches, [])[:rows]
        place = {name: index for index, name in enumerate(asked)}
        return sample_table(
            header, [[_text(row[place[n]]) if n in place else "" for n in header] for row in first]
        )

    def _since(self, cursor: Mapping[str, Any]) -> Any:
        """The value from which rows are asked for; None where there is none yet."""
        value, kind = cursor.get("value"), cursor.get("type")
        overlap = timedelta(minutes=self.parameters.overlap_minutes)
        if kind == "datetime":
            return datetime.fromisoformat(str(value)) - overlap
        if kind == "date":
            return date.fromisoformat(str(value)) - timedelta(days=1 if overlap else 0)
        if kind == "number":
            return int(str(value))
        return value or self.parameters.begin_at or None

    @contextmanager
    def _connection(self, fetcher: Fetcher, seconds: int = 0) -> Iterator[_Connection]:
        from ingestion.sources import database_links

        given = self.parameters
        if seconds:
            given = replace(given, timeout_seconds=min(seconds, given.timeout_seconds))
        if given.dialect == "sqlite" and not settings.PULL_ALLOW_SQLITE:
            raise SourceError(
                _("SQLite files of this server are not read."),
                _("The operator may allow it (PULL_ALLOW_SQLITE)."),
            )
        port = given.port or _DIALECTS[given.dialect][1]
        address = ""
        if given.dialect != "sqlite":
            if not given.host:
                raise SourceError(_("The server is empty."), _("Enter the database server's host name."))
            address = endpoints(given.host, port, fetcher.policy.private_hosts)[0].address
        opened = database_links.postgres if given.dialect == "postgresql" else database_links.alchemy
        with opened(given, address, port, BATCH_ROWS) as connection:
            yield connection


def _quoted(name: str, dialect: str) -> str:
    """A column's name as it may stand in a statement. Raises ``SourceError`` for one that could end it."""
    if not re.fullmatch(r"[A-Za-z_][\w $#]*", name):
        raise SourceError(
            _("%(name)s cannot be the name of a column here.") % {"name": repr(name)},
            _("Give it a plain name in the query (… AS name)."),
        )
    if re.fullmatch(r"[A-Za-z_]\w*", name):
        return name  # as the database folds it: quoted, "Id" would not be id
    return f"`{name}`" if dialect.startswith("mysql") else f'"{name}"'


def _kept(value: Any) -> dict[str, str]:
    """A watermark as plain data, with what it was."""
    if isinstance(value, datetime):
        return {"type": "datetime", "value": value.isoformat()}
    if isinstance(value, date):
        return {"type": "date", "value": value.isoformat()}
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return {"type": "number", "value": str(int(value))}
    return {"type": "text", "value": str(value)}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
