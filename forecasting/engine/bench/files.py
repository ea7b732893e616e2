"""A whole file in memory, unpacked if it is gzipped, and never more than the machine can bear."""

import gzip
import zlib
from io import BytesIO
from pathlib import Path

import shapely

from forecasting.engine.bench.problems import BenchProblem

MAX_BYTES = 4 * 1024**3
MAX_RATIO = 200
RATIO_FREE_BYTES = 64 * 1024**2
NO_GEOJSON = (ValueError, KeyError, TypeError, AttributeError, RecursionError, shapely.errors.GEOSException)
"""What reading a damaged or foreign file as GeoJSON raises."""
_CHUNK = 4 * 1024**2


def bytes_read(path: Path) -> bytes:
    """The file as it is stored. Raises ``BenchProblem`` for one that is missing, not readable or over 4 GB."""
    if not path.is_file():
        raise BenchProblem(f"There is no file {path}.", next_step="check its path.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(path)
        return path.read_bytes()
    except OSError as exc:
        raise BenchProblem(
            f"{path} cannot be read ({exc.strerror}).", next_step="check its permissions."
        ) from exc


def unpacked(path: Path, data: bytes) -> bytes:
    """What a gzipped file holds; any other is returned as it is. A damaged one, or a bomb, raises ``BenchProblem``."""
    if data[:2] != b"\x1f\x8b":
        return data
    out = bytearray()
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as stream:
            while chunk := stream.read(_CHUNK):
                out += chunk
                if len(out) > MAX_BYTES:
                    raise _too_large(path)
                if len(out) > max(RATIO_FREE_BYTES, MAX_RATIO * len(data)):
                    raise BenchProblem(
                        f"{path.name} unpacks to more than {MAX_RATIO} times its size, as archives made to fill a disk do.",
                        next_step="if it is genuine, unpack it yourself.",
                    )
    except (OSError, EOFError, zlib.error) as exc:
        raise BenchProblem(f"{path.name} cannot be unpacked ({exc}).", next_step="copy it again.") from exc
    return bytes(out)


def _too_large(path: Path) -> BenchProblem:
    return BenchProblem(
        f"{path.name} is larger than {MAX_BYTES / 1024**3:.1f} GB.",
        next_step="leave out columns that are not needed, or old years.",
    )
