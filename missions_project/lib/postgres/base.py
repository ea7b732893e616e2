"""Django's PostgreSQL, but each statement runs within the reach that `missions_project.lib.walls` holds at that moment.

The session is told only where its reach changes, so that a page costs one short message more, not one a query. Outside a
transaction the session is told for good; inside, for the transaction only, for a rollback would take back what was told
without anybody noticing. A connection that is new, or comes from a pool, is told anew: it may carry somebody else's reach.
"""

from typing import Any

from django.db.backends.postgresql import base as django_base
from psycopg.pq import TransactionStatus

from missions_project.lib.walls import Scope, scope


class DatabaseWrapper(django_base.DatabaseWrapper):
    """One connection, and what it was last told."""

    _told: Scope | None = None
    _told_here: Scope | None = None
    _is_sure = False

    def init_connection_state(self) -> None:
        super().init_connection_state()
        self._told = self._told_here = None
        self._is_sure = True

    def _cursor(self, name: str | None = None) -> Any:
        # Each statement of Django's has a cursor of its own, COPY and server-side cursors too: none is made without this.
        self.ensure_connection()
        self._tell()
        return super()._cursor(name)  # type: ignore[misc]  # the stubs leave it out

    def _tell(self) -> None:
        wanted, status = scope(), self.connection.info.transaction_status
        if status not in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
            # Broken, or busy: what comes next fails by itself, and says why.
            return
        inside = status == TransactionStatus.INTRANS or not self.connection.autocommit
        if not inside:
            self._told_here, self._is_sure = None, True
        if self._is_sure and wanted == (self._told_here or self._told):
            return
        # Never prepared: the server prepares single statements only.
        self.connection.execute(wanted.statement(only_transaction=inside), prepare=False)
        self._is_sure = True
        if inside:
            self._told_here = wanted
        else:
            self._told = wanted

    def _set_autocommit(self, autocommit: bool) -> None:
        # A transaction begins or is over: what was told for one alone does not hold in the next.
        self._told_here, self._is_sure = None, True
        super()._set_autocommit(autocommit)  # type: ignore[misc]

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._told_here, self._is_sure = None, True

    def _rollback(self) -> None:
        super()._rollback()  # type: ignore[misc]
        self._told_here, self._is_sure = None, True

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        # What was told since the savepoint is taken back: tell it again.
        self._is_sure = False
