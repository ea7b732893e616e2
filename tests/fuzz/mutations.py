"""Damages valid examples: bytes, words and numbers, and what lies packed inside archives. The same for the same seed."""

from __future__ import annotations

import gzip
import io
import random
import re
import zipfile
import zlib
from collections.abc import Sequence

from tests.faults.malformed_values import DOCUMENTS, JSON_VALUES, TEXTS

WORDS = [word.encode("utf-8", "surrogatepass") for word in (*TEXTS, *JSON_VALUES) if len(word) < 3_500]
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
MOST_BYTES = 400_000


def mutated(rng: random.Random, examples: Sequence[bytes]) -> bytes:
    """One of the examples with one to four things wrong; now and then something else altogether."""
    if rng.random() < 0.03:
        return rng.choice(DOCUMENTS)
    data = rng.choice(examples)
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = damaged(rng, data, rng.choice(examples))
    return data[:MOST_BYTES]


def damaged(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The bytes with one thing wrong; within an archive where it is one, so that not every fault is found by its checksum."""
    if rng.random() < 0.7:
        if data.startswith(b"PK\x03\x04") and (packed := _within_zip(rng, data)):
            return packed
        if data.startswith(b"\x1f\x8b") and (packed := _within_gzip(rng, data)):
            return packed
    return _plainly(rng, data, other)


def _plainly(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start = rng.randint(0, len(data))
    end = min(len(data), start + rng.choice((1, 1, 2, 4, 16, 64, 500)))
    deed = rng.randrange(10)
    if deed == 0:
        return data[:start]
    if deed == 1:
        return data[:start] + data[end:]
    if deed == 2:
        return data[:end] + data[start:end] * rng.choice((1, 1, 3, 50)) + data[end:]
    if deed == 3:
        return data[:start] + rng.randbytes(end - start) + data[end:]
    if deed == 4 and start < len(data):
        return data[:start] + bytes([data[start] ^ (1 << rng.randrange(8))]) + data[start + 1 :]
    if deed == 5:
        return data[:start] + rng.choice(WORDS) + data[start:]
    if deed == 6:
        place = rng.randint(0, len(other))
        return data[:start] + other[place:]
    found = list(NUMBER.finditer(data[:50_000]))
    if deed in (7, 8) and found:
        number = rng.choice(found)
        return data[: number.start()] + rng.choice(WORDS) + data[number.end() :]
    return data[:start] + rng.choice(WORDS) + data[end:]


def _within_zip(rng: random.Random, data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()[:40]}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        OverflowError,
    ):
        return b""
    if not members:
        return b""
    chosen = rng.choice(list(members))
    if rng.random() < 0.1:
        del members[chosen]
    else:
        members[chosen] = _plainly(rng, members[chosen], rng.choice(list(members.values())))
    target = io.BytesIO()
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    except (ValueError, UnicodeError, OverflowError):
        return b""
    return target.getvalue()


def _within_gzip(rng: random.Random, data: bytes) -> bytes:
    try:
        return gzip.compress(_plainly(rng, gzip.decompress(data)[:MOST_BYTES], data), mtime=0)
    except (OSError, EOFError, zlib.error):
        return b""
