"""Django's cache of files, for what a web server and a worker share without Redis; each file bears the installation's seal.

Django unpickles whatever lies in the folder: who can write there could run code in the web server.
"""

import logging
import pickle
import time
import zlib
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.filebased import FileBasedCache

from missions_project.lib.seals import SEAL_LENGTH, seal, seal_problem

logger = logging.getLogger(__name__)
PURPOSE = "file cache 2"
"""With the form of the files: one of another form does not bear a seal that fits."""
UNTIL_LENGTH = 20
PACKED, PLAIN = b"z", b"-"
MOST_PACKED = 8_000_000
"""Bytes of what is packed; what is longer is written as it is."""
_MISSING = object()


class SealedFileCache(FileBasedCache):
    """Settings as of Django's own ``FileBasedCache``. A file that is not ours is as if it were not there, and the log says so.

    A value names its key: a file that was copied over another's is not read as that one's. A file is its seal, the second since 1970 until which it holds (zero for ever), how the value is written, and the value, pickled and mostly compressed.
    """

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        name = self._key_to_file(key, version)  # type: ignore[attr-defined]  # not in the stubs
        try:
            with open(name, "rb") as file:
                sealed, body = file.read(SEAL_LENGTH), file.read()
        except FileNotFoundError:
            return default
        if problem := seal_problem(PURPOSE, body, sealed.decode("ascii", "replace")):
            logger.warning(
                "%s is not read: %s. Next step: if keys were not changed just now, find out who writes to this folder.",
                name,
                problem,
            )
            return default
        if 0 < float(body[:UNTIL_LENGTH]) <= time.time():
            self._delete(name)  # type: ignore[attr-defined]  # nor is this
            return default
        value = memoryview(body)[UNTIL_LENGTH + 1 :]
        is_packed = body[UNTIL_LENGTH : UNTIL_LENGTH + 1] == PACKED
        whose, found = pickle.loads(zlib.decompress(value) if is_packed else value)  # nosec B301 - ours: the seal fits
        if whose != self.make_and_validate_key(key, version):
            logger.warning(
                "%s is not read: it was kept for another key. Next step: find out who writes to this folder.",
                name,
            )
            return default
        return found

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        super().set(key, (self.make_and_validate_key(key, version), value), timeout, version)

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return self.get(key, _MISSING, version) is not _MISSING

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        value = self.get(key, _MISSING, version)
        if value is _MISSING:
            return False
        self.set(key, value, timeout, version)
        return True

    def _write_content(self, file: Any, timeout: Any, value: Any) -> None:
        until = self.get_backend_timeout(timeout) or 0.0
        pickled = pickle.dumps(value, self.pickle_protocol)
        # Quick and not small: a report is packed while somebody waits for it. Millions of numbers would take longer to unpack than to read.
        how, rest = (PACKED, zlib.compress(pickled, 1)) if len(pickled) <= MOST_PACKED else (PLAIN, pickled)
        body = b"".join((f"{until:0{UNTIL_LENGTH}.3f}".encode(), how, rest))
        file.write(seal(PURPOSE, body).encode())
        file.write(body)
