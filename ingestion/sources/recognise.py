"""Tell by a file's content, not by its name, which kind of feed reads it."""

import zipfile
from pathlib import Path

from django.utils.translation import gettext as _

from agencies.engine.untrusted_archives import DAMAGED_ZIP
from ingestion.sources.base import SourceError, source_class
from ingestion.sources.containers import MEGABYTE, Limits, opened, what_is

_HEAD_BYTES = 4096
_HEAD_LIMITS = Limits(64 * MEGABYTE, 1_000_000)
EXCEL, JSON, PARQUET, XML, CSV = "excel_file", "json_lines_file", "parquet_file", "ndex_xml_file", "csv_file"


def recognised_kind(path: Path) -> str | None:
    """The kind of feed that this content belongs to, or None where it may be CSV, or nothing that is read at all."""
    try:
        with path.open("rb") as raw:
            head = raw.read(_HEAD_BYTES)
        if head.startswith(b"PAR1"):
            return PARQUET
        if head.startswith(b"PK\x03\x04") and _is_workbook(path):
            return EXCEL
        with opened(path, _HEAD_LIMITS) as (stream, _):
            return _kind_of_text(stream.read(_HEAD_BYTES))
    except (SourceError, OSError):
        # Damaged or a stranger: the feed's own reader says so, and better.
        return None


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except DAMAGED_ZIP:
        return False


def _kind_of_text(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", "ignore").encode()
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\x1e")[:200].lower()
    if text.startswith((b"{", b"[")):
        return JSON
    if text.startswith(b"<") and not text.startswith(
        (b"<!doctype html", b"<html", b"<head", b"<body", b"<svg")
    ):
        return XML
    return None


def check_kind(path: Path, kind: str) -> None:
    """Raise ``SourceError`` with the next step if the content belongs to another kind of feed than this one."""
    if not path.is_file():
        raise SourceError(_("There is no file %(name)s.") % {"name": path.name}, _("Check the path."))
    if path.stat().st_size == 0:
        raise SourceError(_("The file is empty."), _("Check that the export ran, and upload it again."))
    found = recognised_kind(path)
    if found == kind or (found is None and kind == CSV):
        return
    mine = source_class(kind).label
    if found is not None:
        theirs = source_class(found).label
        raise SourceError(
            _("The file is of the kind “%(theirs)s”, not “%(mine)s” as this feed reads.")
            % {"theirs": theirs, "mine": mine},
            _(
                "Upload it to a feed of the kind “%(theirs)s” (Admin → Feeds; a feed that has no mapping yet takes the file's kind by itself), or export it as %(mine)s."
            )
            % {"theirs": theirs, "mine": mine},
        )
    what = _what(path) or _("something else, perhaps CSV")
    raise SourceError(
        _("The file is not of the kind “%(mine)s” that this feed reads: it is %(what)s.")
        % {"mine": mine, "what": what},
        _("Upload a file of the kind “%(mine)s”, or change the feed's kind (Admin → Feeds).")
        % {"mine": mine},
    )


def _what(path: Path) -> str:
    with path.open("rb") as raw:
        found = what_is(raw.read(_HEAD_BYTES))
    return found[0] if found else ""
