"""What archives and databases from strangers may not hold, told before anything of them is unpacked or asked."""

import sqlite3
import struct
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

_BOUNDED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MAX_OBJECTS = 5_000
DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    # A name that says it is UTF-8 and is not.
    UnicodeDecodeError,
    EOFError,
    OSError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)
"""What Python's reader of zip files raises for one that is damaged, cut off or made up."""


def files_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that are no folders. Python's own ``is_dir`` fails at one that has no name."""
    return [info for info in archive.infolist() if not info.filename.endswith("/")]


def unbounded_members(archive: zipfile.ZipFile) -> list[str]:
    """Names of members that unpack without a bound on memory. Excel, GIS programs and zip itself write none.

    Python unpacks the bzip2 and LZMA methods of a zip a whole compressed block at a time, whatever size is asked for: fifty
    bytes become 45 MB in one step, before anything that counts the bytes sees the first of them.
    """
    return [info.filename for info in archive.infolist() if info.compress_type not in _BOUNDED]


def geopackage_problem(path: Path) -> str:
    """Why a GeoPackage is not opened, in words that end a sentence; empty where nothing speaks against it.

    A view is a query of its author's, and can be one that never ends; a virtual table is a program. Only SQLite's own list of
    what there is gets read here, which runs neither.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            # A name that is no UTF-8 is no reason to fail: it is shown as far as it goes.
            database.text_factory = lambda data: data.decode("utf-8", "replace")
            rows = database.execute(
                "SELECT type, name, coalesce(sql, '') FROM sqlite_master LIMIT ?", [_MAX_OBJECTS + 1]
            ).fetchall()
    # SQLite says what is wrong in the file's own words, which may be no text.
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return f"it is damaged ({error})"
    if len(rows) > _MAX_OBJECTS:
        return f"it holds more than {_MAX_OBJECTS:,} tables and indexes"
    for kind, name, statement in rows:
        if kind == "view":
            return f"it holds a view (“{str(name)[:60]}”)"
        words = str(statement).upper().split()
        # The index of a layer's outlines is a virtual table too, of SQLite's own.
        if words[:3] == ["CREATE", "VIRTUAL", "TABLE"] and " USING RTREE" not in " ".join(words)[
            :400
        ].replace("(", " "):
            return f"it holds a virtual table (“{str(name)[:60]}”)"
    return ""
