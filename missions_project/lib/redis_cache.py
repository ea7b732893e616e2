"""Django's Redis cache with one client for each server: Django makes one for each question, which costs more than the question."""

from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient


class KeptClients(RedisCacheClient):
    """The same client each time: its connections are in a pool, and threads may share it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[int, Any] = {}

    def get_client(self, key: str | None = None, *, write: bool = False) -> Any:
        pool = self._get_connection_pool(write)
        if (client := self._clients.get(id(pool))) is None:
            # The pool is kept by the base class as long as this is: its number is nobody else's.
            client = self._clients[id(pool)] = self._client(connection_pool=pool)
        return client


class KeptRedisCache(RedisCache):
    """Settings as of Django's own ``RedisCache``."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = KeptClients
