"""How a risk surface lies in the database: float32 values, their bytes sorted by significance, compressed."""

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

DTYPE = "<f4"
CODEC = 1


def surface_encode(values: npt.NDArray[Any]) -> bytes:
    """Pack expected counts for storage. Values that are not finite or below zero raise ``ValueError``."""
    vector = np.ascontiguousarray(values, dtype=DTYPE)
    if vector.ndim != 1:
        raise ValueError(f"A surface is one number per cell; got an array of shape {vector.shape}.")
    if not np.isfinite(vector).all() or (vector < 0).any():
        raise ValueError("A surface holds an expected count that is negative or not a number.")
    # Neighbours share their exponents: the four bytes apart compress a third better than together.
    return zlib.compress(vector.view(np.uint8).reshape(-1, 4).T.tobytes(), 6)


def surface_round(values: npt.NDArray[Any], bits: int = 11) -> npt.NDArray[np.float32]:
    """Round to so many bits of mantissa (11: to one part in 4,096), so that the two low bytes are mostly zero and pack away.

    >>> surface_round(np.array([0.1, 1.0, 0.0])).tolist()
    [0.100006103515625, 1.0, 0.0]
    """
    vector = np.ascontiguousarray(values, dtype=DTYPE)
    drop = 23 - bits
    half = np.uint32(1 << (drop - 1))
    kept = (vector.view(np.uint32) + half) & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)
    return kept.astype(np.uint32).view(np.float32)


def surface_decode(data: bytes, n_cells: int) -> npt.NDArray[np.float32]:
    """Unpack what ``surface_encode`` wrote. Damaged bytes or another number of cells raise ``ValueError``."""
    try:
        raw = zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(f"The stored surface is damaged ({error}).") from error
    if len(raw) != 4 * n_cells:
        raise ValueError(f"The stored surface has {len(raw) // 4} cells, its grid {n_cells}.")
    planes = np.frombuffer(raw, dtype=np.uint8).reshape(4, n_cells)
    return np.ascontiguousarray(planes.T).view(DTYPE).reshape(n_cells).astype(np.float32)
