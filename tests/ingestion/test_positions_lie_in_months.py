"""PostgreSQL keeps vehicle positions by month: ahead of time, behind the walls, and a month that nobody wants goes in one piece."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from agencies.models import Agency, AuditEvent
from ingestion.engine.rows import RowChunk
from ingestion.models import Feed, RetentionPolicy, VehiclePosition
from ingestion.services import position_months as service
from ingestion.services import (
    position_months_drop,
    position_months_keep,
    position_months_state,
    positions_store,
    retention_run,
)
from ingestion.services.position_months import POSITIONS
from missions_project import pipeline
from missions_project.lib import monthly, walls
from missions_project.operations.doctor import services as doctor
from missions_project.operations.doctor.findings import Level
from missions_project.operations.row_policies import POLICY, all_tables, walls_missing
from tests.factories import make_agency
from tests.ingestion.files import place, plain_feed
from tests.ingestion.position_months import NOW, asked, january, lying_in, months, pushed
from tests.ingestion.pushing import push_feed

on_postgres = [pytest.mark.postgres, pytest.mark.django_db]
for_real = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def told(agency: Agency) -> list[int]:
    """How many deleted rows each entry of the agency's audit log names."""
    events = AuditEvent.objects.filter(agency=agency, action="retention.done").order_by("sequence")
    return [event.detail["deleted"] for event in events]


def rule(agency: Agency, days: int | None, *, had_a_night: bool = True) -> RetentionPolicy:
    return RetentionPolicy.objects.create(
        agency=agency, kind="positions", delete_after_days=days, claimed_on=date(2026, 3, 13) if had_a_night else None
    )  # fmt: skip


@pytest.fixture
def two(db: None) -> tuple[Feed, Feed]:
    """A feed of riverton and one of lakeside; January, February and March have pieces of their own."""
    feeds = plain_feed(make_agency("riverton")), plain_feed(make_agency("lakeside"))
    position_months_keep(now=NOW - timedelta(days=60))
    return feeds


@pytest.mark.sqlite_only
def test_sqlite_has_one_table_and_nothing_to_do(db: None) -> None:
    agency = make_agency()
    assert not position_months_state(now=NOW).is_kept
    assert position_months_keep(now=NOW) == 0
    assert position_months_drop(policy=rule(agency, 1), now=NOW) == 0
    assert pipeline.position_months_due() == 0


class TestPiecesAreThereBeforeTheirMonth:
    pytestmark = on_postgres

    def test_this_month_and_the_next_two(self, two: tuple[Feed, Feed]) -> None:
        assert {date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)} <= set(months())
        assert position_months_state(now=NOW).missing == (date(2026, 4, 1), date(2026, 5, 1))
        assert position_months_keep(now=NOW) == 3, "two made, and January is empty"
        assert position_months_keep(now=NOW) == 0
        assert position_months_state(now=NOW).missing == ()

    def test_a_row_lies_in_its_month_by_utc(self, two: tuple[Feed, Feed]) -> None:
        edge = datetime(2026, 2, 1, tzinfo=UTC)
        pushed(two[0], edge - timedelta(seconds=1), edge)
        assert (lying_in(POSITIONS.piece(date(2026, 1, 1))), lying_in(POSITIONS.piece(date(2026, 2, 1)))) == (
            1,
            1,
        )
        assert lying_in(POSITIONS.rest) == 0

    def test_what_came_for_no_month_moves_into_one(self, two: tuple[Feed, Feed]) -> None:
        late = [datetime(2019, month, 5, tzinfo=UTC) for month in (3, 7)]
        pushed(two[0], *late)
        pushed(two[1], late[0])
        before = set(VehiclePosition.objects.values_list("pk", "agency", "at"))
        assert position_months_state(now=NOW).rest_holds_rows
        position_months_keep(now=NOW)
        assert not position_months_state(now=NOW).rest_holds_rows
        assert lying_in(POSITIONS.piece(date(2019, 3, 1))) == 2
        assert set(VehiclePosition.objects.values_list("pk", "agency", "at")) == before
        # The key holds there too.
        with pytest.raises(IntegrityError), transaction.atomic():
            pushed(two[0], late[0])

    def test_so_many_months_at_once_and_no_more(
        self, two: tuple[Feed, Feed], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "MOST_MONTHS", 2)
        pushed(two[0], *(datetime(2019, month, 5, tzinfo=UTC) for month in range(1, 4)))
        position_months_keep(now=NOW)
        assert lying_in(POSITIONS.rest) == 1
        position_months_keep(now=NOW)
        assert lying_in(POSITIONS.rest) == 0

    def test_an_old_month_without_rows_goes_and_one_with_rows_stays(self, two: tuple[Feed, Feed]) -> None:
        pushed(two[0], *january())
        april = NOW + timedelta(days=30)
        position_months_keep(now=april)
        assert date(2026, 1, 1) in months()
        assert date(2026, 2, 1) not in months()
        assert date(2026, 3, 1) in months(), "last month may still be pushed"

    def test_the_dispatcher_sends_for_it_once_an_hour(
        self, db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        monkeypatch.setattr(pipeline.position_months_task, "delay", lambda: sent.append(1))
        assert [pipeline.position_months_due() for _ in range(3)] == [1, 0, 0]
        later = timezone.now() + pipeline.MONTHS_EVERY
        monkeypatch.setattr(pipeline.timezone, "now", lambda: later)
        assert pipeline.position_months_due() == 1
        assert sent == [1, 1]


class TestTheWallsStandBeforeEachMonth:
    pytestmark = on_postgres

    def test_whoever_asks_a_month_by_its_name_sees_the_own_agency(self, two: tuple[Feed, Feed]) -> None:
        late = datetime(2019, 3, 5, tzinfo=UTC)
        for feed in two:
            pushed(feed, *january(), late)
        position_months_keep(now=NOW)
        pushed(two[1], datetime(2018, 3, 5, tzinfo=UTC))
        assert walls_missing(connection, all_tables()) == []
        names = [
            POSITIONS.table,
            POSITIONS.piece(date(2026, 1, 1)),
            POSITIONS.piece(date(2019, 3, 1)),
            POSITIONS.rest,
        ]
        with walls.within(walls.of_agency(two[0].agency_id)):
            seen = {
                name: asked(f"SELECT count(*), count(DISTINCT agency_id) FROM {name}")[0] for name in names
            }
            assert seen == dict(zip(names, [(4, 1), (3, 1), (1, 1), (0, 0)], strict=True))
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                pushed(two[1], late + timedelta(days=1))
            # Nor does the work at the months see less because a page's reach is one agency's.
            assert position_months_state(now=NOW).rest_holds_rows

    def test_a_month_without_wall_is_said(self, two: tuple[Feed, Feed]) -> None:
        asked(f"DROP POLICY {POLICY} ON {POSITIONS.rest}")
        assert walls_missing(connection, all_tables()) == [POSITIONS.table]
        call_command("migrate", "ingestion", verbosity=0)
        assert walls_missing(connection, all_tables()) == []


class TestAMonthGoesInOnePiece:
    pytestmark = on_postgres

    def test_where_every_agency_wants_none_of_it(self, two: tuple[Feed, Feed]) -> None:
        pushed(two[0], *january(5), NOW)
        pushed(two[1], *january(3), NOW)
        rule(two[1].agency, 20)
        plan = retention_run(policy=rule(two[0].agency, 40), now=NOW)
        assert plan.deleted == 5
        assert (told(two[0].agency), told(two[1].agency)) == ([5], [3])
        assert date(2026, 1, 1) not in months()
        assert VehiclePosition.objects.count() == 2, "today's stay"
        event = AuditEvent.objects.get(agency=two[1].agency, action="retention.done")
        assert (
            event.detail | {"month": "2026-01", "delete_after_days": 20, "kind": "positions"} == event.detail
        )
        assert event.subject == "Vehicle positions: 3 deleted"
        assert position_months_state(now=NOW).leaving == ()

    @pytest.mark.parametrize(
        ("days", "had_a_night"),
        [(None, True), (43, True), (4_000, True), (20, False), ("none", True)],
        ids=[
            "never deletes",
            "one day of it is young enough",
            "keeps for years",
            "had no night yet",
            "no policy",
        ],
    )
    def test_not_where_one_agency_keeps_some_of_it(
        self, two: tuple[Feed, Feed], days: int | str | None, had_a_night: bool
    ) -> None:
        pushed(two[0], *january(5))
        pushed(two[1], *january(3))
        if not isinstance(days, str):
            rule(two[1].agency, days, had_a_night=had_a_night)
        assert retention_run(policy=rule(two[0].agency, 40), now=NOW).deleted == 5
        assert (told(two[0].agency), told(two[1].agency)) == ([5], [])
        assert date(2026, 1, 1) in months()
        assert set(VehiclePosition.objects.values_list("agency", flat=True)) == {two[1].agency_id}
        assert VehiclePosition.objects.count() == 3

    def test_not_where_the_own_policy_still_wants_a_day(self, two: tuple[Feed, Feed]) -> None:
        ends = datetime(2026, 2, 1, tzinfo=UTC)
        pushed(two[0], *january(), ends - timedelta(minutes=1))
        policy = rule(two[0].agency, 40)
        # The cut-off falls one second before the month's end, then on it.
        assert position_months_drop(policy=policy, now=ends + timedelta(days=40, seconds=-1)) == 0
        assert position_months_drop(policy=policy, now=ends + timedelta(days=40)) == 4

    def test_a_month_without_own_rows_is_left_to_those_who_have_some(self, two: tuple[Feed, Feed]) -> None:
        pushed(two[1], *january())
        rule(two[1].agency, 20)
        retention_run(policy=rule(two[0].agency, 20), now=NOW)
        assert VehiclePosition.objects.count() == 3
        assert told(two[1].agency) == []

    def test_a_policy_that_is_longer_in_the_meantime_is_seen(self, two: tuple[Feed, Feed]) -> None:
        pushed(two[0], *january())
        policy = rule(two[0].agency, 20)
        RetentionPolicy.objects.filter(pk=policy.pk).update(delete_after_days=None)
        assert position_months_drop(policy=policy, now=NOW) == 0
        assert VehiclePosition.objects.count() == 3

    def test_killed_while_it_counts_each_is_told_once(
        self, two: tuple[Feed, Feed], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for feed, n in zip(two, (5, 3), strict=True):
            pushed(feed, *january(n))
            rule(feed.agency, 20)
        policy, real, seen = RetentionPolicy.objects.get(agency=two[0].agency), service.retention_record, []

        def dying(**told_of: Any) -> None:
            seen.append(told_of)
            if len(seen) == 2:
                raise KeyboardInterrupt
            real(**told_of)

        monkeypatch.setattr(service, "retention_record", dying)
        with pytest.raises(KeyboardInterrupt):
            position_months_drop(policy=policy, now=NOW)
        assert (told(two[0].agency), told(two[1].agency)) == ([5], [])
        assert position_months_state(now=NOW).leaving == (date(2026, 1, 1),)
        monkeypatch.setattr(service, "retention_record", real)
        # Pushed again meanwhile, and taken up by the hour's work: nothing of it is lost.
        pushed(two[1], january(1)[0])
        position_months_keep(now=NOW)
        assert (told(two[0].agency), told(two[1].agency)) == ([5], [3])
        assert position_months_state(now=NOW).leaving == ()
        assert VehiclePosition.objects.count() == 1

    def test_a_month_that_came_again_before_its_room_was_free_waits(
        self, two: tuple[Feed, Feed], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Somebody saves the database: the old rows cannot be dropped yet.
        with monkeypatch.context() as held:
            held.setattr(service, "_drop", lambda table: False)
            pushed(two[0], *january())
            policy = rule(two[0].agency, 20)
            assert position_months_drop(policy=policy, now=NOW) == 3
            pushed(two[0], *january(2))
            position_months_keep(now=NOW)
            assert date(2026, 1, 1) in months()
            assert position_months_drop(policy=policy, now=NOW) == 0
            assert VehiclePosition.objects.count() == 2
        assert retention_run(policy=policy, now=NOW).deleted == 2
        assert told(two[0].agency) == [3, 2]
        assert position_months_state(now=NOW).leaving == ()

    def test_of_many_agencies_each_is_found(self, two: tuple[Feed, Feed]) -> None:
        feeds = [*two, *(plain_feed(make_agency(f"a{number}")) for number in range(5))]
        for feed in feeds:
            pushed(feed, *january())
        with connection.cursor() as cursor:
            found = service._agencies_in(cursor, POSITIONS.piece(date(2026, 1, 1)))
            assert found == sorted(feed.agency_id for feed in feeds)
            assert service._agencies_in(cursor, POSITIONS.rest) == []


class TestTheDoctorSaysWhatIsWrong:
    pytestmark = on_postgres

    def test_nothing_where_all_is_in_place(self, two: tuple[Feed, Feed]) -> None:
        position_months_keep(now=timezone.now())
        pushed(two[0], timezone.now())
        assert list(doctor.position_months()) == []

    def test_a_missing_month_rows_in_the_rest_and_a_month_given_up_by_half(
        self, two: tuple[Feed, Feed]
    ) -> None:
        pushed(two[0], *january())
        position_months_keep(now=timezone.now())
        coming = monthly.month_after(monthly.month_of(timezone.now()))
        pushed(two[0], datetime(2019, 3, 5, tzinfo=UTC))
        asked("SET CONSTRAINTS ALL IMMEDIATE")
        asked(f"DROP TABLE {POSITIONS.piece(coming)}")
        with connection.cursor() as cursor:
            monthly.month_take_out(cursor, POSITIONS, date(2026, 1, 1))
        found = [
            (level, what)
            for level, what, next_step in doctor.position_months()
            if "queue ingest" in next_step
        ]
        assert [level for level, _ in found] == [Level.ERROR, Level.WARNING, Level.WARNING]
        assert f"for {coming:%Y-%m}." in found[0][1]
        assert "outside the months" in found[1][1]
        assert "2026-01 of vehicle positions was given up" in found[2][1]
        position_months_keep(now=timezone.now())
        assert list(doctor.position_months()) == []


class Other(threading.Thread):
    """Work on a connection of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self.work, self.found, self.error = work, None, None

    def run(self) -> None:
        try:
            self.found = self.work()
        except Exception as error:  # noqa: BLE001 - told to the test
            self.error = error  # type: ignore[assignment]
        finally:
            connection.close()


class TestTwoAtOnce:
    pytestmark = for_real

    @pytest.fixture(autouse=True)
    def clean(self, transactional_db: None) -> Any:
        """Today's months again afterwards: the tables outlive the test."""
        yield
        VehiclePosition.objects.all().delete()
        position_months_keep(now=timezone.now())
        with connection.cursor() as cursor:
            for month in monthly.months(cursor, POSITIONS):
                if month < monthly.month_of(timezone.now()):
                    cursor.execute(f"DROP TABLE {POSITIONS.piece(month)}")

    def test_one_keeps_the_months_and_the_other_goes_home(self) -> None:
        pushed(plain_feed(make_agency()), *(datetime(2019, month, 5, tzinfo=UTC) for month in range(1, 7)))
        others = [Other(lambda: position_months_keep(now=NOW)) for _ in range(4)]
        for other in others:
            other.start()
        for other in others:
            other.join(60)
        assert [other.error for other in others] == [None] * 4
        # Who came when the first was ready had nothing left to do.
        assert sorted(other.found for other in others)[:3] == [0, 0, 0]
        assert lying_in(POSITIONS.rest) == 0
        assert VehiclePosition.objects.count() == 6

    def test_a_push_under_way_is_waited_for_and_seen(self) -> None:
        """Lakeside, which keeps all, pushes into the month while riverton's night decides: its row stays, whoever is first."""
        mine, theirs = plain_feed(make_agency("riverton")), plain_feed(make_agency("lakeside"))
        position_months_keep(now=NOW - timedelta(days=60))
        pushed(mine, *january())
        policy = rule(mine.agency, 20)
        night = Other(lambda: position_months_drop(policy=policy, now=NOW))
        with transaction.atomic():
            pushed(theirs, january(1)[0])
            night.start()
            # It waits for us, two seconds at most a try.
            night.join(1.0)
            assert night.is_alive()
        night.join(60)
        assert (night.error, night.found) == (None, 0)
        assert VehiclePosition.objects.count() == 4
        assert date(2026, 1, 1) in months()

    def test_a_month_that_is_read_for_long_is_left_for_another_night(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            monthly, "patience", lambda cursor: cursor.execute("SET LOCAL lock_timeout = '50ms'")
        )
        mine = plain_feed(make_agency())
        position_months_keep(now=NOW - timedelta(days=60))
        pushed(mine, *january())
        policy = rule(mine.agency, 20)
        with transaction.atomic():
            assert VehiclePosition.objects.count() == 3
            night = Other(lambda: position_months_drop(policy=policy, now=NOW))
            night.start()
            night.join(60)
            assert (night.error, night.found) == (None, 0)
        assert VehiclePosition.objects.count() == 3
        # Row by row it goes all the same.
        with transaction.atomic():
            assert retention_run(policy=policy, now=NOW).deleted == 3

    def test_a_push_that_waits_while_its_month_gets_a_piece_is_stored_there(self) -> None:
        mine = push_feed(make_agency(), "positions", slug="avl")
        position_months_keep(now=NOW - timedelta(days=60))
        pushed(mine, datetime(2018, 3, 5, tzinfo=UTC))
        lon, lat = place(1)
        rows = [{"unit": "R11", "at": "2018-03-06T10:00:00Z", "lon": str(lon), "lat": str(lat)}]
        chunk = RowChunk.from_rows(rows, ("unit", "at", "lon", "lat"))
        other = Other(lambda: positions_store(feed=mine, chunk=chunk, now=NOW))
        with transaction.atomic():
            with connection.cursor() as cursor:
                monthly.month_add(cursor, POSITIONS, date(2018, 3, 1))
            other.start()
            other.join(1.0)
            assert other.is_alive(), "it waits for the rest"
        other.join(60)
        assert other.error is None
        assert other.found.counts["inserted"] == 1
        assert lying_in(POSITIONS.piece(date(2018, 3, 1))) == 2
        assert lying_in(POSITIONS.rest) == 0

    def test_pushes_of_other_months_go_on_while_the_rest_is_emptied(self) -> None:
        mine = plain_feed(make_agency())
        position_months_keep(now=NOW - timedelta(days=60))
        pushed(mine, datetime(2018, 3, 5, tzinfo=UTC))
        other = Other(lambda: (pushed(mine, NOW), list(VehiclePosition.objects.filter(agency=mine.agency, at__gte=NOW, at__lt=NOW + timedelta(hours=8)))))  # fmt: skip
        with transaction.atomic():
            with connection.cursor() as cursor:
                monthly.month_add(cursor, POSITIONS, date(2018, 3, 1))
            other.start()
            other.join(30)
            assert not other.is_alive(), "it waited for a month that is none of its"
        assert other.error is None
        assert len(other.found[1]) == 1

    def test_another_refusal_is_not_tried_again(self) -> None:
        seen: list[int] = []

        def refused() -> None:
            seen.append(1)
            pushed(plain_feed(make_agency()), NOW, NOW)

        with pytest.raises(IntegrityError):
            service.again_for_new_month(refused)
        assert seen == [1]
