"""A page's form that names another agency's row, in whichever field or part of the address, reads, links and changes nothing there.

Which addresses take writing is asked of the addresses; which fields they read, of the pages while they read them.
"""

from __future__ import annotations

import pytest

from tests.tenancy.names import listening
from tests.tenancy.pages import WRITES, address_of, agency_addresses, parts_of, send, text_of
from tests.tenancy.towns import NAME, two_towns
from tests.tenancy.trying import attempts, undone, wrongs
from tests.tenancy.walk import crossings, rows_of

pytestmark = [pytest.mark.slow, pytest.mark.both_databases, pytest.mark.django_db]
ADDRESSES = dict(agency_addresses())


def test_every_address_that_takes_writing_is_listed() -> None:
    ours, _theirs = two_towns()
    client = ours.client("admin")
    taking = set()
    for name, parts in ADDRESSES.items():
        with undone():
            if client.post(address_of(ours, name, parts_of(ours, name, parts))).status_code != 405:
                taking.add(name)
    assert taking == set(WRITES)


def test_no_form_reaches_another_agencys_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = two_towns()
    before, own = rows_of(theirs.agency), rows_of(ours.agency)
    assert not crossings()
    problems: list[str] = []
    tried = 0
    for name, write in WRITES.items():
        with undone():
            write.first(ours)
            ready = rows_of(ours.agency)
            parts, body = parts_of(ours, name, ADDRESSES[name]), write.body(ours)
            with undone(), listening(monkeypatch) as heard:
                answer = send(ours, name, parts, body)
                # Otherwise what follows would be refused for another reason.
                assert answer.status_code == 200, (name, answer.status_code, text_of(answer)[:2000])
                changed = {table for table, rows in rows_of(ours.agency).items() if rows != ready[table]}
                assert bool(changed) == write.changes, (name, changed, text_of(answer)[:3000])
            for attempt, path, sent in attempts(theirs, name, parts, body, heard):
                tried += 1
                with undone() as written:
                    answer = send(ours, name, path, sent)
                    found = wrongs(theirs, ours, before, written, text_of(answer))
                    if path != parts and answer.status_code not in (404, 405):
                        found.append(f"answered {answer.status_code}")
                    problems += [f"{name}, {attempt}: {one}" for one in found]
    assert not problems, "\n".join(problems)
    assert tried > 150, tried
    assert (rows_of(theirs.agency), rows_of(ours.agency)) == (before, own)


def test_no_query_and_no_address_reads_another_agencys_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = two_towns()
    client = ours.client("admin")
    problems: list[str] = []
    tried = read = 0
    for name, places in ADDRESSES.items():
        parts = parts_of(ours, name, places)
        with undone(), listening(monkeypatch) as heard:
            answer = client.get(address_of(ours, name, parts), follow=True)
            assert answer.status_code < 500, name
            read += answer.status_code == 200
        for attempt, path, query in attempts(theirs, name, parts, {}, heard):
            tried += 1
            with undone():
                answer = client.get(address_of(ours, name, path), query, follow=True)
                if NAME in text_of(answer):
                    problems.append(f"{name}, {attempt}: a name of theirs is told")
                if answer.status_code >= 500 or (path != parts and answer.status_code not in (404, 405)):
                    problems.append(f"{name}, {attempt}: answered {answer.status_code}")
    assert not problems, "\n".join(problems)
    assert read > 80, read
    assert tried > 250, tried
    assert not crossings()
