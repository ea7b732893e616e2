"""One importer at a time: a feed's, and on SQLite the whole database's.

The lock is the operating system's or PostgreSQL's own, so that it ends with the process that holds it:
a lock row would outlive a killed import and somebody would have to know how to clear it.
"""

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from ingestion.models import Feed
from missions_project.lib.errors import MissionsError

_ADVISORY_CLASS = 0x1A90
"""First key of our PostgreSQL advisory locks; the second is the feed's id."""
_RECORDS_CLASS = 0x1A91
"""The same for the short locks on records, which a long import must not hold from beginning to end."""


class ImportBusy(MissionsError):
    """Another import holds the lock; the run stays queued."""


def _busy(feed: Feed | None) -> ImportBusy:
    return ImportBusy(
        _("Another import of feed “%(feed)s” is running; this one has not started.") % {"feed": feed.name}
        if feed
        else _("Another import into this database is running; this one has not started."),
        next_step=_("wait until it has finished (Admin → Import runs), then start this one again."),
    )


@contextmanager
def import_lock(feed: Feed) -> Iterator[None]:
    """Hold the right to import into this feed. Raises ``ImportBusy`` if somebody else does."""
    with feed_lock(feed):
        if connection.vendor == "postgresql":
            yield
        else:
            with _file_lock("import-lock", None):
                yield


@contextmanager
def feed_lock(feed: Feed) -> Iterator[None]:
    """Hold the feed, but not yet the right to write: a pull waits for its server while others import."""
    on_postgres = connection.vendor == "postgresql"
    with _postgres_lock(feed) if on_postgres else _file_lock(f"feed-{feed.pk}-lock", feed):
        yield


@contextmanager
def writing_lock(waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the right to write for a feed that is held already; calls ``waiting`` each second until it is free."""
    if connection.vendor == "postgresql":
        yield
        return
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(_file_lock("import-lock", None))
                break
            except ImportBusy:
                waiting()
                time.sleep(1.0)
        yield


@contextmanager
def _postgres_lock(feed: Feed) -> Iterator[None]:
    keys = [_ADVISORY_CLASS, feed.pk % 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", keys)
        if not cursor.fetchone()[0]:
            raise _busy(feed)
        try:
            yield
        finally:
            # A connection that broke has given the lock back already.
            if connection.is_usable():
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", keys)


@contextmanager
def _file_lock(suffix: str, feed: Feed | None) -> Iterator[None]:
    """Two writers in one SQLite file slow each other down and starve the pages: one imports, others wait."""
    name = str(connection.settings_dict["NAME"])
    on_disk = name and ":memory:" not in name and "mode=memory" not in name
    path = Path(f"{name}.{suffix}") if on_disk else Path(settings.VAR_DIR) / suffix
    with open(path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise _busy(feed) from exc
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


class Turns:
    """Transactions of a long work one after the other, between which SQLite is free for others half as long as each took.

    Who waits for SQLite looks again each tenth of a second: a work that begins its next transaction at once would be in
    the way nearly each time, and a page would wait for seconds. On PostgreSQL nobody waits.
    """

    def __init__(self) -> None:
        self._free_until = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Around one transaction."""
        if connection.vendor != "sqlite":
            yield
            return
        time.sleep(max(self._free_until - time.monotonic(), 0.0))
        began = time.monotonic()
        yield
        ended = time.monotonic()
        self._free_until = ended + max((ended - began) * FREE_SHARE, MIN_FREE_SECONDS)


FREE_SHARE = 0.5
MIN_FREE_SECONDS = 0.005
FEW_RECORDS = 64
"""Up to so many records are locked one by one, so that single alerts of one feed are stored side by side."""


def records_lock(feed: Feed, external_ids: Sequence[str]) -> None:
    """Keep others from writing these records of the feed until the transaction ends. One query on PostgreSQL, else none.

    Between comparing and writing, somebody else's newer version would otherwise be overwritten by an older one. On
    SQLite the transaction alone keeps every other writer out.
    """
    if connection.vendor != "postgresql":
        return
    few = len(external_ids) <= FEW_RECORDS
    mine = [_RECORDS_CLASS, feed.pk % 2**31]
    with connection.cursor() as cursor:
        if not few:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", mine)
            return
        # In one order for everybody: two batches that hold each other's next record would wait for ever.
        keys = sorted({_record_key(feed.pk, external_id) for external_id in external_ids})
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, %s), count(pg_advisory_xact_lock(key)) "
            "FROM unnest(%s::bigint[]) AS key",
            [*mine, keys],
        )


def _record_key(feed_id: int, external_id: str) -> int:
    digest = hashlib.blake2b(f"{feed_id}:{external_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
