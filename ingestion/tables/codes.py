"""Which local codes a table holds and how often: what the mapping wizard asks a person about."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.rows import RowChunk, distinct_texts
from ingestion.sources.base import SourceError

MOST_CODES = 5_000
"""More different codes than this are no codes: a page that asks about each would not come to its end."""
FIELDS = ("code", "nibrs_code", "ucr_code", "description")
"""All that is read of a row to count its codes."""
MOST_LETTERS = 200
"""Of a code and of what stands beside it; longer codes are kept aside at the import, with their reason."""


@dataclass(frozen=True)
class CountedCode:
    """A code, in how many rows it stands, and what stands beside it most often."""

    code: str
    rows: int
    nibrs: str
    ucr: str
    description: str


def count_codes(chunks: Iterable[RowChunk], mapping: FeedMapping) -> list[CountedCode]:
    """Count the codes of these rows, in the order in which they come. A row with several codes counts for each; an empty one for none.

    Raises ``SourceError`` for more different ones than ``MOST_CODES``.
    """
    counted: dict[str, Counter[tuple[str, ...]]] = {}
    for chunk in chunks:
        blank = [""] * len(chunk)
        columns = [chunk.columns.get(mapping.columns.get(name, ""), blank) for name in FIELDS]
        for (code, *beside), number in _rows_alike(columns):
            parts = code.split(mapping.code_separator) if mapping.code_separator else [code]
            for part in {part.strip()[:MOST_LETTERS] for part in parts}:
                key = tuple(text.strip()[:MOST_LETTERS] for text in beside)
                counted.setdefault(part, Counter())[key] += number
        if len(counted) > MOST_CODES:
            raise SourceError(
                _("The column %(column)s holds more than %(most)s different codes.")
                % {"column": repr(mapping.columns.get("code", "")), "most": f"{MOST_CODES:,}"},
                _(
                    "Choose the column with the offence or nature code: numbers of records and free text are none."
                ),
            )
    return [
        CountedCode(code, variants.total(), *variants.most_common(1)[0][0])
        for code, variants in counted.items()
        if code
    ]


def _rows_alike(columns: Sequence[Sequence[str]]) -> Iterator[tuple[list[str], int]]:
    """The different rows of these columns, in the order in which they come, and how often each comes."""
    alike = np.zeros(len(columns[0]), dtype=np.int64)
    texts_of = []
    for column in columns:
        index, texts = distinct_texts(column)
        # Numbered anew each time: the product of all columns' texts may be more than a number holds.
        alike = np.unique(alike * len(texts) + index, return_inverse=True)[1]
        texts_of.append((index, texts))
    _each, first, number = np.unique(alike, return_index=True, return_counts=True)
    for place in np.argsort(first).tolist():
        yield [texts[index[first[place]]] for index, texts in texts_of], int(number[place])
