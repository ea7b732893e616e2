"""JSON lines (one object a line) or an array of objects, as web services and databases export them."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TextIO

from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.rejections import Rejection
from ingestion.sources.base import SourceError, parameter, register
from ingestion.sources.containers import BLOCK_BYTES, MEGABYTE, Limits, opened
from ingestion.sources.recognise import check_kind
from ingestion.sources.records import KeyedFile, Record
from ingestion.sources.text import MAX_LINE_CHARACTERS, decode_errors, encoding_of_head
from missions_project.lib.lazy import gettext_lazy

PIECE_CHARACTERS = 64 * 1024
MAX_ITEMS = 8
"""Parts of a list that become columns of their own (coordinates have two or three)."""
_BLANK = " \t\r\n\x1e"
_BETWEEN = re.compile(r"[\s,\x1e]*")


@dataclass(frozen=True)
class JsonLinesParameters:
    """What an administrator can set for a JSON feed."""

    rows_key: str = parameter(
        "",
        label=gettext_lazy("Key that holds the rows"),
        help=gettext_lazy(
            "Only where the file is one object with the rows in a list, for example “features” in GeoJSON. Empty: the file is "
            "one object a line, or an array of objects."
        ),
    )
    max_unpacked_mb: int = parameter(
        4096,
        label=gettext_lazy("Largest size (MB, unpacked)"),
        help=gettext_lazy("A file that unpacks to more is refused before anything of it is imported."),
        minimum=1,
    )
    max_ratio: int = parameter(
        200,
        label=gettext_lazy("Largest compression ratio"),
        help=gettext_lazy("A compressed file that grows by more than this is refused as a bomb."),
        minimum=2,
    )


class _MoreMayFollow(ValueError):
    """A value ends where what was read so far ends."""


class Pairs(list[tuple[str, Any]]):
    """An object as it stands in the text: a dict would drop the first of two equal keys without a word."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


# Numbers stay the text that they are: an identifier of twenty digits or a coordinate must not be rounded.
_DECODER = json.JSONDecoder(
    object_pairs_hook=Pairs, parse_int=str, parse_float=str, parse_constant=_no_constant
)


class Flat:
    """One object as columns: nested keys joined by points, the first parts of a list by their place (``a.0``)."""

    def __init__(self, wanted: frozenset[str] | None = None) -> None:
        self._wanted = wanted
        parents = {c[:i] for c in wanted or () for i, letter in enumerate(c) if letter == "."}
        self._parents = None if wanted is None else parents
        self.values: dict[str, str] = {}
        self.repeated: set[str] = set()
        self.containers: set[str] = set()

    def add(self, value: Any, path: str = "") -> None:
        """Take in a value; of other columns than the wanted ones nothing is kept."""
        if isinstance(value, Pairs):
            self._enter(path)
            if self._parents is None or not path or path in self._parents:
                for key, item in value:
                    self.add(item, f"{path}.{key}" if path else key)
        elif isinstance(value, list):
            self._enter(path)
            if self._parents is None or path in self._parents:
                for place, item in enumerate(value[:MAX_ITEMS]):
                    self.add(item, f"{path}.{place}")
        elif self._wanted is None or path in self._wanted:
            text = "" if value is None else str(value).lower() if isinstance(value, bool) else value
            if self.values.setdefault(path, text) != text:
                self.repeated.add(path)

    def _enter(self, path: str) -> None:
        if self._wanted is None or path in self._wanted:
            self.containers.add(path)


class JsonFile(KeyedFile):
    """One file of JSON objects, opened. A record's number is its line, in an array its place (the first is 1)."""

    format_name = "JSON"

    def __init__(
        self, path: Path, parameters: JsonLinesParameters, mapping: FeedMapping | None = None
    ) -> None:
        super().__init__(path)
        self._limits = Limits(parameters.max_unpacked_mb * MEGABYTE, parameters.max_ratio)
        self._rows_key = parameters.rows_key.strip()
        with opened(path, self._limits) as (stream, _guard):
            head = stream.read(BLOCK_BYTES)
        self.encoding = (mapping.encoding if mapping else "") or encoding_of_head(head)
        self.is_array = bool(self._rows_key) or self._first_character() == "["
        self._settle_header(mapping)
        if not self.header:
            raise SourceError(_("The file holds no JSON objects with keys."), _("Check that the export ran."))

    @contextmanager
    def _text(self) -> Iterator[TextIO]:
        with opened(self._path, self._limits) as (stream, _guard):
            text = io.TextIOWrapper(
                stream, encoding=self.encoding, errors=decode_errors(self.encoding), newline="\n"
            )
            try:
                yield text
            except UnicodeDecodeError as error:
                raise SourceError(
                    _("The file is not written in %(encoding)s throughout (%(reason)s).")
                    % {"encoding": self.encoding, "reason": error.reason},
                    _("Export it again as UTF-8, or correct the encoding in the mapping."),
                ) from error
            finally:
                text.detach()

    def _first_character(self) -> str:
        with self._text() as text:
            return text.read(PIECE_CHARACTERS).lstrip("\ufeff" + _BLANK)[:1]

    def _keys(self) -> Iterator[Iterable[str]]:
        for number, value in self._values():
            if isinstance(value, Pairs):
                flat = Flat()
                flat.add(value)
                yield flat.values
            elif number == 1 and not self.is_array:
                raise SourceError(
                    _("The first line is not one complete JSON object."),
                    _(
                        "Export the records as one object a line, or as an array of objects. Where the file is one object with the rows in a list, name its key in the feed's parameter “Key that holds the rows”."
                    ),
                    row=1,
                )

    def _records(self, columns: Sequence[str]) -> Iterator[Record]:
        wanted = frozenset(columns)
        for number, value in self._values():
            if not isinstance(value, Pairs):
                yield number, [], value if isinstance(value, Rejection) else Rejection("bad_json")
                continue
            flat = Flat(wanted)
            flat.add(value)
            problem = None
            for code, bad in (("repeated_field", flat.repeated), ("not_one_value", flat.containers)):
                if bad and problem is None:
                    problem = Rejection(code, next((c for c in columns if c in bad), ""))
            yield number, [flat.values.get(column, "") for column in columns], problem

    def _values(self) -> Iterator[tuple[int, Any]]:
        """Each line's or element's value with its number; a ``Rejection`` for a line that is no JSON."""
        with self._text() as text:
            yield from self._elements(text) if self.is_array else self._lines(text)

    def _lines(self, text: TextIO) -> Iterator[tuple[int, Any]]:
        number = 0
        while line := text.readline(MAX_LINE_CHARACTERS):
            number += 1
            if len(line) == MAX_LINE_CHARACTERS:
                raise SourceError(
                    _("Line %(number)s is longer than %(max_line_characters)s characters.")
                    % {"number": f"{number:,}", "max_line_characters": f"{MAX_LINE_CHARACTERS:,}"},
                    _("Export one object a line, or an array of objects."),
                    row=number,
                )
            content = line.strip("\ufeff" + _BLANK)
            if not content:
                continue
            try:
                yield number, _DECODER.decode(content)
            # Nested a thousand deep, an object would end the process, not only its line.
            except (ValueError, RecursionError) as error:
                if not line.endswith("\n"):
                    raise self._cut_off(f"line {number:,}", number) from error
                yield number, Rejection("bad_json")

    def _elements(self, text: TextIO) -> Iterator[tuple[int, Any]]:
        buffer, position = self._start_of_rows(text)
        number = 0
        is_over = False
        while True:
            position = _BETWEEN.match(buffer, position).end()  # type: ignore[union-attr]  # it matches nothing, too
            if buffer.startswith("]", position):
                break
            try:
                value, end = _DECODER.raw_decode(buffer, position)
                # A number at the end of what was read may go on in the next piece.
                if end == len(buffer) and not is_over:
                    raise _MoreMayFollow
            except (ValueError, RecursionError) as error:
                more = "" if is_over else text.read(max(PIECE_CHARACTERS, len(buffer) - position))
                is_over = not more
                if isinstance(error, _MoreMayFollow) and is_over:
                    continue
                if is_over and _ends_early(error, buffer):
                    raise self._cut_off(f"after element {number:,}", number) from error
                too_long = len(buffer) - position > MAX_LINE_CHARACTERS
                if isinstance(error, RecursionError) or too_long or is_over:
                    raise SourceError(
                        _("Element %(number)s of the array cannot be read as JSON")
                        % {"number": f"{number + 1:,}"}
                        + (f" ({error.msg})." if isinstance(error, json.JSONDecodeError) else "."),
                        _("Mend it in the file, or send the whole file again; nothing was imported."),
                        row=number + 1,
                    ) from error
                buffer, position = buffer[position:] + more, 0
                continue
            number += 1
            position = end
            yield number, value
        if not self._rows_key and (buffer[position + 1 :] + text.read(PIECE_CHARACTERS)).strip(_BLANK):
            raise SourceError(
                _("Something follows after the end of the array (%(number)s elements).")
                % {"number": f"{number:,}"},
                _("Export the records as one array, or as one object a line."),
            )

    def _start_of_rows(self, text: TextIO) -> tuple[str, int]:
        """What was read so far and where the first element begins in it."""
        buffer = text.read(PIECE_CHARACTERS)
        if not self._rows_key:
            return buffer, buffer.index("[") + 1
        opening = re.compile(re.escape(json.dumps(self._rows_key, ensure_ascii=False)) + r"\s*:\s*\[")
        while (found := opening.search(buffer)) is None:
            more = text.read(PIECE_CHARACTERS)
            if not more or len(buffer) > MAX_LINE_CHARACTERS:
                raise SourceError(
                    _("The file has no key %(rows_key)s with a list of rows.")
                    % {"rows_key": repr(self._rows_key)},
                    _("Correct the feed's parameter “Key that holds the rows”, or empty it for JSON lines."),
                )
            buffer += more
        return buffer, found.end()

    def _cut_off(self, where: str, number: int) -> SourceError:
        return SourceError(
            _("The file ends in the middle (%(where)s): it was cut off on its way.") % {"where": where},
            _("Send it again; nothing of it was imported."),
            row=number,
        )


def _ends_early(error: Exception, buffer: str) -> bool:
    """Whether the text is no JSON only because the rest of it is missing."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.pos >= len(buffer.rstrip()) - 1 or error.msg.startswith("Unterminated string")


@register
class JsonLinesFileSource:
    """Objects in JSON: one a line, or in an array; plain, gz, bz2, xz or a zip with one file."""

    kind: ClassVar[str] = "json_lines_file"
    label: ClassVar[str] = gettext_lazy("JSON lines file")
    help: ClassVar[str] = gettext_lazy(
        "One JSON object a line, or an array of objects. Compressed files are read as they are."
    )
    Parameters: ClassVar[type] = JsonLinesParameters

    def __init__(self, parameters: JsonLinesParameters | None = None) -> None:
        self.parameters = parameters or JsonLinesParameters()

    def open(self, path: Path, *, mapping: FeedMapping | None = None) -> JsonFile:
        """Open one file. Raises ``SourceError`` for another format, or one that holds no objects."""
        check_kind(Path(path), self.kind)
        return JsonFile(Path(path), self.parameters, mapping)
