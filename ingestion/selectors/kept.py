"""Rows kept aside, for people who look at them or take them away."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from ingestion.engine.mapping import FeedMapping, MappingError
from ingestion.models import Feed, QuarantinedRow
from ingestion.words import rejection_words

FETCH_ROWS = 2_000


def kept_rows(feed: Feed, *, code: str = "") -> QuerySet[Any]:
    """Return the feed's waiting rows, of one code or all, in the order of import and file. Lazy."""
    rows = QuarantinedRow.objects.filter(feed=feed, resolved_at=None)
    return (rows.filter(code=code) if code else rows).order_by("run", "row_number", "pk")


def kept_columns(feed: Feed) -> list[str]:
    """Return the columns that the feed's mapping names: what a kept row can hold."""
    try:
        return list(FeedMapping.from_json(feed.mapping).column_names)
    except MappingError:
        return []


def kept_table(feed: Feed, *, code: str = "") -> tuple[list[str], Iterator[list[Any]]]:
    """Return the header and the rows of a download; one query, a few thousand rows in memory at a time."""
    columns = kept_columns(feed)
    header = ["file", "file_row", "external_id", "code", "field", "meaning", "remedy", *columns]
    rows = kept_rows(feed, code=code).select_related("run").defer("run__log", "run__config_snapshot")
    return header, (
        [
            row.run.file_name,
            row.row_number,
            row.external_id,
            row.code,
            row.field,
            rejection_words(row.code).meaning,
            rejection_words(row.code).remedy,
            *(row.values.get(name, "") for name in columns),
        ]
        for row in rows.iterator(chunk_size=FETCH_ROWS)
    )
