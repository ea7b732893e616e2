"""Which local codes a table holds and how often: what the mapping wizard asks a person about."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.rows import RowChunk
from ingestion.sources.base import SourceError

MOST_CODES = 5_000
"""More different codes than this are no codes: a page that asks about each would not come to its end."""
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
    names = ("code", "nibrs_code", "ucr_code", "description")
    for chunk in chunks:
        blank = [""] * len(chunk)
        columns = [chunk.columns.get(mapping.columns.get(name, ""), blank) for name in names]
        for (code, *beside), number in Counter(zip(*columns, strict=True)).items():
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
