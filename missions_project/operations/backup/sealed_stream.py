"""A file that only the holder of the key can read, and that nobody can change unnoticed.

The content is cut into pieces of one mebibyte, each encrypted and signed (AES-256-GCM) with its number and whether it is the
last one: a piece that is changed, left out, repeated, moved or cut off at the end is found before any of it is handed out.

Notes
-----
The construction is STREAM of Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance" (CRYPTO 2015). Each file has a random salt, and from it its own key (HKDF-SHA256): no nonce is ever used twice
under one key.
"""

import io
import os
import struct
from collections.abc import Sequence
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from missions_project.lib.errors import MissionsError

MAGIC = b"MISSIONS-BACKUP\x01"
SALT_BYTES = 32
TAG_BYTES = 16
CHUNK_BYTES = 1024**2
_PURPOSE = b"missions: backup, version 1"
_LAST = 1


def _cipher(key: str, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt, _PURPOSE).derive(key.encode()))


def _nonce(number: int, last: bool) -> bytes:
    return struct.pack(">7xIB", number, _LAST if last else 0)


def _damaged(what: str) -> MissionsError:
    return MissionsError(
        f"The backup is damaged: {what}. Nothing was changed.",
        next_step="take another copy of the file, or an earlier backup.",
    )


class SealedWriter(io.RawIOBase):
    """A file to write to: what is written comes out sealed in ``sink``. ``finish`` must be called, or the file is not complete."""

    def __init__(self, sink: BinaryIO, key: str) -> None:
        salt = os.urandom(SALT_BYTES)
        self._sink, self._cipher, self._header = sink, _cipher(key, salt), MAGIC + salt
        self._waiting, self._number = bytearray(), 0
        sink.write(self._header)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]  # any buffer: tarfile hands over bytes
        self._waiting += piece
        # One piece is kept back: only ``finish`` knows which is the last.
        while len(self._waiting) > CHUNK_BYTES:
            self._put(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(piece)

    def finish(self) -> None:
        """Write the last piece."""
        self._put(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _put(self, piece: bytes, *, last: bool) -> None:
        self._sink.write(self._cipher.encrypt(_nonce(self._number, last), piece, self._header))
        self._number += 1


class SealedReader(io.RawIOBase):
    """The content of a sealed file. Raises ``MissionsError`` where no key fits or anything in it was changed."""

    def __init__(self, source: BinaryIO, keys: Sequence[str]) -> None:
        self._header = source.read(len(MAGIC) + SALT_BYTES)
        if not self._header.startswith(MAGIC) or len(self._header) != len(MAGIC) + SALT_BYTES:
            raise MissionsError(
                "This is no backup of this product, or one of a later version.",
                next_step="name a file that manage.py backup has written.",
            )
        self._source, self._salt = source, self._header[len(MAGIC) :]
        self._number, self._ready, self._ended = 0, b"", False
        self._ahead = source.read(CHUNK_BYTES + TAG_BYTES)
        self._cipher = self._fitting(keys)

    def _fitting(self, keys: Sequence[str]) -> AESGCM:
        last = len(self._ahead) < CHUNK_BYTES + TAG_BYTES
        for key in keys:
            cipher = _cipher(key, self._salt)
            # A last piece may happen to be exactly full.
            for is_last in (last, not last):
                try:
                    cipher.decrypt(_nonce(0, is_last), self._ahead, self._header)
                except InvalidTag:
                    continue
                return cipher
        raise MissionsError(
            "No key opens this backup, or its beginning is damaged.",
            next_step="set BACKUP_KEY to the key under which it was made (several may stand there, separated by commas).",
        )

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # io hands over a writable buffer
        while not self._ready and not self._ended:
            self._ready = self._next()
        count = min(len(view), len(self._ready))
        view[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _next(self) -> bytes:
        piece, self._ahead = self._ahead, self._source.read(CHUNK_BYTES + TAG_BYTES)
        last = not self._ahead
        try:
            opened = self._cipher.decrypt(_nonce(self._number, last), piece, self._header)
        except InvalidTag:
            raise _damaged(f"piece {self._number + 1} was changed, or the file ends too early") from None
        self._number += 1
        self._ended = last
        return opened
