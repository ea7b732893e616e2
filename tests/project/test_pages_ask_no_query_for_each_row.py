"""No page asks more queries when there are five times as many rows: a query for each row is found, for every role and the operator."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, reset_queries
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agencies.models import AuditEvent
from agencies.services import audit_record
from ingestion.models import ImportRun
from patrols.models import Engagement
from tactics.models import Hunch, ImpactStudy, SavedReport
from tests.eyes import signed_in
from tests.factories import make_operator
from tests.rich_town import ROLES, RichTown, rich_town
from tools.page_walk import pages_of

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]
SPARE = 2
TIMES = 4
"""Each row again so often: a query for each row must stand out from what is spare, where there was one row."""


def again(rows: QuerySet[Any], **fields: Callable[[str], Any]) -> None:
    """These rows again, ``TIMES`` over. ``fields``: what must be unique, made from a text that is."""
    for number, row in enumerate(list(rows) * TIMES):
        # The same object comes back each time round, and is another row each time.
        row.pk, row._state.adding = None, True
        for name, make in fields.items():
            setattr(row, name, make(f"again {number}"))
        row.save(force_insert=True)


def grow(town: RichTown) -> None:
    """More of what pages list: saved reports, hunches, drafts of studies, imports, visits, events of the log."""
    agency = town.agency
    again(SavedReport.objects.filter(agency=agency), name=str)
    again(Hunch.objects.filter(agency=agency), uuid=lambda text: uuid.uuid4())
    again(ImpactStudy.objects.filter(agency=agency, state="draft"), name=str)
    again(ImportRun.objects.filter(agency=agency))
    again(Engagement.objects.filter(agency=agency, left_at__isnull=False).order_by("-pk")[:30])
    for event in AuditEvent.objects.filter(agency=agency).select_related("actor").order_by("-pk")[:20]:
        audit_record(agency=agency, actor=event.actor, action=event.action, subject=event.subject)


def asked_by(client: Client, address: str) -> int:
    # The log of queries has an end: behind it nothing would be counted.
    reset_queries()
    with CaptureQueriesContext(connection) as asked:
        client.get(address)
    return len(asked)


def test_no_page_asks_more_when_there_are_more_rows(tmp_path: Path) -> None:
    town = rich_town(tmp_path)
    people = {**{role: town.people[role] for role in ROLES}, "operator": make_operator()}
    pages = {}
    for role, person in people.items():
        start = {"officer": ("/",), "operator": ("/operator/", "/admin/")}.get(role, (town.board, "/"))
        but = ("/accounts/",) if role in ("admin", "operator") else ("/accounts/", "/admin/")
        pages[role] = {one.name: one.address for one in pages_of(signed_in(person), start, but=but)}
    clients = {role: signed_in(person) for role, person in people.items()}
    asked = [(role, name, address) for role in people for name, address in pages[role].items()]
    before = {one: asked_by(clients[one[0]], one[2]) for one in asked}
    assert sum(before.values()) > 5_000
    grow(town)
    more = {}
    for one in asked:
        most = before[one] + SPARE
        # Asked again, where it is more: figures of what was imported are worked out once, and kept.
        if asked_by(clients[one[0]], one[2]) > most and (n := asked_by(clients[one[0]], one[2])) > most:
            more[one] = f"{before[one]} → {n}"
    assert more == {}
