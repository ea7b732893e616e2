"""Files that a HunchLab client uploads: cut down to their mapped columns on the way into the spool, then imported."""

import csv
import io
import uuid
from collections.abc import Iterable, Iterator
from typing import IO, Any

from django.utils.translation import gettext as _

from agencies.models import User
from ingestion.engine.mapping import WGS84_EPSG, FeedMapping, MappingError, as_record_kind
from ingestion.engine.profiles import HUNCHLAB_EVENTS
from ingestion.models import Feed, ImportRun
from ingestion.services.imports import feed_mapping
from ingestion.services.spool import spool_store
from ingestion.sources.text import tidy_header
from missions_project.lib.errors import MissionsError

MAX_FIELD_CHARACTERS = 1_000_000
_BLOCK_ROWS = 2_000


def upload_queue(
    *, feed: Feed, file: IO[bytes], file_name: str, srid: str = "", requested_by: User | None = None
) -> ImportRun:
    """Keep a HunchLab event CSV in the spool, its mapped columns only, and queue its import. Returns the queued run.

    Places are in ``srid`` (an EPSG code; empty: WGS84). Read by the feed's own mapping where the file has its columns,
    by the ready-made one otherwise. Raises ``MissionsError`` for a file or srid that cannot be used; nothing is kept.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        reader = csv.reader(text)
        header = tidy_header(next((row for row in reader if row), []))
        mapping = _mapping(feed, header, srid)
        spool_name = spool_store(chunks=_projected(reader, header, mapping))
    except csv.Error as exc:
        raise MissionsError(
            _("The file cannot be read as CSV: %(exc)s. Nothing was kept.") % {"exc": exc},
            next_step=_("export it again as CSV in UTF-8."),
        ) from exc
    finally:
        # Closing the wrapper would close the upload, which is the request's.
        text.detach()
    run = ImportRun(
        agency=feed.agency,
        feed=feed,
        file_name=file_name[-200:],
        spool_name=spool_name,
        requested_by=requested_by,
        job_id=uuid.uuid4(),
        config_snapshot={"mapping": mapping.to_json(), "kind": "csv_file", "params": {}},
    )
    run.full_clean(exclude=["requested_by"])
    run.save()
    return run


def _mapping(feed: Feed, header: tuple[str, ...], srid: str) -> FeedMapping:
    mapping = HUNCHLAB_EVENTS.mapping_for(header).replaced(record_kind=as_record_kind(feed.record_kind))
    if feed.mapping:
        own = feed_mapping(feed.mapping)
        mapping = own if set(own.column_names) <= set(header) and own.is_projected else mapping
    try:
        epsg = int(srid.strip() or WGS84_EPSG)
    except ValueError:
        raise MissionsError(
            _("srid %(srid)s is no number.") % {"srid": f"{srid[:20]!r}"},
            next_step=_("send an EPSG code such as 4326."),
        ) from None
    mapping = mapping.replaced(crs=epsg, delimiter=",")
    try:
        mapping.validate(header)
    except MappingError as exc:
        raise MissionsError(
            _("The upload cannot be read: %(exc)s") % {"exc": exc},
            next_step=_(
                "send the columns datasource, id, class, datetimefrom, pointx, pointy and a known srid."
            ),
        ) from exc
    return mapping


def _projected(reader: Any, header: tuple[str, ...], mapping: FeedMapping) -> Iterator[bytes]:
    """The file again with its mapped columns only. A row of another length stays one, and keeps its number."""
    at = [header.index(name) for name in mapping.column_names]

    def rows() -> Iterator[list[str]]:
        yield list(mapping.column_names)
        for row in reader:
            if not row:
                yield []
            elif len(row) == len(header):
                yield [row[index] for index in at]
            else:
                # Which cell is which, nobody knows: nothing of the row goes into the spool.
                yield [""] * (len(at) + 1)

    yield from _blocks(rows())


def _blocks(rows: Iterable[list[str]]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    for number, row in enumerate(rows, 1):
        writer.writerow(row)
        if number % _BLOCK_ROWS == 0:
            yield buffer.getvalue().encode("utf-8", "surrogateescape")
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode("utf-8", "surrogateescape")
