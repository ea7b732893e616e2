"""Which rows of a file come again later under the same identifier, in little memory however long the file is."""

import os
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

PARTS = 32
PART_BITS = PARTS - 1
SPILL_PAIRS = 1_000_000
"""Pairs kept in memory (sixteen megabytes) before they move to temporary files: most files never need them."""


class RepeatedKeys:
    """Collects (hash of a row's identifier, row number) and tells which rows have a later one with the same hash.

    Equal hashes lie in one part, so each part is sorted by itself: a file of seven million rows would otherwise take 400 MB. The
    temporary files hold numbers only and vanish with the process.
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._numbers = array("q")
        self._files = ExitStack()
        self._parts: list[IO[bytes]] = []

    def __enter__(self) -> "RepeatedKeys":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, key_hash: int, number: int) -> None:
        """Note one row; numbers ascend."""
        self._hashes.append(key_hash)
        self._numbers.append(number)
        if len(self._hashes) >= SPILL_PAIRS:
            self._spill()

    def add_many(self, key_hashes: Ints, numbers: Ints) -> None:
        """Note many rows at once; numbers ascend."""
        self._hashes.frombytes(key_hashes.astype(np.int64).tobytes())
        self._numbers.frombytes(numbers.astype(np.int64).tobytes())
        if len(self._hashes) >= SPILL_PAIRS:
            self._spill()

    def earlier(self) -> Ints:
        """The numbers, ascending, of the rows whose hash comes again in a later row."""
        if not self._parts:
            return _earlier_of_equal(*self._pairs())
        self._spill()
        return np.sort(
            np.concatenate([_earlier_of_equal(hashes, numbers) for hashes, numbers in self._read()])
        )

    def _pairs(self) -> tuple[Ints, Ints]:
        return np.frombuffer(self._hashes, np.int64), np.frombuffer(self._numbers, np.int64)

    def _spill(self) -> None:
        if not self._parts:
            for _ in range(PARTS):
                self._parts.append(self._files.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115 - the stack closes it
        hashes, numbers = self._pairs()
        part = hashes & PART_BITS
        for index, file in enumerate(self._parts):
            here = part == index
            file.write(np.column_stack([hashes[here], numbers[here]]).tobytes())
        del hashes, numbers, part
        self._hashes, self._numbers = array("q"), array("q")

    def _read(self) -> Iterator[tuple[Ints, Ints]]:
        for file in self._parts:
            file.seek(0, os.SEEK_SET)
            pairs = np.frombuffer(file.read(), np.int64).reshape(-1, 2)
            yield np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def _earlier_of_equal(hashes: Ints, numbers: Ints) -> Ints:
    """The numbers (ascending in, ascending out) of the rows whose hash comes again in a later row."""
    if not hashes.size:
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(hashes, kind="stable")
    again = hashes[order][:-1] == hashes[order][1:]
    return np.sort(numbers[order][:-1][again])
