"""The months in which PostgreSQL keeps vehicle positions: made ahead, filled from the rest, and given up whole when they are old.

On SQLite positions are one table and nothing here does anything.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction

from agencies.models import Agency
from ingestion.models import RecordKind, RetentionPolicy, VehiclePosition
from ingestion.services.retention_log import retention_record
from missions_project.lib import monthly, walls

logger = logging.getLogger(__name__)
POSITIONS = monthly.Monthly(VehiclePosition._meta.db_table, "at")
MONTHS_AHEAD = 2
MOST_MONTHS = 12
"""So many months are taken out of the rest in one go; the others wait for the next."""
TRIES = 3
_ADVISORY_KEYS = [0x1A92, 0]
_LOCK_NOT_AVAILABLE, _CHECK_VIOLATION = "55P03", "23514"
T = TypeVar("T")


@dataclass(frozen=True)
class PositionMonths:
    """How the months of positions stand. ``is_kept`` is False where they are one table: nothing else is said then."""

    is_kept: bool = False
    missing: tuple[date, ...] = ()
    """Months from this one on that should have a piece of their own and have none."""
    rest_holds_rows: bool = False
    leaving: tuple[date, ...] = ()
    """Months that were taken out and whose rows are not counted to the end: a worker was killed at it, or is at it."""
    empty: tuple[date, ...] = ()
    """Months before the last one without a row."""


def position_months_state(*, now: datetime) -> PositionMonths:
    """How the months stand. None on SQLite; else four queries, and one for each old month."""
    with walls.within(walls.EVERYTHING), connection.cursor() as cursor:
        if not monthly.is_monthly(cursor, POSITIONS):
            return PositionMonths()
        there, this = monthly.months(cursor, POSITIONS), monthly.month_of(now)
        wanted = [monthly.month_after(this, n) for n in range(MONTHS_AHEAD + 1)]
        old = [month for month in there if month < monthly.month_after(this, -1)]
        return PositionMonths(
            is_kept=True,
            missing=tuple(month for month in wanted if month not in there),
            rest_holds_rows=not monthly.rest_is_empty(cursor, POSITIONS),
            leaving=tuple(monthly.months_leaving(cursor, POSITIONS)),
            empty=tuple(month for month in old if monthly.month_is_empty(cursor, POSITIONS, month)),
        )


def position_months_keep(*, now: datetime) -> int:
    """Make the pieces of this month and the next two, move what the rest holds into months of its own, drop old ones that are
    empty, and end what a killed worker began. Returns how many pieces were made or dropped.

    Twice does no more than once, and of two at once one does it. Each piece is a transaction; where somebody reads the rest
    for longer than two seconds, what is left waits for the next time. Rows are at no moment invisible.
    """
    done = 0
    with _alone() as mine:
        if not mine:
            return 0
        _end_what_began()
        state = position_months_state(now=now)
        with connection.cursor() as cursor:
            late = (
                monthly.months_in_rest(cursor, POSITIONS, most=MOST_MONTHS) if state.rest_holds_rows else []
            )
            for month in sorted({*state.missing, *late} - set(monthly.months(cursor, POSITIONS))):
                done += _tried(lambda month=month: _add(month))  # type: ignore[misc]  # mypy gives a default no type
            for month in state.empty:
                done += _tried(lambda month=month: _drop_empty(month))  # type: ignore[misc]
    return done


def position_months_drop(*, policy: RetentionPolicy, now: datetime) -> int:
    """Give up whole each month in which this policy's agency has rows, where the policies of all agencies with rows in it say
    that all of the month is too old. Returns how many rows that were of this agency; each agency's audit log has its own.

    Without a policy that deletes, with one under which a day of the month is still to be kept, or with one that had no
    night yet, an agency keeps the month for all: then rows go one by one, each agency's own. A month is gone at the moment
    in which it is taken out of the table; killed after that, the next run counts on and frees the disk.
    """
    with _alone() as mine:
        if not mine:
            return 0
        gone = _end_what_began()
        with connection.cursor() as cursor:
            # One of which somebody still holds the rows has its name already.
            held = monthly.months_leaving(cursor, POSITIONS)
            for month in monthly.months(cursor, POSITIONS):
                if month not in held and _may_go(cursor, month, policy, now):
                    _tried(lambda month=month: _take_out(month, policy, now))  # type: ignore[misc]
        for agency_id, number in _end_what_began().items():
            gone[agency_id] += number
    return gone[policy.agency_id]


def again_for_new_month(work: Callable[[], T]) -> T:
    """Do a piece of work that stores positions in one transaction; once more where a month got a piece of its own meanwhile.

    PostgreSQL chose the rest for a row, waited for us to empty it, and then refuses the row there: it belongs elsewhere now.
    """
    try:
        return work()
    except IntegrityError as error:
        if getattr(error.__cause__, "sqlstate", "") != _CHECK_VIOLATION or POSITIONS.rest not in str(error):
            raise
        return work()


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else is at the months; until the block ends nobody will. Every agency's rows are within reach in it."""
    with walls.within(walls.EVERYTHING), connection.cursor() as cursor:
        mine = monthly.is_monthly(cursor, POSITIONS)
        if mine:
            # The session's: several transactions follow each other. It ends with the process.
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", _ADVISORY_KEYS)
            mine = cursor.fetchone()[0]
        try:
            yield mine
        finally:
            # A connection that broke has given the lock back already.
            if mine and connection.is_usable():
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", _ADVISORY_KEYS)


def _tried(work: Callable[[], Any]) -> bool:
    """Do it in a transaction; again where somebody held what it needs. Whether it was done."""
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return bool(work())
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
    logger.warning("A month of vehicle positions is in use; it is tried again another time.")
    return False


def _add(month: date) -> bool:
    with connection.cursor() as cursor:
        if moved := monthly.month_add(cursor, POSITIONS, month):
            logger.info("%s vehicle positions moved into %s.", moved, POSITIONS.piece(month))
    return True


def _drop_empty(month: date) -> bool:
    with connection.cursor() as cursor:
        monthly.table_lock(cursor, POSITIONS)
        # Somebody may have pushed old rows meanwhile.
        if not monthly.month_is_empty(cursor, POSITIONS, month):
            return False
        cursor.execute(f"DROP TABLE {POSITIONS.piece(month)}")
    return True


def _next_agency(cursor: Any, table: str, after: int) -> int | None:
    """The agency with rows in the table that comes after this one. One look into the index, however many rows there are."""
    cursor.execute(
        f"SELECT agency_id FROM {table} WHERE agency_id > %s ORDER BY agency_id LIMIT 1",  # nosec B608 - names are ours, values go by parameters
        [after],
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


_AGENCIES = (
    "WITH RECURSIVE own (agency_id) AS ((SELECT agency_id FROM {piece} ORDER BY agency_id LIMIT 1) UNION ALL "
    "SELECT (SELECT agency_id FROM {piece} WHERE agency_id > own.agency_id ORDER BY agency_id LIMIT 1) "
    "FROM own WHERE own.agency_id IS NOT NULL) SELECT agency_id FROM own WHERE agency_id IS NOT NULL"
)


def _agencies_in(cursor: Any, piece: str) -> list[int]:
    """The agencies with rows in a piece. One query, one look into the index for each: everybody may be waiting for us."""
    cursor.execute(_AGENCIES.format(piece=piece))
    return [int(row[0]) for row in cursor.fetchall()]


def _may_go(cursor: Any, month: date, policy: RetentionPolicy, now: datetime) -> bool:
    """Whether this agency and every other with rows in the month want none of them any more. At most three queries."""
    rules = RetentionPolicy.objects.filter(kind=RecordKind.POSITIONS.value, delete_after_days__isnull=False)
    ends = monthly.month_begins(monthly.month_after(month))

    def is_over(rule: RetentionPolicy) -> bool:
        return ends <= now - timedelta(days=max(rule.delete_after_days or 1, 1))

    # Read anew: it may have been changed since the night began.
    mine = rules.filter(pk=policy.pk).first()
    if mine is None or not is_over(mine):
        return False
    there = _agencies_in(cursor, POSITIONS.piece(month))
    if policy.agency_id not in there:
        return False
    willing = {
        rule.agency_id
        for rule in rules
        if is_over(rule) and (rule.pk == mine.pk or rule.claimed_on is not None)
    }
    return willing.issuperset(there)


def _take_out(month: date, policy: RetentionPolicy, now: datetime) -> bool:
    with connection.cursor() as cursor:
        monthly.table_lock(cursor, POSITIONS)
        # Asked again, now that nobody can push: an agency that may keep its rows may have pushed some meanwhile.
        if not _may_go(cursor, month, policy, now):
            return False
        monthly.month_take_out(cursor, POSITIONS, month)
    return True


def _end_what_began() -> defaultdict[int, int]:
    """Count, tell and drop the months that were taken out. Returns the rows by agency.

    Each agency's count is a transaction with a mark of how far it got: killed anywhere, each is told once. The whole
    month in one transaction would hold the log of every agency for as long.
    """
    gone: defaultdict[int, int] = defaultdict(int)
    with connection.cursor() as cursor:
        for month in monthly.months_leaving(cursor, POSITIONS):
            table = POSITIONS.leaving(month)
            cursor.execute("SELECT coalesce(obj_description(to_regclass(%s), 'pg_class'), '0')", [table])
            agency_id = _next_agency(cursor, table, int(cursor.fetchone()[0]))
            while agency_id is not None:
                gone[agency_id] += _tell(cursor, month, agency_id)
                agency_id = _next_agency(cursor, table, agency_id)
            # Somebody may be saving the database.
            _tried(lambda table=table: _drop(table))  # type: ignore[misc]
    return gone


def _drop(table: str) -> bool:
    with connection.cursor() as cursor:
        monthly.patience(cursor)
        cursor.execute(f"DROP TABLE {table}")
    return True


def _tell(cursor: Any, month: date, agency_id: int) -> int:
    table = POSITIONS.leaving(month)
    with transaction.atomic():
        cursor.execute(f"SELECT count(*) FROM {table} WHERE agency_id = %s", [agency_id])  # nosec B608 - names are ours
        (number,) = cursor.fetchone()
        cursor.execute(f"COMMENT ON TABLE {table} IS '{agency_id:d}'")
        # Neither may be there any more: the month was given up when both were.
        agency = Agency.objects.filter(pk=agency_id).first()
        rule = RetentionPolicy.objects.filter(agency_id=agency_id, kind=RecordKind.POSITIONS.value).first()
        if agency is not None:
            retention_record(
                agency=agency,
                kind=RecordKind.POSITIONS.value,
                counts={"deleted": number},
                delete_after_days=rule.delete_after_days if rule else None,
                coarsen_after_days=rule.coarsen_after_days if rule else None,
                month=f"{month:%Y-%m}",
            )
    return int(number)
