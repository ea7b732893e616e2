"""Whose rows may be read and written now: told to PostgreSQL before each statement, which then shows no others.

The second wall between agencies. The first is that every selector takes the agency; this one stands where that was forgotten.
A web request begins with nobody's rows, has its person's agencies once the person is known, and on an agency's page that
agency alone. Commands, workers and the operator reach everything. SQLite has no such wall and ignores all this.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
SETTING = "missions.agencies"
"""The database session's own variable: "all", "none", or the agencies' numbers with commas. Not told, the product sees none."""
MEMBERSHIPS = "agencies_membership"


@dataclass(frozen=True)
class Scope:
    """The agencies within reach: all, these, or those in which the person has a role (and of them only these)."""

    everything: bool = False
    agency_ids: tuple[int, ...] | None = ()
    person_id: int | None = None

    def narrowed(self, agency_id: int) -> "Scope":
        """The part of it that is this agency. Never more than before: whoever asks may have asked wrongly."""
        if self.everything:
            return of_agency(agency_id)
        if self.agency_ids is not None and agency_id not in self.agency_ids:
            return NOTHING
        return Scope(agency_ids=(agency_id,), person_id=self.person_id)

    def statement(self, *, only_transaction: bool) -> str:
        """The SQL that tells a PostgreSQL session, until it is told otherwise or until the transaction ends."""
        # Numbers only, so nothing has to be quoted; several statements in one message cannot take parameters.
        ends = "true" if only_transaction else "false"
        if self.everything:
            return _set("'all'", ends)
        numbers = ",".join(str(int(pk)) for pk in self.agency_ids or ())
        if self.person_id is None:
            return _set(f"'{numbers or 'none'}'", ends)
        own = f"SELECT string_agg(agency_id::text, ',') FROM {MEMBERSHIPS} WHERE user_id = {int(self.person_id)}"  # nosec B608 - a constant and a whole number
        if self.agency_ids is not None:
            own += f" AND agency_id IN ({numbers or 'NULL'})"
        # The person's roles stand behind the wall themselves: it is open for this one question, in one message to the server.
        return "; ".join((_set("'all'", ends), _set(f"coalesce(({own}), 'none')", ends)))


def _set(value: str, ends: str) -> str:
    return f"SELECT set_config('{SETTING}', {value}, {ends})"


EVERYTHING, NOTHING = Scope(everything=True), Scope()
_scope: ContextVar[Scope | None] = ContextVar("missions_walls", default=None)


def of_agency(agency_id: int) -> Scope:
    """One agency's rows."""
    return Scope(agency_ids=(agency_id,))


def of_person(person_id: int) -> Scope:
    """The rows of the agencies in which the person has a role."""
    return Scope(agency_ids=None, person_id=person_id)


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
