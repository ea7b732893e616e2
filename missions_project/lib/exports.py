"""Files that leave the product: streamed, and safe to open in a spreadsheet."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_FORMULA_IN_LINE = re.compile(r"([,;\t]\s*)(?=[=+\-@])")


def plain_cell(value: Any) -> Any:
    """The value as a spreadsheet may see it: text that it would run as a formula gets a leading apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


class _Echo:
    def write(self, value: str) -> str:
        return value


def csv_lines(about: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield a CSV file line by line: first what the file is, as comments, then the header, then the rows."""
    writer = csv.writer(_Echo())
    for line in about:
        # A line break would begin a row of its own, a comma a cell: an agency called "A,=cmd" must stay a comment.
        yield "# " + _FORMULA_IN_LINE.sub(r"\1'", " ".join(line.splitlines())) + "\r\n"
    # Names of columns may come from a file that somebody sent.
    yield writer.writerow([plain_cell(name) for name in columns])
    for row in rows:
        yield writer.writerow([plain_cell(value) for value in row])


def csv_response(
    name: str, *, about: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> StreamingHttpResponse:
    """Stream a CSV download with flat memory."""
    return StreamingHttpResponse(
        csv_lines(about, columns, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
