"""Whose rows may be read and written now: told to PostgreSQL before each statement, which then shows no others.

The second wall between agencies. The first is that every selector takes the agency; this one stands where that was forgotten.
A web request begins with nobody's rows, has its person's agencies once the person is known, and on an agency's page that
agency alone. Commands, workers and the operator reach everything. SQLite has no such wall and ignores all this.

Whatever the agencies, the tables of the audit store are out of reach on an agency's page, with a key, in a run and in a worker:
there forecasts and plans are made. Only the audit store's own selectors open them, and import contracts say who may call those.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")
SETTING = "missions.agencies"
"""The database session's own variable: "all", "none", or the agencies' numbers with commas. Not told, the product sees none."""
STORE_SETTING = "missions.audit_store"
"""Another one: "open", or "shut" where nothing of the audit store may be seen (demographic figures, for the exposure audit alone)."""
MEMBERSHIPS = "agencies_membership"


@dataclass(frozen=True)
class Scope:
    """The agencies within reach: all, these, or those in which the person has a role (and of them only these)."""

    everything: bool = False
    agency_ids: tuple[int, ...] | None = ()
    person_id: int | None = None
    audit_store: bool = False
    """Whether the audit store's tables are within reach too, of these agencies."""

    def with_audit_store(self, is_open: bool) -> "Scope":
        """The same agencies, with the audit store or without."""
        return replace(self, audit_store=is_open)

    def narrowed(self, agency_id: int) -> "Scope":
        """The part of it that is this agency, without the audit store. Never more than before: whoever asks may have asked wrongly."""
        if self.everything:
            return of_agency(agency_id)
        if self.agency_ids is not None and agency_id not in self.agency_ids:
            return NOTHING
        return Scope(agency_ids=(agency_id,), person_id=self.person_id)

    def statement(self, *, only_transaction: bool) -> str:
        """The SQL that tells a PostgreSQL session, until it is told otherwise or until the transaction ends."""
        # Numbers only, so nothing has to be quoted; several statements in one message cannot take parameters.
        ends = "true" if only_transaction else "false"
        store = f", set_config('{STORE_SETTING}', '{'open' if self.audit_store else 'shut'}', {ends})"
        if self.everything:
            return _set("'all'", ends) + store
        numbers = ",".join(str(int(pk)) for pk in self.agency_ids or ())
        if self.person_id is None:
            return _set(f"'{numbers or 'none'}'", ends) + store
        own = f"SELECT string_agg(agency_id::text, ',') FROM {MEMBERSHIPS} WHERE user_id = {int(self.person_id)}"  # nosec B608 - a constant and a whole number
        if self.agency_ids is not None:
            own += f" AND agency_id IN ({numbers or 'NULL'})"
        # The person's roles stand behind the wall themselves: it is open for this one question, in one message to the server.
        return "; ".join((_set("'all'", ends), _set(f"coalesce(({own}), 'none')", ends) + store))


def _set(value: str, ends: str) -> str:
    return f"SELECT set_config('{SETTING}', {value}, {ends})"


EVERYTHING, NOTHING = Scope(everything=True, audit_store=True), Scope()
_scope: ContextVar[Scope | None] = ContextVar("missions_walls", default=None)


def of_agency(agency_id: int) -> Scope:
    """One agency's rows."""
    return Scope(agency_ids=(agency_id,))


def of_person(person_id: int) -> Scope:
    """The rows of the agencies in which the person has a role; the audit store too, which the admin loads and clears."""
    return Scope(agency_ids=None, person_id=person_id, audit_store=True)


def scope() -> Scope:
    """What is within reach now. Where nobody said anything (a command, a worker, a shell): everything."""
    return _scope.get() or EVERYTHING


@contextmanager
def within(wanted: Scope) -> Iterator[None]:
    """Reach so far and no farther until the block ends."""
    mark = _scope.set(wanted)
    try:
        yield
    finally:
        _scope.reset(mark)


def now_within(wanted: Scope) -> None:
    """The same until the enclosing block ends, for what is known only in its middle. Without such a block nothing happens:
    it would hold for everything that the process does later."""
    if _scope.get() is not None:
        _scope.set(wanted)


def handed_on(items: Iterable[T]) -> Iterator[T]:
    """The items, each made within today's reach: a streamed answer is made when its request is over."""
    # Not in the generator itself: its first line runs when somebody reads.
    return _made_within(scope(), iter(items))


def _made_within(wanted: Scope, source: Iterator[T]) -> Iterator[T]:
    while True:
        with within(wanted):
            try:
                item = next(source)
            except StopIteration:
                return
        yield item
