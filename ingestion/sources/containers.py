"""Open a file as it came (plain, gz, bz2, xz or zip), and say what it is if it is something else."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.utils.translation import gettext as _

from agencies.engine.untrusted_archives import DAMAGED_ZIP, files_of, unbounded_members
from ingestion.sources.base import SourceError
from missions_project.lib.lazy import gettext_lazy

MEGABYTE = 1024 * 1024
# Below this size no ratio is alarming: a small, very regular file may well shrink two hundred times.
RATIO_FREE_BYTES = 64 * MEGABYTE
BLOCK_BYTES = 256 * 1024

_SAVE_AS_CSV = gettext_lazy("Open it in the program that made it, save it as CSV (UTF-8) and upload that.")
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        gettext_lazy("an old Excel workbook (.xls), or one with a password"),
        gettext_lazy(
            "Open it in Excel, save it as .xlsx without a password (for a feed of the kind “Excel workbook”) or as CSV, and "
            "upload that."
        ),
    ),
    (b"%PDF", gettext_lazy("a PDF document"), gettext_lazy("Ask the source for the data behind it as CSV.")),
    (b"PAR1", gettext_lazy("a Parquet file"), gettext_lazy("Export it as CSV and upload that.")),
    (
        b"SQLite format 3\x00",
        gettext_lazy("a SQLite database"),
        gettext_lazy("Export the table as CSV and upload that."),
    ),
    (
        b"Rar!\x1a\x07",
        gettext_lazy("a RAR archive"),
        gettext_lazy("Unpack it and upload the CSV in it, plain or as .gz or .zip."),
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        gettext_lazy("a 7-Zip archive"),
        gettext_lazy("Unpack it and upload the CSV in it, plain or as .gz or .zip."),
    ),
    (
        b"\x28\xb5\x2f\xfd",
        gettext_lazy("a Zstandard file"),
        gettext_lazy("Unpack it (unzstd) and upload the CSV, plain or as .gz."),
    ),
    (b"\x89PNG", gettext_lazy("a picture"), gettext_lazy("Upload the CSV file instead.")),
    (b"\xff\xd8\xff", gettext_lazy("a picture"), gettext_lazy("Upload the CSV file instead.")),
    (
        b"\x00\x00\x27\x0a",
        gettext_lazy("a Shapefile"),
        gettext_lazy("This door takes tables. Layers are uploaded under context layers."),
    ),
    (b"{\\rtf", gettext_lazy("a text-processor document"), _SAVE_AS_CSV),
)
_DAMAGED = (*DAMAGED_ZIP, lzma.LZMAError)


@dataclass(frozen=True)
class Limits:
    """How large a file may become when it is unpacked."""

    max_bytes: int
    max_ratio: int


class _Guarded(io.RawIOBase):
    """A decompressed stream that stops a bomb before it fills the machine, and counts what it gave."""

    def __init__(self, stream: IO[bytes], compressed_bytes: int, limits: Limits) -> None:
        super().__init__()
        self._stream = stream
        self._compressed_bytes = max(compressed_bytes, 1)
        self._limits = limits
        self.given_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except _DAMAGED as error:
            raise SourceError(
                _("The file is damaged or cut off after %(given_bytes)s readable bytes (%(error)s).")
                % {"given_bytes": f"{self.given_bytes:,}", "error": error},
                _("Send or export it again; nothing of it was imported."),
            ) from error
        buffer[: len(data)] = data
        self.given_bytes += len(data)
        self._check()
        return len(data)

    def _check(self) -> None:
        given, limits = self.given_bytes, self._limits
        if given > limits.max_bytes:
            raise SourceError(
                _("The file is larger than %(max_bytes)s MB when unpacked.")
                % {"max_bytes": f"{limits.max_bytes // MEGABYTE:,}"},
                _(
                    "Split it (by year, for example), or raise the feed's largest size if the machine can bear it."
                ),
            )
        if given > RATIO_FREE_BYTES and given > self._compressed_bytes * limits.max_ratio:
            raise SourceError(
                _(
                    "The file unpacks to more than %(max_ratio)s times its size, as archives made to fill a disk do."
                )
                % {"max_ratio": limits.max_ratio},
                _("If it is genuine, unpack it yourself and upload the CSV."),
            )


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[tuple[IO[bytes], _Guarded]]:
    """The decompressed bytes of a file, by its content and not by its name; and the guard that counts them."""
    size = path.stat().st_size
    with path.open("rb") as raw:
        head = raw.read(8)
        raw.seek(0)
        stream: Any
        if head.startswith(b"\x1f\x8b"):
            stream = gzip.GzipFile(fileobj=raw)
        elif head.startswith(b"BZh"):
            stream = bz2.BZ2File(raw)
        elif head.startswith(b"\xfd7zXZ\x00"):
            stream = lzma.LZMAFile(raw)  # noqa: SIM115  # closed with the raw file that it reads
        elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            stream = _zip_member(raw)
        else:
            stream = raw
        guard = _Guarded(stream, size, limits if stream is not raw else Limits(limits.max_bytes, 2**62))
        with io.BufferedReader(guard, BLOCK_BYTES) as buffered:
            yield buffered, guard


def _zip_member(raw: IO[bytes]) -> IO[bytes]:
    try:
        archive = zipfile.ZipFile(raw)
    except _DAMAGED as error:
        raise SourceError(
            _("The zip file is damaged (%(error)s).") % {"error": error}, _("Send or export it again.")
        ) from error
    if unbounded_members(archive):
        raise SourceError(
            _("The zip file is packed by a method that is not read (not Deflate)."),
            _("Zip it again with the usual method, or send the CSV as .gz."),
        )
    files = files_of(archive)
    names = [info.filename for info in files]
    if any(name.startswith("xl/") for name in names):
        raise SourceError(_("The file is an Excel workbook (.xlsx), not CSV."), _SAVE_AS_CSV)
    if any(name in ("mimetype", "[Content_Types].xml") for name in names):
        raise SourceError(_("The file is an office document, not CSV."), _SAVE_AS_CSV)
    members = [
        info
        for info in files
        if not info.filename.startswith("__MACOSX/") and not info.filename.rsplit("/")[-1].startswith(".")
    ]
    if len(members) != 1:
        listed = ", ".join(info.filename for info in members[:5]) or "none"
        raise SourceError(
            _("The zip file holds %(count)s files (%(listed)s); exactly one can be read.")
            % {"count": len(members), "listed": listed},
            _("Upload each table as a file of its own."),
        )
    if members[0].flag_bits & 0x1:
        raise SourceError(
            _("The zip file is encrypted."),
            _("Unpack it and upload the CSV, over a connection that you trust."),
        )
    try:
        return archive.open(members[0])
    except _DAMAGED as error:
        raise SourceError(
            _("The zip file cannot be unpacked (%(error)s).") % {"error": error},
            _("Unpack it and upload the CSV."),
        ) from error


def what_is(head: bytes) -> tuple[str, str] | None:
    """What a file with these first bytes is, and what to do with it; nothing if that is not known."""
    return next(((what, step) for magic, what, step in _MAGIC if head.startswith(magic)), None)


def check_is_text(head: bytes) -> None:
    """Raise ``SourceError`` that says what the file is, if its first bytes are not those of a table in text."""
    if known := what_is(head):
        raise SourceError(_("The file is %(known)s, not CSV.") % {"known": known[0]}, known[1])
    if head[257:262] == b"ustar":
        raise SourceError(_("The file is a tar archive, not CSV."), _("Unpack it and upload the CSV in it."))
    if head.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00")):
        raise SourceError(
            _("The file is an archive within an archive."), _("Unpack it once and upload that.")
        )
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise SourceError(
            _("The file is a web page (HTML), not CSV."),
            _("The download probably met a sign-in or error page: sign in and download the data again."),
        )
    if text.startswith((b"<?xml", b"<")):
        raise SourceError(_("The file is XML, not CSV."), _("Export the records as CSV."))
    if text.startswith((b"{", b"[")):
        raise SourceError(_("The file is JSON, not CSV."), _("Export the records as CSV."))
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    sample = head[:4096]
    if sample and sample.count(0) > len(sample) * 0.2:
        raise SourceError(
            _(
                "The file looks like UTF-16 text without a byte-order mark, or like no text at all (many NUL bytes)."
            ),
            _(
                "Export it again as CSV in UTF-8, or set the encoding in the mapping (utf-16-le or utf-16-be)."
            ),
        )
    controls = sum(1 for byte in sample if byte < 32 and byte not in (0, 9, 10, 12, 13))
    if controls > max(16, len(sample) * 0.05):
        raise SourceError(_("The file is not text."), _("Upload a CSV file."))
