"""Django's Redis cache with one client to read by and one to write: Django makes one for each question, which costs more than the question."""

from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient


class KeptClients(RedisCacheClient):
    """The same client each time: its connections are in a pool, and threads may share it. For one server, or one that is written and one that is read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[bool, Any] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        if (client := self._clients.get(write)) is None:
            client = self._clients[write] = super().get_client(key, write=write)
        return client


class KeptRedisCache(RedisCache):
    """Settings as of Django's own ``RedisCache``."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = KeptClients
