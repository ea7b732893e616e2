"""The audit log is append-only, and whoever gets around that is found out: by raw SQL, as an intruder would."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from agencies.audit_guards import guards_missing
from agencies.engine.audit_chain import START, Row, canonical, row_hash
from agencies.models import Agency, AuditChain, AuditCheckpoint, AuditEvent, Unit, User
from agencies.services import audit_last, audit_record
from agencies.services.audit_log import audit_csv, audit_lines, audit_retire, audit_rows, audit_verify
from missions_project.lib.errors import MissionsError
from missions_project.lib.seals import seal
from tests.auditing import locks_behind_the_chains, without_guards
from tests.factories import make_agency
from tools import verify_audit_export

pytestmark = pytest.mark.django_db


def write(agency: Agency, number: int = 6, actor: User | None = None) -> list[AuditEvent]:
    return [
        audit_record(
            agency=agency, actor=actor, action="unit.changed", subject=f"Unit {n}", why="Naïve “why”",
            detail={"n": float(n), "share": 0.1, "big": 1e20, "names": ["a", None, True], "z": {"b": 1, "a": -0.0}},
        )
        for n in range(number)
    ]  # fmt: skip


def sql(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def problems(agency: Agency) -> list[str]:
    return list(audit_verify(agency=agency)[0].problems)


def test_rows_as_they_are_written_are_a_whole_chain(agency: Agency, owner: User) -> None:
    events = write(agency, actor=owner)
    write(make_agency("lakeside"), 2)
    audit_record(agency=None, actor=owner, action="agency.created", subject="X")
    assert [event.sequence for event in events] == list(range(1, 7))
    assert events[3].previous == events[2].hash
    assert events[0].previous == START
    reports = audit_verify()
    assert [(report.rows, report.problems) for report in reports] == [(6, ()), (2, ()), (1, ())]
    call_command("verify_audit_log", stdout=io.StringIO())


def test_chains_are_told_as_the_agencies_were_made_and_the_installations_last(owner: User) -> None:
    for pk, slug in ((900_009, "nine"), (900_010, "ten"), (9_000_000, "far"), (99, "first")):
        write(make_agency(slug, pk=pk), 1)
    audit_record(agency=None, actor=owner, action="agency.created", subject="X")
    pks = (99, 900_009, 900_010, 9_000_000)
    told = [*(f"agency:{pk}" for pk in pks), "installation"]
    assert [report.chain for report in audit_verify() if report.chain in told] == told


def test_the_fingerprints_text_is_fixed_for_ever() -> None:
    row = Row(
        "agency:1", 1, START, datetime(2026, 5, 1, tzinfo=UTC), 7, "ada", "x", "X", "", "", None, {"n": 2.0}
    )
    assert canonical(row).decode() == (
        '{"action":"x","actor":7,"actor_name":"ada","at":"2026-05-01T00:00:00.000000+00:00","chain":"agency:1",'
        f'"detail":{{"n":2}},"model":"","previous":"{START}","row":null,"sequence":1,"subject":"X","v":1,"why":""}}'
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE agencies_auditevent SET subject = 'x'",
        "UPDATE agencies_auditevent SET actor_id = NULL, why = 'x'",
        "DELETE FROM agencies_auditevent",
        "DELETE FROM agencies_auditchain",
        "UPDATE agencies_auditchain SET length = 1",
    ],
)
def test_the_database_itself_refuses(agency: Agency, statement: str) -> None:
    write(agency)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        sql(statement)
    assert problems(agency) == []


@pytest.mark.postgres
@pytest.mark.parametrize(
    "tables",
    [
        "agencies_auditevent",
        "agencies_auditchain",
        "agencies_auditcheckpoint",
        "agencies_agency CASCADE",
        "agencies_user CASCADE",
    ],
)
def test_the_database_refuses_to_be_emptied(agency: Agency, tables: str) -> None:
    write(agency)
    # What waits for the end of the transaction would stand in the way before the guard is asked.
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        sql(f"TRUNCATE {tables}")
    assert AuditEvent.objects.count() == 6
    assert problems(agency) == []


@pytest.mark.postgres
def test_the_guard_against_emptying_is_missed_when_it_is_gone(agency: Agency) -> None:
    sql("DROP TRIGGER audit_event_not_emptied ON agencies_auditevent")
    assert guards_missing(connection) == ["audit_event_not_emptied"]
    call_command("migrate", "agencies", verbosity=0)
    assert guards_missing(connection) == []


def test_an_event_that_was_read_is_not_saved_again(agency: Agency) -> None:
    event = write(agency, 1)[0]
    with pytest.raises(TypeError, match="never edited"):
        event.save()


@pytest.mark.parametrize(
    "column", ["subject", "action", "why", "actor_name", "model", "row_id", "at", "detail"]
)
def test_a_changed_row_is_named(agency: Agency, owner: User, column: str) -> None:
    write(agency, actor=owner)
    value = {"row_id": 9, "at": timezone.now() + timedelta(seconds=1), "detail": '{"n": 9}'}.get(
        column, "other"
    )
    with without_guards():
        sql(f"UPDATE agencies_auditevent SET {column} = %s WHERE sequence = 3", value)
    assert problems(agency) == ["row 3 was changed after it was written."]
    with pytest.raises(CommandError, match="not whole: 1 findings"):
        call_command("verify_audit_log", stdout=io.StringIO())


def test_a_forger_without_the_key_is_named_although_the_fingerprint_fits(agency: Agency) -> None:
    event = write(agency)[5]
    event.subject = "nothing happened"
    digest = row_hash(event.as_row())
    with without_guards():
        sql(
            "UPDATE agencies_auditevent SET subject = %s, hash = %s WHERE sequence = 6", event.subject, digest
        )
        sql("UPDATE agencies_auditchain SET head = %s", digest)
    found = problems(agency)
    assert "row 6 was not written here: its seal does not fit." in found
    assert "the record of where it ends was not written here: its seal does not fit." in found


@pytest.mark.parametrize(("gone", "words"), [("= 3", "row 3 is missing."), ("> 4", "rows 5 to 6 are missing."),
                                             ("< 3", "rows 1 to 2 are missing."), ("> 0", "rows 1 to 6 are missing.")])  # fmt: skip
def test_removed_rows_are_named_also_at_both_ends(agency: Agency, gone: str, words: str) -> None:
    write(agency)
    with without_guards():
        sql(f"DELETE FROM agencies_auditevent WHERE sequence {gone}")
    assert problems(agency) == [words]


def test_rows_that_changed_places_are_named(agency: Agency) -> None:
    write(agency)
    with without_guards():
        for before, after in ((2, 99), (4, 2), (99, 4)):
            sql("UPDATE agencies_auditevent SET sequence = %s WHERE sequence = %s", after, before)
    assert problems(agency) == ["row 2 was written as row 4.", "row 4 was written as row 2."]


def test_a_row_given_to_another_person_or_agency_is_named(
    agency: Agency, owner: User, stranger: User
) -> None:
    write(agency, actor=owner)
    other = Agency.objects.get(slug="lakeside")
    with without_guards():
        sql("UPDATE agencies_auditevent SET actor_id = %s WHERE sequence = 2", stranger.pk)
        sql("UPDATE agencies_auditevent SET agency_id = %s WHERE sequence = 5", other.pk)
    assert problems(agency) == ["row 2 was given another person.", "row 5 was given to another agency."]


def test_a_chain_whose_end_was_deleted_is_found(agency: Agency) -> None:
    write(agency)
    with without_guards():
        sql("DELETE FROM agencies_auditchain")
    assert problems(agency)[0] == "the record of where it ends is missing."
    assert [report.chain for report in audit_verify()] == [f"agency:{agency.pk}"]


def test_missing_guards_are_said_and_come_back_with_migrate(agency: Agency) -> None:
    write(agency, 1)
    sql(
        "DROP TRIGGER audit_event_kept"
        + (" ON agencies_auditevent" if connection.vendor == "postgresql" else "")
    )
    assert guards_missing(connection) == ["audit_event_kept"]
    with pytest.raises(CommandError, match="not whole"):
        call_command("verify_audit_log", stdout=io.StringIO())
    call_command("migrate", "agencies", verbosity=0)
    assert guards_missing(connection) == []


def test_a_deleted_account_leaves_its_name_and_a_whole_chain(agency: Agency, colleague: User) -> None:
    write(agency, 2, actor=colleague)
    colleague.delete()
    event = AuditEvent.objects.get(sequence=1)
    assert (event.actor, event.actor_name) == (None, "colleague")
    assert problems(agency) == []


def test_retired_rows_leave_a_stub_and_the_rest_is_verified(agency: Agency) -> None:
    write(agency)
    assert audit_retire(events=AuditEvent.objects.filter(sequence__lte=4), why="Old.") == 4
    stub = AuditCheckpoint.objects.get()
    assert (stub.sequence, stub.rows, stub.why) == (4, 4, "Old.")
    write(agency, 2)
    assert audit_retire(events=AuditEvent.objects.filter(sequence__lte=5), why="Old.") == 1
    report = audit_verify(agency=agency)[0]
    assert (report.rows, report.retired, report.problems) == (3, 5, ())
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        sql("DELETE FROM agencies_auditcheckpoint")


def test_only_the_chains_beginning_is_retired(agency: Agency) -> None:
    write(agency)
    with pytest.raises(MissionsError, match="nothing was deleted"):
        audit_retire(events=AuditEvent.objects.filter(sequence__in=[1, 3]), why="Old.")
    assert AuditEvent.objects.count() == 6
    assert not AuditCheckpoint.objects.exists()


def test_a_checkpoint_made_up_to_delete_under_is_found(agency: Agency) -> None:
    events = write(agency)
    AuditCheckpoint.objects.create(
        chain=events[0].chain, sequence=3, hash=events[2].hash, rows=3, oldest_at=events[0].at, newest_at=events[2].at,
        why="Old.", seal=seal("audit row", events[2].hash.encode()),
    )  # fmt: skip
    sql("DELETE FROM agencies_auditevent WHERE sequence <= 3")
    assert problems(agency) == ["the checkpoint at row 3 was not written here: it was sealed with a key that this installation does not hold."]  # fmt: skip


def test_a_deleted_agency_leaves_a_stub() -> None:
    agency = Agency.objects.create(slug="harbor", name="Harbor", time_zone="America/Chicago")
    write(agency)
    key = f"agency:{agency.pk}"
    agency.delete()
    assert not AuditEvent.objects.filter(chain=key).exists()
    report = next(report for report in audit_verify() if report.chain == key)
    assert (report.rows, report.retired, report.problems) == (0, 6, ())


def test_a_database_put_back_is_found_by_an_earlier_print(agency: Agency, tmp_path: Path) -> None:
    write(agency, 3)
    said = io.StringIO()
    head = AuditChain.objects.get()
    write(agency, 2)
    call_command("verify_audit_log", stdout=said)
    earlier = tmp_path / "heads.txt"
    earlier.write_text(said.getvalue())
    call_command("verify_audit_log", against=earlier, stdout=said)
    with without_guards():
        sql("DELETE FROM agencies_auditevent WHERE sequence > 3")
        sql("UPDATE agencies_auditchain SET length = 3, head = %s, seal = %s", head.head, head.seal)
    assert problems(agency) == []
    with pytest.raises(CommandError, match="not whole: 1 findings"):
        call_command("verify_audit_log", against=earlier, stdout=said)
    assert "row 5 was there when the earlier check ran, and is not now." in said.getvalue()


def test_an_auditor_checks_the_exported_lines_alone(agency: Agency, owner: User, tmp_path: Path) -> None:
    write(agency, actor=owner)
    lines = [json.loads(line) for line in audit_lines(audit_rows(agency=agency))]
    last = START
    for told in lines:
        row = Row(**{**told, "at": datetime.fromisoformat(told["at"])})
        assert told["previous"] == last
        assert row_hash(row) == told["hash"]
        last = told["hash"]
    target = tmp_path / "audit.jsonl"
    call_command("export_audit_log", agency.slug, to=target, stdout=io.StringIO())
    head, *rows_written = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(rows_written) == 6
    assert (head["about"]["agency"], head["about"]["time_zone"], head["whole"]) == (agency.name, "UTC", True)
    assert head["about"]["filters"].startswith("From the first up to ")
    assert head["about"]["generated_at"]
    assert (head["about"]["model"], head["end"]["sequence"]) == ("none; records as they are stored", 7)
    assert verify_audit_export.main([str(target)]) == 0
    told = AuditEvent.objects.get(action="audit log exported")
    assert (told.agency, told.actor, told.subject) == (agency, None, "audit.jsonl")
    assert told.detail["account"]
    table = io.StringIO()
    audit_record(agency=agency, actor=owner, action="x", subject="=1+1")
    assert audit_csv(audit_rows(agency=agency), table) == 8
    rows = list(csv.DictReader(io.StringIO(table.getvalue())))
    assert rows[0]["actor_name"] == "owner"
    assert rows[7]["subject"] == "'=1+1"


def test_the_commands_table_begins_with_what_it_is(agency: Agency, owner: User, tmp_path: Path) -> None:
    write(agency, actor=owner)
    target, said = tmp_path / "audit.csv", io.StringIO()
    call_command("export_audit_log", agency.slug, to=target, csv=True, stdout=said)
    assert "6 rows written" in said.getvalue()
    with target.open(encoding="utf-8", newline="") as file:
        written = file.read().split("\r\n")
    head = [line for line in written if line.startswith("# ")]
    assert agency.name in head[0]
    assert head[1].startswith("# From the first up to ")
    assert head[1].endswith("; times in UTC")
    assert "# Model: none; records as they are stored" in head
    assert any(line.startswith("# Generated at 2") for line in head)
    rows = list(csv.DictReader(written[len(head) :]))
    assert [row["sequence"] for row in rows] == list("123456")
    # Without an agency: the log of the installation itself.
    call_command("export_audit_log", to=target, csv=True, stdout=said)
    assert "the installation itself" in target.read_text(encoding="utf-8").splitlines()[0]


def test_what_is_rolled_back_leaves_no_gap(agency: Agency) -> None:
    write(agency, 1)
    with transaction.atomic():
        write(agency, 2)
        transaction.set_rollback(True)
    write(agency, 1)
    assert problems(agency) == []
    assert AuditEvent.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_one_chain() -> None:
    agency = make_agency()
    failed: list[Exception] = []

    def many() -> None:
        try:
            write(agency, 10)
        except Exception as exc:  # noqa: BLE001 - handed to the test's own thread
            failed.append(exc)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    report = audit_verify(agency=agency)[0]
    assert (report.rows, report.problems) == (40, ())


def test_the_rows_of_a_change_are_written_at_its_end_or_not_at_all(agency: Agency) -> None:
    with audit_last():
        write(agency, 1)
        with suppress(ZeroDivisionError), audit_last():
            write(agency, len(write(agency, 2)) // 0)
        write(agency, 1)
        assert not AuditEvent.objects.exists()
    assert AuditEvent.objects.count() == 2
    with suppress(ZeroDivisionError), audit_last():
        write(agency, len(write(agency, 1)) // 0)
    write(agency, 1)
    assert AuditEvent.objects.count() == 3
    assert problems(agency) == []


def test_a_row_that_is_locked_behind_the_chain_is_noticed(agency: Agency) -> None:
    with locks_behind_the_chains() as found:
        with transaction.atomic(), audit_last():
            write(agency, 1)
            Unit.objects.filter(agency=agency).update(is_active=True)
        Unit.objects.filter(agency=agency).update(is_active=True)
        assert found == []
        with transaction.atomic():
            write(agency, 1)
            Unit.objects.filter(agency=agency).update(is_active=True)
        assert len(found) == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_changes_in_opposite_orders_do_not_wait_for_each_other() -> None:
    """One logs and then takes a row, the other takes the row and then logs: without ``audit_last`` the database kills one."""
    agency = make_agency()
    unit = Unit.objects.filter(agency=agency)[0]
    meet = threading.Barrier(2)
    failed: list[Exception] = []

    def run(change: Callable[[], None]) -> None:
        try:
            with transaction.atomic(), audit_last():
                change()
        except Exception as exc:  # noqa: BLE001 - handed to the test's own thread
            failed.append(exc)
        finally:
            connections.close_all()

    def log_first() -> None:
        write(agency, 3)
        meet.wait(20)
        Unit.objects.select_for_update().get(pk=unit.pk)

    def row_first() -> None:
        Unit.objects.select_for_update().get(pk=unit.pk)
        meet.wait(20)
        write(agency, 3)

    threads = [threading.Thread(target=run, args=[change]) for change in (log_first, row_first)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    report = audit_verify(agency=agency)[0]
    assert (report.rows, report.problems) == (6, ())
