"""Administrators and auditors read their agency's audit log and take it away; an auditor checks the file without the product."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.engine.audit_chain import Row, row_hash
from agencies.models import Agency, AuditEvent, User
from agencies.services import audit_record
from tests.auditing import without_guards
from tests.factories import make_agency, make_member, make_operator
from tools import verify_audit_export

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
PAGE, TABLE, LINES = "/riverton/audit-log/", "/riverton/audit-log.csv", "/riverton/audit-log.jsonl"
SCRIPT = Path(verify_audit_export.__file__)


def write(
    agency: Agency, actor: User | None, subject: str, *, at: datetime | None = None, **fields: Any
) -> None:
    event = AuditEvent(
        agency=agency, actor=actor, action=fields.pop("action", "unit.changed"), subject=subject, **fields
    )
    event.at = at or timezone.now()
    event.save()


@pytest.fixture
def log(agency: Agency, owner: User, colleague: User) -> Agency:
    """Six rows of Riverton's on three days, two of Harborview's."""
    first = datetime(2026, 3, 12, 18, tzinfo=UTC)
    for number in range(6):
        write(
            agency, owner if number % 2 else colleague, f"Unit R1{number}", at=first + timedelta(hours=12 * number),
            why="Naïve “why”\u2028", detail={"n": float(number), "share": 0.1, "big": 1e20, "z": {"b": [None, True], "a": -0.0}},
        )  # fmt: skip
    other = make_agency("harborview")
    for _ in range(2):
        write(other, None, "Unit L1 of theirs", at=first)
    return agency


def lines(client: Client, query: str = "") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    answer = client.get(LINES + query)
    assert answer.status_code == 200, answer.content
    told = [json.loads(line) for line in b"".join(answer).decode().split("\n") if line]
    return told[0], told[1:]


def test_only_those_who_answer_for_it_or_look_into_it_see_it(
    log: Agency, sign_in: SignIn, stranger: User
) -> None:
    seen = {
        role: [sign_in(make_member(log, role)).get(address).status_code for address in (PAGE, TABLE, LINES)]
        for role in ("admin", "auditor", "analyst", "supervisor", "officer")
    }
    assert seen == {
        "admin": [200] * 3, "auditor": [200] * 3, "analyst": [403] * 3, "supervisor": [403] * 3, "officer": [403] * 3,
    }  # fmt: skip
    assert sign_in(stranger).get(PAGE).status_code == 404
    assert sign_in(make_operator()).get(PAGE).status_code == 200
    assert sign_in(None).get(LINES).status_code == 302
    assert (
        "audit-log"
        in sign_in(make_member(log, "auditor"))
        .get(reverse("tactics:reports", args=["riverton"]))
        .content.decode()
    )
    assert (
        "audit-log"
        not in sign_in(make_member(log, "analyst"))
        .get(reverse("tactics:reports", args=["riverton"]))
        .content.decode()
    )


def test_nothing_of_another_agency_is_in_it(log: Agency, sign_in: SignIn, owner: User) -> None:
    client = sign_in(owner)
    page = client.get(PAGE).content.decode()
    assert "Unit R13" in page
    assert "of theirs" not in page
    assert {row["chain"] for row in lines(client)[1]} == {f"agency:{log.pk}"}
    assert b"of theirs" not in b"".join(client.get(TABLE))


@pytest.mark.parametrize(
    ("query", "units"),
    [
        ("", "012345"),
        ("?who=owner", "135"),
        ("?subject=r12", "2"),
        ("?action=unit.changed&who=colleague", "024"),
        ("?action=unit.deleted", ""),
        # Days are Chicago's: 18:00 UTC on the 12th is noon there, 06:00 UTC on the 13th still the 13th.
        ("?from=2026-03-13&to=2026-03-13", "12"),
        ("?from=2026-03-14", "345"),
        ("?to=2026-03-12", "0"),
        ("?who=nobody+of+that+name", ""),
        ("?page=9999999999999999999999", "012345"),
    ],
)
def test_it_is_asked_by_person_deed_subject_and_days(
    log: Agency, sign_in: SignIn, owner: User, query: str, units: str
) -> None:
    client = sign_in(owner)
    page = client.get(PAGE + query).content.decode()
    assert "".join(number for number in "012345" if f">Unit R1{number}<" in page) == units
    assert (
        "".join(row["subject"][-1] for row in lines(client, query)[1] if row["action"] == "unit.changed")
        == units
    )


@pytest.mark.parametrize("query", ["?from=yesterday", "?to=2026-02-30", "?from=2026-03-14&to=2026-03-13", "?from=9999-12-31", "?to=0001-01-01"])  # fmt: skip
def test_days_that_make_no_sense_are_said(log: Agency, sign_in: SignIn, owner: User, query: str) -> None:
    client = sign_in(owner)
    assert [client.get(address + query).status_code for address in (PAGE, TABLE, LINES)] == [400] * 3
    assert "Next step" in client.get(TABLE + query).content.decode()


def test_fifty_rows_a_page_newest_first_in_few_queries(
    log: Agency, sign_in: SignIn, owner: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        audit_record(agency=log, actor=owner, action="unit.changed", subject=f"Row {number:02d}")
    client = sign_in(owner)
    page = client.get(f"{PAGE}?who=owner").content.decode()
    assert page.index("Row 59") < page.index("Row 10")
    assert "Row 09" not in page
    assert "who=owner&amp;page=2" in page
    assert "Row 09" in client.get(f"{PAGE}?who=owner&page=2").content.decode()
    with django_assert_max_num_queries(12):
        client.get(PAGE)


def test_each_download_is_itself_in_the_log(log: Agency, sign_in: SignIn, owner: User) -> None:
    client = sign_in(owner)
    head, rows = lines(client, "?from=2026-03-13")
    told = AuditEvent.objects.get(action="file exported")
    assert (told.agency, told.actor) == (log, owner)
    assert told.detail == {"address": LINES, "asked": [["from", "2026-03-13"]]}
    # Of which nothing stands in itself: the file ends where the log ended when it was asked for.
    assert len(rows) == 5
    assert "file exported" in {row["action"] for row in lines(client)[1]}
    assert head["about"]["agency"] == log.name


def checked(tmp_path: Path, *files: str) -> tuple[int, str]:
    """The script's verdict, run as an auditor does: by a Python that has none of our packages."""
    names = []
    for number, text in enumerate(files):
        path = tmp_path / f"{number}.jsonl"
        path.write_text(text, encoding="utf-8")
        names.append(str(path))
    done = subprocess.run([sys.executable, "-I", "-S", SCRIPT, *names], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def exported(client: Client, query: str = "") -> str:
    return b"".join(client.get(LINES + query)).decode()


def test_an_auditor_checks_the_file_without_the_product(
    log: Agency, sign_in: SignIn, owner: User, tmp_path: Path
) -> None:
    text = exported(sign_in(owner))
    code, said = checked(tmp_path, text)
    assert code == 0, said
    last = AuditEvent.objects.filter(agency=log).get(sequence=6)
    assert f"6 rows, 0 findings; the last is 6 {last.hash}" in said
    assert json.loads(text.split("\n")[0])["end"]["hash"] == last.hash
    for query in ("?from=2026-03-13&to=2026-03-13", "?who=owner", "?subject=r14"):
        assert checked(tmp_path, exported(sign_in(owner), query))[0] == 0, query


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda rows: rows[2].update(subject="nothing happened"), "row 3 was changed"),
        (lambda rows: rows[2]["detail"].update(n=7), "row 3 was changed"),
        (lambda rows: rows.pop(2), "between row 2 and row 4 rows are missing"),
        (lambda rows: rows.insert(1, rows.pop(3)), "rows are missing"),
        (lambda rows: rows[5].update(hash="0" * 64), "row 6 was changed"),
    ],
)
def test_a_changed_file_is_found_out(
    log: Agency, sign_in: SignIn, owner: User, tmp_path: Path, spoil: Callable[[Any], Any], words: str
) -> None:
    head, *rows = [json.loads(line) for line in exported(sign_in(owner)).split("\n") if line]
    spoil(rows)
    code, said = checked(tmp_path, "\n".join(json.dumps(line) for line in (head, *rows)))
    assert code == 1
    assert words in said


def test_a_log_that_was_rewritten_differs_from_an_earlier_file(
    log: Agency, sign_in: SignIn, owner: User, tmp_path: Path
) -> None:
    client = sign_in(owner)
    before = exported(client)
    event = AuditEvent.objects.get(agency=log, sequence=6)
    event.subject = "nothing happened"
    with without_guards():
        AuditEvent.objects.filter(pk=event.pk).update(subject=event.subject, hash=row_hash(event.as_row()))
    code, said = checked(tmp_path, before, exported(client, "?to=2026-03-15"))
    assert code == 1
    assert "row 6 is another one than in" in said


def test_the_script_takes_the_same_fingerprint_as_the_product() -> None:
    row = Row(
        "agency:1",
        1,
        "0" * 64,
        datetime(2026, 5, 1, tzinfo=UTC),
        7,
        "ada",
        "x",
        "Ü\u2028",
        "",
        "",
        None,
        {"n": 2.0, "a": [1e300, -0.0, "ä"]},
    )
    told = {**vars(row), "at": "2026-05-01T00:00:00.000000+00:00"}
    assert verify_audit_export.fingerprint(told) == row_hash(row)


def test_the_table_says_what_it_is_and_runs_no_formula(log: Agency, sign_in: SignIn, owner: User) -> None:
    audit_record(agency=log, actor=owner, action="x", subject="=1+1", why="@SUM(1)")
    text = b"".join(sign_in(owner).get(f"{TABLE}?who=owner")).decode()
    lines_of_file = text.split("\r\n")
    head = [line for line in lines_of_file if line.startswith("#")]
    assert "Riverton" in head[0]
    assert "done by owner" in head[1]
    assert any("not against the one before" in line for line in head)
    rows = list(csv.DictReader(io.StringIO("\r\n".join(lines_of_file[len(head) :]), newline="")))
    assert [row["subject"] for row in rows] == ["Unit R11", "Unit R13", "Unit R15", "'=1+1"]
    assert rows[-1]["why"] == "'@SUM(1)"
    stored = AuditEvent.objects.get(agency=log, sequence=2)
    assert (rows[0]["hash"], rows[0]["previous"]) == (stored.hash, stored.previous)
