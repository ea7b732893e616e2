"""Django's Redis cache, with one client to read by and one to write, and values that bear the installation's seal.

Django makes a client for each question, which costs more than the question; and it unpickles whatever the server gives: who can
write to Redis, where the broker is too, could run code in the web server.
"""

import logging
import pickle
from collections.abc import Mapping
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient, RedisSerializer

from missions_project.lib.seals import SEAL_LENGTH, seal, seal_problem

logger = logging.getLogger(__name__)
PURPOSE = "cache 2"
"""With the form of the values: one of another form does not bear a seal that fits."""
NOT_OURS = object()
"""What stands for a value that this installation did not write."""


class Sealed(RedisSerializer):
    """Whole numbers as they are, for Redis counts them; all else pickled, behind a seal that is looked at before it is read.

    What bears no seal of ours is ``NOT_OURS``, and the log says so.
    """

    def dumps(self, obj: Any) -> Any:
        # Not a kind of whole number: True is to come back as True.
        if type(obj) is int:
            return obj
        data = pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)
        return seal(PURPOSE, data).encode() + data

    def loads(self, data: Any) -> Any:
        try:
            return int(data)
        except ValueError:
            sealed, data = data[:SEAL_LENGTH], data[SEAL_LENGTH:]
        if problem := seal_problem(PURPOSE, data, sealed.decode("ascii", "replace")):
            logger.warning(
                "A value in Redis is not read: %s. Next step: if keys were not changed just now, find out who writes to this Redis.",
                problem,
            )
            return NOT_OURS
        return pickle.loads(data)  # nosec B301 - what it holds, this installation wrote: the seal fits


class KeptClients(RedisCacheClient):
    """What is not ours, or was kept for another key, is as if it were not there. The same client each time: its connections are in a pool, and threads may share it. For one server, or one that is written and one that is read."""

    def __init__(self, servers: Any, serializer: Any = Sealed, **options: Any) -> None:
        super().__init__(servers, serializer, **options)
        self._clients: dict[bool, Any] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        if (client := self._clients.get(write)) is None:
            client = self._clients[write] = super().get_client(key, write=write)
        return client

    def get(self, key: Any, default: Any) -> Any:
        found = _own(key, super().get(key, NOT_OURS))
        return default if found is NOT_OURS else found

    def get_many(self, keys: Any) -> dict[Any, Any]:
        found = {key: _own(key, value) for key, value in super().get_many(keys).items()}
        return {key: value for key, value in found.items() if value is not NOT_OURS}

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return bool(super().add(key, _named(key, value), timeout))

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        super().set(key, _named(key, value), timeout)

    def set_many(self, data: Mapping[Any, Any], timeout: Any) -> None:
        super().set_many({key: _named(key, value) for key, value in data.items()}, timeout)


def _named(key: Any, value: Any) -> Any:
    # Redis counts whole numbers: they stay what they are.
    return value if type(value) is int else (key, value)


def _own(key: Any, found: Any) -> Any:
    """The value that was kept for this key; ``NOT_OURS`` for one that was moved here from another."""
    if found is NOT_OURS or type(found) is int:
        return found
    whose, value = found
    if whose != key:
        logger.warning(
            "A value in Redis is not read: it was kept for another key. Next step: find out who writes to this Redis."
        )
        return NOT_OURS
    return value


class KeptRedisCache(RedisCache):
    """Settings as of Django's own ``RedisCache``."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = KeptClients
