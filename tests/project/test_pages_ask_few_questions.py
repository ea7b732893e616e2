"""How many queries each page asks, for every page that somebody of an agency reaches: no more than are written down beside this file.

A page that needs more is first looked at (a query for each row?), and then written down anew:

    MISSIONS_WRITE_QUERIES=1 .venv/bin/python -m pytest tests/project/test_pages_ask_few_questions.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ingestion.models import ImportRun, QuarantinedRow
from tactics.models import ReportPolicy
from tactics.services import inquiry_ask, rolling_study_ensure
from tests.factories import make_member
from tests.ingestion.files import plain_feed
from tests.patrols.scenes import ON, make_scene
from tools.page_walk import pages_of

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only, pytest.mark.django_db]
WRITTEN = Path(__file__).with_name("queries_of_pages.json")
SPARE = 3
"""Between a shift and none, morning and evening, pages differ by a few; by rows they do not."""


def counted() -> dict[str, int]:
    """Queries of each page's second answer, by the page's name: as the administrator asks it, or who comes there of the others."""
    cache.clear()
    scene = make_scene()
    admin = make_member(scene.agency, "admin")
    scene.plan(publish=True, actor=admin)
    run = ImportRun.objects.create(agency=scene.agency, feed=plain_feed(scene.agency))
    QuarantinedRow.objects.create(
        agency=scene.agency, feed=run.feed, run=run, row_number=2, code="bad_coordinates", fingerprint="2"
    )
    ReportPolicy.objects.create(agency=scene.agency, unit_activity=True)
    rolling_study_ensure(agency=scene.agency)
    inquiry_ask(agency=scene.agency, kind="curves", choices={})
    people = [
        admin,
        *(make_member(scene.agency, role) for role in ("supervisor", "analyst", "auditor", "officer")),
    ]
    found: dict[str, int] = {}
    for person in people:
        client = Client()
        client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
        for page in pages_of(client, (f"/riverton/shifts/{ON}/evening/", "/")[person is not admin :]):
            if page.name in found:
                continue
            with CaptureQueriesContext(connection) as asked:
                client.get(page.address)
            found[page.name] = len(asked)
    return found


def test_no_page_asks_more_than_is_written_down() -> None:
    found = counted()
    if os.environ.get("MISSIONS_WRITE_QUERIES"):
        WRITTEN.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")
    written = json.loads(WRITTEN.read_text())
    assert len(found) > 150
    assert {"tactics:report unit-activity", "ingestion:kept rms", "tactics:officer"} <= set(found)
    assert set(found) <= set(written), "there are new pages: write them down, too (see above)"
    more = {
        name: f"{n}, {written[name]} written down" for name, n in found.items() if n > written[name] + SPARE
    }
    assert not more
