"""Rows in the binary form of PostgreSQL's COPY, made column by column: nothing is written as text and read again.

A row is its number of fields, then for each the length in bytes and the bytes, -1 for NULL; all numbers have their first
byte first, instants are microseconds since 2000. See "COPY", section "Binary Format", in PostgreSQL's manual.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Columns = Mapping[str, Any]
"""Arrays of instants, floats, booleans, 32 and 64 bit integers (masked ones are NULL, as is NaT), or lists of texts."""
Bytes = npt.NDArray[np.uint8]

BEGIN = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
END = b"\xff\xff"
_NULL = np.frombuffer(b"\xff\xff\xff\xff", dtype=np.uint8)
_EPOCH_S = 946_684_800


def copy_rows(columns: Columns) -> Any:
    """The rows as an Arrow array of bytes, each to be written between ``BEGIN`` and ``END``.

    >>> copy_rows({"a": np.array([1, 2]), "b": ["x", ""]}).to_pylist()[0].hex(" ", -4)
    '00020000 00080000 00000000 00010000 000178'
    """
    import pyarrow.compute as pc

    count = len(next(iter(columns.values())))
    blocks: list[Bytes] = [_repeated(len(columns).to_bytes(2, "big"), count)]
    cells: list[Any] = []
    for values in columns.values():
        if isinstance(values, list):
            cells += [_packed(blocks), *_texts(values)]
            blocks = []
            continue
        wire, missing = _wire(values)
        if not missing.any():
            blocks.append(wire)
        elif missing.all():
            blocks.append(_repeated(_NULL.tobytes(), count))
        else:
            cells += [_packed(blocks), _with_nulls(wire, missing)]
            blocks = []
    cells.append(_packed(blocks))
    return pc.binary_join_element_wise(*[cell for cell in cells if cell is not None], b"")


def copy_bytes(rows: Any) -> bytes:
    """What COPY reads: these rows with the beginning and the end of a file."""
    _, ends, data = rows.buffers()
    # The values of an array lie one behind the other.
    first, last = np.frombuffer(ends, dtype=np.int32)[[rows.offset, rows.offset + len(rows)]]
    values: bytes = data[int(first) : int(last)].to_pybytes()
    return BEGIN + values + END


def _repeated(one: bytes, count: int) -> Bytes:
    return np.broadcast_to(np.frombuffer(one, dtype=np.uint8), (count, len(one)))


def _wire(values: Any) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """Each value with its length before it, as a row of bytes; and which of them are NULL."""
    data = np.ma.getdata(values)
    missing = np.ma.getmaskarray(values)
    if data.dtype.kind == "M":
        missing = np.isnat(data)
        data = (data.astype("datetime64[s]").astype(np.int64) - _EPOCH_S) * 1_000_000
    ordered = np.ascontiguousarray(data.astype(data.dtype.newbyteorder(">")))
    size = ordered.dtype.itemsize
    octets = ordered.view(np.uint8).reshape(len(ordered), size)
    return np.hstack([_repeated(size.to_bytes(4, "big"), len(ordered)), octets]), missing


def _packed(blocks: Sequence[Bytes]) -> Any:
    """Columns of one width as one Arrow array of bytes; None where there are none."""
    import pyarrow as pa

    if not blocks:
        return None
    table = np.ascontiguousarray(np.hstack(blocks))
    count, width = table.shape
    ends = np.arange(count + 1, dtype=np.int32) * width
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(ends), pa.py_buffer(table)])


def _with_nulls(wire: Bytes, missing: npt.NDArray[np.bool_]) -> Any:
    import pyarrow as pa

    width = wire.shape[1]
    ends = np.concatenate([[0], np.cumsum(np.where(missing, len(_NULL), width))]).astype(np.int32)
    used = np.ones(wire.shape, dtype=np.bool_)
    used[missing, len(_NULL) :] = False
    filled = np.where(missing[:, None], np.uint8(255), wire)
    return pa.Array.from_buffers(
        pa.binary(), len(wire), [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(filled[used]))]
    )


def _texts(values: list[str]) -> tuple[Any, Any]:
    """The lengths of the texts as fields have them, and the texts."""
    import pyarrow as pa

    texts = pa.array(values, pa.string())
    ends = np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    lengths = np.ascontiguousarray(np.diff(ends).astype(">i4")).view(np.uint8).reshape(len(values), 4)
    return _packed([lengths]), texts.cast(pa.binary())
