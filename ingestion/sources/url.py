"""Any address that answers with rows: JSON with a path to them, or CSV. Unchanged files are not sent again."""

import csv
import gzip
import io
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urljoin, urlsplit

from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.sources.base import Page, SourceError, parameter, register
from ingestion.sources.containers import check_is_text
from ingestion.sources.json_rows import cell, flat_names, looked_up, parsed_json, sample_table
from ingestion.sources.text import (
    check_header,
    check_width,
    column_indices,
    decode_errors,
    encoding_of_head,
    first_line_too_long,
    sniff_delimiter,
    tidy_header,
)
from missions_project.lib.http import Fetched, Fetcher, TryAgain, conditional_headers, shown_address
from missions_project.lib.lazy import gettext_lazy

PAGE_ROWS = 5_000
RESTARTS = 3
HEAD_BYTES = 64 * 1024
_SECRET_WORDS = ("token", "key", "secret", "password", "passwd", "sig", "signature", "auth", "code", "pwd")


@dataclass(frozen=True)
class UrlParameters:
    """What an administrator sets for an address."""

    url: str = parameter(
        "",
        label=gettext_lazy("Address"),
        help=gettext_lazy("Begins with https:// and holds no password or token."),
        required=True,
    )
    header_name: str = parameter(
        "",
        label=gettext_lazy("Header of the key"),
        help=gettext_lazy("E.g. Authorization or X-Api-Key. Empty where no key is needed."),
    )
    header_value: str = parameter(
        "",
        label=gettext_lazy("Key in the header"),
        help=gettext_lazy("The header's whole value, e.g. Bearer …"),
        secret=True,
    )
    query_secret: str = parameter(
        "",
        label=gettext_lazy("Key in the address"),
        help=gettext_lazy("For servers that want it there: name=value."),
        secret=True,
    )


@dataclass(frozen=True)
class JsonUrlParameters(UrlParameters):
    """What an administrator sets for a JSON address."""

    rows_path: str = parameter(
        "",
        label=gettext_lazy("Path to the rows"),
        help=gettext_lazy(
            "Names joined by dots, e.g. data.items. Empty: the answer itself is the list, or GeoJSON."
        ),
    )
    next_path: str = parameter(
        "",
        label=gettext_lazy("Path to the next page's address"),
        help=gettext_lazy("E.g. links.next. Empty: there is one page only."),
    )


def checked_address(parameters: UrlParameters) -> None:
    """Raise ``SourceError`` for an address that is none, or that holds a key: addresses are shown and logged."""
    parts = urlsplit(parameters.url)
    if parameters.url and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise SourceError(
            _("The address does not begin with https:// or http://."), _("Enter the whole address.")
        )
    names = [name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    secret = next(
        (n for n in names if n.strip("_$").replace("-", "_").rpartition("_")[2] in _SECRET_WORDS), ""
    )
    if "@" in parts.netloc or secret:
        raise SourceError(
            _("The address holds a key (%(secret)s), and addresses are shown and logged.")
            % {"secret": secret or _("user and password")},
            _("Take it out of the address and enter it under “Key in the address” or “Key in the header”."),
        )
    if parameters.query_secret and "=" not in parameters.query_secret:
        raise SourceError(_("The key in the address has no name."), _("Enter it as name=value."))


def request_headers(parameters: UrlParameters, accept: str) -> dict[str, str]:
    """What a request sends along, the key included."""
    headers = {"Accept": accept}
    if parameters.header_name and parameters.header_value:
        # A line break would begin a header of its own.
        if any(ord(c) < 32 for c in parameters.header_name + parameters.header_value):
            raise SourceError(_("The header holds a line break."), _("Enter its name and value again."))
        headers[parameters.header_name] = parameters.header_value
    return headers


def request_query(parameters: UrlParameters) -> dict[str, str]:
    """What is added to the address, the key included."""
    name, _equals, value = parameters.query_secret.partition("=")
    return {name: value} if name else {}


class _Url:
    """What both kinds share."""

    parameters: Any

    def where(self) -> str:
        return shown_address(self.parameters.url).partition("://")[2]


@register
class JsonUrl(_Url):
    """One answer, or a chain of them. The cursor holds ``next`` (the page to go on with) and the validators of the first."""

    kind: ClassVar[str] = "json_url"
    label: ClassVar[str] = gettext_lazy("JSON from an address")
    help: ClassVar[str] = gettext_lazy(
        "Any address that answers with rows as JSON, e.g. a CAD system's own interface."
    )
    Parameters: ClassVar[type] = JsonUrlParameters

    def __init__(self, parameters: JsonUrlParameters | None = None) -> None:
        self.parameters = parameters or JsonUrlParameters()
        checked_address(self.parameters)

    def pages(
        self, mapping: FeedMapping, cursor: Mapping[str, Any], fetcher: Fetcher, now: datetime
    ) -> Generator[Page, None, None]:
        columns = mapping.column_names
        address = cursor.get("next") or self.parameters.url
        validators: dict[str, str] = dict(cursor.get("validators") or {})
        first = "next" not in cursor
        seen: set[str] = set()
        while address not in seen:
            seen.add(address)
            fetched, data = self._ask(fetcher, address, conditional_headers(validators) if first else {})
            if fetched.status == 304:
                yield Page(cursor=cursor)
                return
            if first:
                validators, first = fetched.validators, False
            found = self._rows(data)
            _check_columns(columns, found)
            rows = [[cell(looked_up(row, name)) for name in columns] for row in found]
            address = self._next(data, address)
            for start in range(0, len(rows) - PAGE_ROWS, PAGE_ROWS):
                yield Page(rows=rows[start : start + PAGE_ROWS])
            rest = rows[(len(rows) - 1) // PAGE_ROWS * PAGE_ROWS :] if rows else []
            yield Page(
                rows=rest,
                cursor={"next": address, "validators": validators} if address else {"validators": validators},
            )
            if not address:
                return
        raise SourceError(
            _("The next page is one that has been read already: the pages go round in a circle."),
            _("Correct the path to the next page's address."),
        )

    def _next(self, data: Any, address: str) -> str:
        if not self.parameters.next_path:
            return ""
        target = cell(looked_up(data, self.parameters.next_path))
        if not target:
            return ""
        following = urljoin(address, target)
        if urlsplit(following).netloc != urlsplit(self.parameters.url).netloc:
            raise SourceError(
                _("The next page lies on another server (%(hostname)s); the feed's key is not sent there.")
                % {"hostname": urlsplit(following).hostname},
                _("Enter that server's address, or leave the path to the next page empty."),
            )
        return _without_secret(following, self.parameters)

    def _ask(self, fetcher: Fetcher, address: str, conditional: Mapping[str, str]) -> tuple[Fetched, Any]:
        found: list[Any] = [None]

        def check(fetched: Fetched) -> None:
            found[0] = parsed_json(fetched, address)

        headers = {**request_headers(self.parameters, "application/json"), **conditional}
        return fetcher.get(
            address, query=request_query(self.parameters), headers=headers, check=check
        ), found[0]

    def _rows(self, data: Any) -> list[Any]:
        path = self.parameters.rows_path
        rows = looked_up(data, path) if path else data
        if isinstance(rows, dict) and isinstance(rows.get("features"), list):
            rows = rows["features"]
        if isinstance(rows, dict) and not path:
            inside = [name for name, value in rows.items() if isinstance(value, list)]
            raise SourceError(
                _("The answer is no list of rows. Lists in it: %(lists)s.")
                % {"lists": ", ".join(map(str, inside[:8])) or _("none")},
                _("Enter the path to the rows on the feed's page."),
            )
        if not isinstance(rows, list):
            raise SourceError(
                _("There are no rows at %(path)s in the answer.") % {"path": repr(path)},
                _("Correct the path to the rows."),
            )
        return rows

    def sample(self, rows: int, fetcher: Fetcher) -> tuple[tuple[str, ...], list[list[str]]]:
        _answer, data = self._ask(fetcher, self.parameters.url, {})
        found = self._rows(data)[:rows]
        header = flat_names(found)
        if not header:
            raise SourceError(_("The answer holds no rows."), _("Try again when the source has some."))
        return sample_table(header, [[cell(looked_up(row, name)) for name in header] for row in found])


def _without_secret(address: str, parameters: UrlParameters) -> str:
    """The next page's address without our key: servers repeat it there, and the cursor is stored in the clear."""
    name = parameters.query_secret.partition("=")[0]
    if not name:
        return address
    parts = urlsplit(address)
    query = "&".join(p for p in parts.query.split("&") if p.partition("=")[0] != name)
    return parts._replace(query=query).geturl()


def _check_columns(columns: Sequence[str], rows: Sequence[Any]) -> None:
    """Raise ``SourceError`` for a column that no row has: the source was changed. Empty values are no such change."""
    if not rows:
        return
    there = set(flat_names(rows))
    for name in columns:
        if name not in there and not any(looked_up(row, name) is not None for row in rows):
            raise SourceError(
                _("No row has the column %(name)s any more. Columns there: %(there)s.")
                % {"name": repr(name), "there": ", ".join(sorted(there)[:30])},
                _("Mend the feed's mapping (Feeds → Fetch a sample)."),
                column=name,
            )


@register
class CsvUrl(_Url):
    """A CSV or TSV file behind an address, plain or gzipped, read as it arrives: only mapped columns are kept.

    The cursor holds the validators of the last file. A file that is cut off is asked for again from its beginning.
    """

    kind: ClassVar[str] = "csv_url"
    label: ClassVar[str] = gettext_lazy("CSV from an address")
    help: ClassVar[str] = gettext_lazy("A CSV or TSV file behind an address, plain or gzipped.")
    Parameters: ClassVar[type] = UrlParameters

    def __init__(self, parameters: UrlParameters | None = None) -> None:
        self.parameters = parameters or UrlParameters()
        checked_address(self.parameters)

    def pages(
        self, mapping: FeedMapping, cursor: Mapping[str, Any], fetcher: Fetcher, now: datetime
    ) -> Generator[Page, None, None]:
        for attempt in range(RESTARTS):
            try:
                yield from self._once(mapping, cursor, fetcher)
            except TryAgain as exc:
                if attempt + 1 == RESTARTS:
                    raise SourceError(
                        _("The file was cut off %(restarts)s times (%(exc)s); nothing of it was kept.")
                        % {"restarts": RESTARTS, "exc": exc},
                        _("Nothing: it is fetched again at the feed's next turn."),
                    ) from None
                yield Page(restart=True)
            else:
                return

    def _once(
        self, mapping: FeedMapping, cursor: Mapping[str, Any], fetcher: Fetcher
    ) -> Generator[Page, None, None]:
        headers = request_headers(self.parameters, "text/csv, */*;q=0.5")
        headers |= conditional_headers(cursor.get("validators") or {})
        query = request_query(self.parameters)
        with fetcher.stream(self.parameters.url, query=query, headers=headers) as (fetched, blocks):
            if fetched.status == 304:
                yield Page(cursor=cursor)
                return
            header, rows = _table(blocks, mapping)
            indices = list(column_indices(header, mapping).values())
            width = len(header)
            while batch := list(islice(rows, PAGE_ROWS)):
                good = [[row[i] for i in indices] for row in batch if len(row) == width]
                yield Page(
                    rows=good, ragged=[len(row) - width for row in batch if len(row) not in (0, width)]
                )
            yield Page(cursor={"validators": fetched.validators})

    def sample(self, rows: int, fetcher: Fetcher) -> tuple[tuple[str, ...], list[list[str]]]:
        query, headers = (
            request_query(self.parameters),
            request_headers(self.parameters, "text/csv, */*;q=0.5"),
        )
        try:
            with fetcher.stream(self.parameters.url, query=query, headers=headers) as (_answer, blocks):
                header, found = _table(blocks, None)
                check_header(header)
                first = [row for row in islice(found, rows) if len(row) == len(header)]
        except TryAgain as exc:
            raise SourceError(_("The file was cut off (%(exc)s).") % {"exc": exc}, _("Try again.")) from None
        return sample_table(header, first)


def _table(
    blocks: Iterator[bytes], mapping: FeedMapping | None
) -> tuple[tuple[str, ...], Iterator[list[str]]]:
    """Header and rows of a CSV as it arrives. Raises ``SourceError`` for anything that is no such table."""
    stream = io.BufferedReader(_Stream(_unpacked(blocks)), HEAD_BYTES)
    head = stream.peek(HEAD_BYTES)
    if not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00"):
        raise SourceError(_("The file is empty."), _("Check the address in a browser."))
    check_is_text(head)
    if len(head) >= HEAD_BYTES and b"\n" not in head and b"\r" not in head:
        raise first_line_too_long(HEAD_BYTES)
    encoding = (mapping.encoding if mapping else "") or encoding_of_head(head)
    errors = decode_errors(encoding)
    text = head.decode(encoding.replace("-sig", ""), "replace").lstrip("\ufeff")
    lines = [line for line in text.splitlines()[:30] if line.strip()][:-1] or text.splitlines()
    delimiter = sniff_delimiter(lines, mapping.delimiter if mapping else "")
    reader = csv.reader(
        io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline=""), delimiter=delimiter
    )
    rows = _read(reader)
    header = next(rows, None)
    if header is None:
        raise SourceError(_("The file has no header."), _("Check the address in a browser."))
    tidy = tidy_header(header)
    check_width(tidy)
    return tidy, rows


def _read(reader: Any) -> Iterator[list[str]]:
    try:
        for row in reader:
            if row:
                yield row
    except csv.Error as exc:
        raise SourceError(
            _("Line %(line_num)s cannot be split into columns (%(exc)s).")
            % {"line_num": reader.line_num, "exc": exc},
            _("Have the file mended at its source."),
        ) from None
    except UnicodeDecodeError as exc:
        raise SourceError(
            _("The file is not written in %(encoding)s throughout.") % {"encoding": exc.encoding},
            _("Set the encoding in the feed's mapping."),
        ) from None


def _unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks, gunzipped where they are a gzip file (not merely sent as one: that is undone already)."""
    first = next(blocks, b"")
    if not first.startswith(b"\x1f\x8b"):
        yield first
        yield from blocks
        return
    unpacked = gzip.GzipFile(fileobj=io.BufferedReader(_Stream(chain([first], blocks))))
    try:
        # A bounded piece at a time: a bomb of a few kilobytes unpacks to gigabytes.
        while block := unpacked.read(HEAD_BYTES):
            yield block
    except EOFError:
        raise TryAgain(_("the gzip file is cut off")) from None
    except (zlib.error, gzip.BadGzipFile) as exc:
        raise TryAgain(_("the gzip file is damaged: %(why)s") % {"why": exc}) from None


class _Stream(io.RawIOBase):
    """Blocks as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = blocks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = block
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
