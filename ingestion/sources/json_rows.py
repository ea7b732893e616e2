"""Rows out of a server's JSON: numbers as they were written, nested values by dotted names, web pages named as such."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from ingestion.engine.privacy import screen_columns
from ingestion.sources.base import SourceError
from missions_project.lib.http import Fetched, TryAgain, shown_address

MAX_NESTING = 4
MAX_COLUMNS = 400
_NAME = re.compile(r"[A-Za-z_:@][\w:@.\- ]*", re.ASCII)


def parsed_json(fetched: Fetched, url: str) -> Any:
    """The answer's JSON; numbers stay text, for 0.10 is not 0.1 in an identifier.

    Raises ``SourceError`` for a web page, and ``TryAgain`` for JSON that ends in the middle: the server lost its thread.
    """
    head = fetched.body[:400].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    where = shown_address(url)
    if head.startswith(b"<"):
        what = "a web page" if b"<html" in head or b"<!doctype" in head else "XML"
        raise SourceError(
            _("%(where)s answered with %(what)s instead of JSON: probably a sign-in or error page.")
            % {"where": where, "what": what},
            _("open the address in a browser; check the address and the feed's token."),
        )
    try:
        return json.loads(fetched.body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as exc:
        if (
            isinstance(exc, json.JSONDecodeError)
            and exc.pos < len(exc.doc.rstrip()) - 1
            and head[:1] not in b"[{"
        ):
            raise SourceError(
                _("%(where)s answered with something that is not JSON.") % {"where": where},
                _("check the address in a browser."),
            ) from None
        raise TryAgain(_("the answer's JSON is cut off or damaged")) from None


def cell(value: Any) -> str:
    """A JSON value as the text of a cell; nothing for null, lists and objects."""
    if value is None or isinstance(value, (dict, list)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def looked_up(row: Any, path: str) -> Any:
    """The value at a name, or at a dotted path: "location.lat", "points.0"; None where there is nothing.

    >>> looked_up({"a.b": 1, "location": {"at": [5, 6]}}, "location.at.1")
    6
    """
    if isinstance(row, Mapping) and path in row:
        return row[path]
    for part in path.split("."):
        if isinstance(row, Mapping):
            row = row.get(part)
        elif isinstance(row, list) and part.isdigit() and int(part) < len(row):
            row = row[int(part)]
        else:
            return None
    return row


def composed(row: Any, name: str) -> str:
    """The text of a column, or of a date column and a time column joined by a plus sign.

    >>> composed({"day": "2025-03-01T00:00:00.000", "time": "2130"}, "day+time")
    '2025-03-01T21:30'
    >>> composed({"day": "2025-03-01", "time": None}, "day+time")
    '2025-03-01'
    """
    day, plus, clock = name.partition("+")
    if not plus:
        return cell(looked_up(row, name))
    date, time = cell(looked_up(row, day))[:10], cell(looked_up(row, clock)).strip()
    if time.isdigit() and len(time) <= 4:
        time = f"{time.zfill(4)[:2]}:{time.zfill(4)[2:]}"
    return f"{date}T{time}" if date and time else date


def parts_of(name: str) -> tuple[str, ...]:
    """The columns at the source that a column of the mapping is made of."""
    return tuple(name.split("+"))


def flat_names(rows: Iterable[Any]) -> tuple[str, ...]:
    """The dotted names of all scalar values in these rows, in order of first appearance."""
    names: dict[str, None] = {}

    def collect(value: Any, prefix: str, depth: int) -> None:
        if isinstance(value, Mapping) and depth < MAX_NESTING:
            for key, inner in value.items():
                collect(inner, f"{prefix}.{key}" if prefix else str(key), depth + 1)
        elif isinstance(value, list) and depth < MAX_NESTING and len(value) <= 3:
            for index, inner in enumerate(value):
                collect(inner, f"{prefix}.{index}", depth + 1)
        elif prefix and len(names) < MAX_COLUMNS:
            names.setdefault(prefix)

    for row in rows:
        collect(row, "", 0)
    return tuple(names)


def sample_table(
    header: Sequence[str], rows: Iterable[Sequence[str]]
) -> tuple[tuple[str, ...], list[list[str]]]:
    """A sample for the wizard: every column's name, and values of those only that are not about persons."""
    refused = {violation.column for violation in screen_columns(header)}
    keep = [name not in refused for name in header]
    return tuple(header), [
        [text if kept else "" for text, kept in zip(row, keep, strict=True)] for row in rows
    ]


def check_column_name(name: str) -> str:
    """The name, if it can stand in a query as it is. Raises ``SourceError`` otherwise: it could end the query."""
    if not _NAME.fullmatch(name):
        raise SourceError(
            _("%(name)s cannot be the name of a column.") % {"name": repr(name)},
            _("Correct the feed's mapping."),
        )
    return name
