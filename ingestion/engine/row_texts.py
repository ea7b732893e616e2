"""The mapped columns of a chunk as clean text, the key of each row, and the first fault of each."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.engine.mapping import FIELDS, FeedMapping
from ingestion.engine.rejections import Rejection
from ingestion.engine.rows import RowChunk, distinct_texts, stripped_texts

Ints = npt.NDArray[np.int64]

MAX_EXTERNAL_ID_CHARACTERS = 120
_MAX_TABLE = 100_000


class Verdicts:
    """The first fault of each row; later ones are not looked at, so that each row has one code."""

    def __init__(self, n: int) -> None:
        self.fault = np.zeros(n, dtype=np.int64)
        self.rejections: list[Rejection | None] = [None]
        self._fields: dict[int, str] = {}

    def mark(self, rows: Ints, code: str, field_name: str) -> None:
        """These rows have this fault, unless they already have one."""
        if rows.size:
            self.mark_as(rows, Rejection(code, field_name))

    def mark_where(self, mask: npt.NDArray[np.bool_], code: str, field_name: str) -> None:
        """The same for the rows where the mask is true."""
        if mask.any():
            self.mark_as(np.flatnonzero(mask), Rejection(code, field_name))

    def mark_as(self, rows: Ints, rejection: Rejection) -> None:
        """These rows have this fault, told in these words, unless they already have one."""
        fresh = rows[self.fault[rows] == 0]
        if fresh.size:
            self.rejections.append(rejection)
            self.fault[fresh] = len(self.rejections) - 1

    def of(self, row: int) -> Rejection | None:
        return self.rejections[int(self.fault[row])]


CODE_FIELDS = ("code", "nibrs_code", "ucr_code", "description")
"""What decides whether a row is wanted at all. Few different texts in many rows."""


@dataclass(frozen=True)
class CodeColumns:
    """The fields that decide by code, as indices into their different texts (stripped and cleaned)."""

    index: Ints
    """For each row the combination of its texts."""
    keys: list[tuple[str, str, str, str]]
    """The different combinations, in the order of ``CODE_FIELDS``; empty where a field is not mapped."""


def code_columns(chunk: RowChunk, mapping: FeedMapping) -> CodeColumns:
    """The combinations of codes and words in the chunk: what they mean is asked once for each."""
    n = len(chunk)
    index = np.zeros(n, dtype=np.int64)
    keys: list[tuple[str, ...]] = [()]
    for name in CODE_FIELDS:
        if name in mapping.columns:
            own, texts = distinct_texts(chunk.columns[mapping.columns[name]])
        else:
            own, texts = np.zeros(n, dtype=np.int64), [mapping.constants.get(name, "")]
        texts = [storable(text) for text in texts]
        # Only combinations that occur: all of four columns would be too many.
        used, index = _dense(index * len(texts) + own, len(keys) * len(texts))
        keys = [(*keys[pair // len(texts)], texts[pair % len(texts)]) for pair in used.tolist()]
    return CodeColumns(index, [(a, b, c, d) for a, b, c, d in keys] if n else [])


def _dense(numbers: Ints, end: int) -> tuple[Ints, Ints]:
    """The numbers (0 to ``end``, excluded) that occur, ascending; and for each number its place among them."""
    if end > _MAX_TABLE:
        used, index = np.unique(numbers, return_inverse=True)
        return used, index
    # Many times as fast as sorting.
    occurs = np.bincount(numbers, minlength=end) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[numbers]


def storable(text: str) -> str:
    """The text as it is screened and shown: stripped, without NUL bytes, undecodable bytes written out.

    >>> storable(" B\\x00 "), storable(chr(0xDCE9)) == r"\\udce9"
    ('B', True)
    """
    text = text.strip().replace("\x00", "").strip()
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def field_texts(chunk: RowChunk, mapping: FeedMapping, rows: Ints) -> dict[str, list[str]]:
    """Each mapped or constant field as stripped text, one for each of these rows of the chunk."""
    texts = {name: stripped_texts(chunk.columns[column], rows) for name, column in mapping.columns.items()}
    for name, value in mapping.constants.items():
        texts[name] = [value.strip()] * len(rows)
    return texts


def clean_texts(texts: dict[str, list[str]], verdicts: Verdicts) -> None:
    """Mark NUL bytes, undecodable bytes and over-long values; what is left of the text can be screened and shown."""
    for name, column in texts.items():
        whole = "".join(column)
        if "\x00" in whole:
            rows = [i for i, text in enumerate(column) if "\x00" in text]
            verdicts.mark(np.array(rows, dtype=np.int64), "nul_byte", name)
            texts[name] = column = [text.replace("\x00", "").strip() for text in column]
        if not whole.isascii():
            rows = [i for i, text in enumerate(column) if not text.isascii() and _has_undecodable(text)]
            verdicts.mark(np.array(rows, dtype=np.int64), "bad_encoding", name)
            for i in rows:
                column[i] = storable(column[i])
        limit = FIELDS[name].max_characters
        if len(whole) > limit and max(map(len, column)) > limit:
            rows = [i for i, text in enumerate(column) if len(text) > limit]
            verdicts.mark(np.array(rows, dtype=np.int64), "field_too_long", name)


def _has_undecodable(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def external_ids(texts: Mapping[str, list[str]], mapping: FeedMapping, verdicts: Verdicts) -> list[str]:
    """The key of each row inside its feed: source and identifier, empty where the row has none."""
    ids = texts["external_id"]
    verdicts.mark(
        np.array([i for i, text in enumerate(ids) if not text], dtype=np.int64), "missing_id", "external_id"
    )
    if "datasource" in texts:
        # The slash parts source from id; one inside a source is written differently, or "a/b"+"c" would be "a"+"b/c".
        sources = [source.replace("%", "%25").replace("/", "%2F") for source in texts["datasource"]]
        ids = [f"{source}/{text}" if text else "" for source, text in zip(sources, ids, strict=True)]
    if mapping.id_prefix:
        ids = [f"{mapping.id_prefix}{text}" if text else "" for text in ids]
    long = [i for i, text in enumerate(ids) if len(text) > MAX_EXTERNAL_ID_CHARACTERS]
    verdicts.mark(np.array(long, dtype=np.int64), "field_too_long", "external_id")
    return ids
