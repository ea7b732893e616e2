"""Each report there is: a page that prints, CSV, Excel, an API answer, charts, and a schedule that e-mails it."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from agencies.models import Membership, User
from tactics.models import ReportPolicy, SavedReport
from tactics.reports.kinds import all_kinds
from tactics.services.saved_reports import report_mail_send, report_mails_claim, saved_report_set
from tests.factories import make_member
from tests.forecasting.scenes import make_incidents
from tests.patrols.scenes import ON, Scene, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def scene() -> Scene:
    cache.clear()
    scene = make_scene()
    make_incidents(scene.agency)
    scene.plan(publish=True)
    return scene


@pytest.mark.parametrize("slug", sorted(all_kinds()))
def test_a_report_is_a_page_files_an_api_answer_and_an_email(
    scene: Scene, sign_in: SignIn, slug: str
) -> None:
    # A report on units is for their supervisors, and only where the agency has it.
    ReportPolicy.objects.create(agency=scene.agency, unit_activity=True)
    owner = make_member(scene.agency, "supervisor" if slug == "unit-activity" else "analyst")
    client = sign_in(owner)
    # The scene's plan is of a day of its own, its crimes are of the months before today.
    last = timezone.localdate() - dt.timedelta(days=1) if slug == "crime-trends" else ON
    query = f"?from={last - dt.timedelta(days=6)}&to={last}"
    at = {"args": [scene.agency.slug, slug]}
    answer = client.get(reverse("tactics:report", **at) + query)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'class="report__sentence"' in page
    # What is only for the screen is left off paper; the tables and their head stay.
    assert 'class="asked report-form no-print"' in page
    answer = client.get(f"/api/v1/{scene.agency.slug}/reports/{slug}/{query}")
    # Long tables are sent as they are made.
    body = json.loads(b"".join(answer) if answer.streaming else answer.content)
    assert body["sentence"]
    assert body["tables"]
    for table in body["tables"]:
        assert f'id="table-{table["table"]}"' in page
        answer = client.get(reverse("tactics:table_csv", **at) + f"{query}&table={table['table']}")
        text = b"".join(answer).decode()
        rows = list(csv.reader(line for line in io.StringIO(text) if not line.startswith("#")))
        assert rows[0] == [column["key"] for column in table["columns"]]
        assert len(rows) == 1 + len(table["rows"])
    book = load_workbook(io.BytesIO(client.get(reverse("tactics:workbook", **at) + query).content))
    assert len(book.sheetnames) == 1 + len(body["tables"])
    for chart in page.split(f"/reports/{slug}/")[1:]:
        name = chart.split("?")[0]
        if name.endswith(".svg"):
            drawn = client.get(reverse("tactics:report", **at) + name + query)
            assert drawn.content.startswith(b"<?xml")
    me = Membership.objects.get(user=owner)
    saved_report_set(
        agency=scene.agency, owner=owner, name=slug, kind=slug, days=7, filters={}, is_shared=False, sends="daily",
        recipients=[me],
    )  # fmt: skip
    SavedReport.objects.update(changed_at=timezone.now() - dt.timedelta(days=3))
    ((pk, attempt),) = report_mails_claim(now=timezone.now())
    assert report_mail_send(pk=pk, attempt=attempt)
    (message,) = mail.outbox
    assert f"/{scene.agency.slug}/reports/{slug}/?from=" in message.body
    assert message.attachments[0][0].endswith(".xlsx")
    assert "Model: " in message.body
