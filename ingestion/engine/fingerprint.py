"""A number that changes when, and only when, a record's content does."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ingestion.engine.places import DECIMALS

Ints = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]


def _mix(words: _Words) -> _Words:
    """SplitMix64's finaliser: every bit of the input reaches every bit of the output."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _text_words(texts: Sequence[str]) -> _Words:
    words: dict[str, int] = {}
    for text in set(texts):
        # Python's own hash differs from process to process: a re-import would "update" every row.
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        words[text] = int.from_bytes(digest, "little")
    return np.fromiter(map(words.__getitem__, texts), dtype=np.uint64, count=len(texts))


def content_hashes(
    *,
    texts: Sequence[Sequence[str]],
    times: Sequence[npt.NDArray[np.datetime64]],
    degrees: Sequence[npt.NDArray[np.float64]],
) -> Ints:
    """One signed 64-bit number a row over these columns, the same on every machine and in every version.

    Order of columns matters. Two different contents agree with probability 2⁻⁶⁴.
    """
    columns: list[_Words] = [_text_words(column) for column in texts]
    columns += [column.astype("datetime64[s]").astype(np.int64).view(np.uint64) for column in times]
    columns += [np.round(column * 10**DECIMALS).astype(np.int64).view(np.uint64) for column in degrees]
    state = np.full(len(columns[0]), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in columns:
        state = _mix(state * np.uint64(0x100000001B3) + np.ascontiguousarray(column))
    return state.view(np.int64)
