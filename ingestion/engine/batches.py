"""Bodies that machines send, JSON or CSV, as rows of text: mapped columns only, from the first moment on."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from ingestion.engine.header_limits import MOST_COLUMNS, MOST_LETTERS, is_too_wide
from ingestion.engine.rejections import Rejection
from ingestion.engine.rows import RowChunk, RowRejection

MAX_ROWS = 10_000
_SHOWN_COLUMNS = 12


class BatchError(ValueError):
    """A body that cannot be taken at all; nothing of it is stored. ``code`` is for machines, the message for people."""

    def __init__(self, code: str, message: str, next_step: str) -> None:
        super().__init__(f"{message} Next step: {next_step}")
        self.code = code


def _too_many(n: int | None = None) -> BatchError:
    what = f"The batch has {n:,} rows" if n else "The batch has too many rows"
    return BatchError(
        "too_many_rows",
        f"{what}; at most {MAX_ROWS:,} are taken at once, and nothing was stored.",
        f"split it into batches of {MAX_ROWS:,}.",
    )


def _refuse_constant(text: str) -> NoReturn:
    raise BatchError("bad_json", f"{text} is not JSON.", "send null where there is no value.")


def _as_text(value: Any) -> str | None:
    """A JSON value as the text that a file would hold; None for a list or an object."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return None


def batch_from_json(body: bytes, columns: Sequence[str]) -> RowChunk:
    """Read a list of objects, or an object with the list as ``rows``. Raises ``BatchError`` for anything else.

    Rows are numbered from 1. Keys that are not among ``columns`` are dropped here; a missing key is empty. A row that
    is no object, or holds a list or an object under a mapped key, is set aside as ``wrong_value_type``.
    """
    try:
        data = json.loads(body, parse_constant=_refuse_constant)
    except BatchError:
        raise
    except (ValueError, RecursionError) as exc:
        # The parser's message quotes nothing of the body, but for a bad byte it would: say where, not what.
        where = f" at line {exc.lineno}, column {exc.colno}" if isinstance(exc, json.JSONDecodeError) else ""
        raise BatchError(
            "bad_json", f"The body is not JSON{where}.", "send a JSON list of objects in UTF-8."
        ) from None
    if isinstance(data, Mapping):
        data = data.get("rows")
    if not isinstance(data, list):
        raise BatchError(
            "not_a_list",
            "The body holds no list of rows.",
            'send [{…}, {…}] or {"rows": [{…}, {…}]}.',
        )
    if len(data) > MAX_ROWS:
        raise _too_many(len(data))
    return _chunk_of_objects(data, columns)


def _chunk_of_objects(data: list[Any], columns: Sequence[str]) -> RowChunk:
    bad: dict[int, RowRejection] = {}
    texts: dict[str, list[str]] = {}
    objects = [row if isinstance(row, dict) else None for row in data]
    for number, row in enumerate(objects, 1):
        if row is None:
            bad[number] = RowRejection(number, Rejection("wrong_value_type"))
    for name in columns:
        column = texts[name] = []
        for number, row in enumerate(objects, 1):
            value = row.get(name) if row is not None else None
            kind = type(value)
            # Two of three values of a batch of positions are numbers: asking each for all its kinds took a tenth of it.
            text = value if kind is str else repr(value) if kind is float else _as_text(value)
            if text is None:
                bad.setdefault(number, RowRejection(number, Rejection("wrong_value_type", name)))
            column.append(text or "")
    numbers = [number for number in range(1, len(data) + 1) if number not in bad] if bad else None
    if numbers is not None:
        texts = {name: [column[number - 1] for number in numbers] for name, column in texts.items()}
    return RowChunk(
        row_numbers=np.array(numbers, dtype=np.int64)
        if numbers is not None
        else np.arange(1, len(data) + 1, dtype=np.int64),
        columns=texts,
        rejections=tuple(bad[number] for number in sorted(bad)),
    )


def batch_from_csv(body: bytes, columns: Sequence[str], required: Iterable[str]) -> RowChunk:
    """Read a CSV body in UTF-8 with a header. Raises ``BatchError`` for one that is no table or lacks a required column.

    Rows are numbered from 1, the header not counted; blank lines are no rows. A row with more or fewer cells than the
    header is set aside.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BatchError("bad_encoding", "The body is not UTF-8.", "send UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, required)
        rows = []
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > MAX_ROWS:
                raise _too_many()
    except csv.Error as exc:
        raise BatchError(
            "bad_csv", f"The body cannot be read as CSV: {exc}.", "check the quotes of that row."
        ) from None
    at = {name: header.index(name) for name in columns if name in header}
    good = [number for number, row in enumerate(rows, 1) if len(row) == len(header)]
    bad = [number for number, row in enumerate(rows, 1) if len(row) != len(header)]
    return RowChunk(
        row_numbers=np.array(good, dtype=np.int64),
        columns={
            name: [rows[number - 1][at[name]] if name in at else "" for number in good] for name in columns
        },
        rejections=tuple(RowRejection(number, Rejection("wrong_column_count")) for number in bad),
    )


def _check_header(header: list[str], required: Iterable[str]) -> None:
    if is_too_wide(header):
        raise BatchError(
            "bad_header",
            f"The header has {len(header):,} columns with {sum(map(len, header)):,} letters in their names; at most "
            f"{MOST_COLUMNS:,} and {MOST_LETTERS:,} are read.",
            "send the columns that are needed.",
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise BatchError(
            "bad_header", f"The header names {', '.join(twice)[:200]} twice.", "give each column one name."
        )
    missing = [name for name in required if name not in header]
    if missing:
        there = ", ".join(name[:40] for name in header[:_SHOWN_COLUMNS]) or "nothing"
        raise BatchError(
            "bad_header",
            f"The header lacks {', '.join(missing)}. It names: {there}.",
            "send these columns, or map the feed's columns in the admin.",
        )
