"""Reports as people and spreadsheets get them: the list, a report with its filters, its charts and files, who may see them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable
from html import unescape

import pytest
from django.core.cache import cache, caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from agencies.models import Agency, CrimeType, District, User
from forecasting.services import grid_build
from ingestion.models import Incident
from tests.factories import make_agency, make_member, make_user
from tests.forecasting.scenes import CELL_SIZE_M, make_incidents

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
TRENDS = "crime-trends"


@pytest.fixture
def town() -> Agency:
    cache.clear()
    agency = make_agency("trendville", cell_size_m=CELL_SIZE_M)
    make_incidents(agency)
    grid_build(agency=agency)
    return agency


@pytest.fixture
def analyst(town: Agency) -> User:
    return make_member(town, "analyst")


def address(name: str, *args: str, query: str = "") -> str:
    return reverse(f"tactics:{name}", args=["trendville", *args]) + query


def csv_rows(client: Client, query: str) -> list[dict[str, str]]:
    answer = client.get(address("table_csv", TRENDS, query=query))
    assert answer.status_code == 200
    text = b"".join(answer).decode()
    return list(csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#")))


def test_the_list_leads_to_a_report_with_a_sentence_figures_charts_and_tables(
    analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    assert address("report", TRENDS) in client.get(address("reports")).content.decode()
    page = client.get(address("report", TRENDS)).content.decode()
    assert "In the 28 days to" in page
    for table in (
        "counts",
        "district-counts",
        "districts",
        "beat-counts",
        "beats",
        "hours",
        "repeats",
        "emerging",
        "weeks",
    ):
        assert f'id="table-{table}"' in page
    for chart in ("weeks", "hours"):
        drawn = client.get(address("report_chart", TRENDS, chart))
        assert drawn.headers["Content-Type"] == "image/svg+xml"
        assert drawn.content.startswith(b"<?xml")


def test_the_counts_are_those_of_the_database_whichever_way_they_are_cut(
    town: Agency, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    newest = Incident.objects.filter(agency=town).latest("occurred_from").occurred_from.date()
    first = newest.replace(day=1)
    query = f"?from={first}&to={newest}"
    by_district = csv_rows(client, query + "&table=districts")
    inside = Incident.objects.filter(agency=town, occurred_from__date__range=(first, newest))
    for slug in ("burglary", "robbery"):
        name = CrimeType.objects.get(agency=town, slug=slug).name
        counted = sum(int(row["count"]) for row in by_district if row["crime_type"] == name)
        assert counted == inside.filter(crime_type__slug=slug).count()
    hours = csv_rows(client, query + "&table=hours")
    total = sum(float(value) for row in hours for key, value in row.items() if key != "weekday")
    assert total == pytest.approx(inside.count())
    code = District.objects.filter(agency=town).first().code  # type: ignore[union-attr]
    one = csv_rows(client, query + f"&table=districts&district={code}&type=burglary")
    assert {row["crime_type"] for row in one} == {CrimeType.objects.get(agency=town, slug="burglary").name}
    assert len({row["district"] for row in one}) == 1


def test_files_say_whose_they_are_what_was_asked_and_when(analyst: User, sign_in: SignIn) -> None:
    client = sign_in(analyst)
    on = timezone.localdate() - dt.timedelta(days=1)
    answer = client.get(address("table_csv", TRENDS, query=f"?from={on}&to={on}&type=burglary"))
    head = [line for line in b"".join(answer).decode().splitlines() if line.startswith("#")]
    assert "Crime trends" in head[0]
    assert f"{on} to {on}" in head[1]
    assert "burglary" in head[1]
    assert any("Generated at" in line for line in head)
    assert "trendville-crime-trends" in answer.headers["Content-Disposition"]
    book = load_workbook(io.BytesIO(client.get(address("workbook", TRENDS)).content))
    assert book.sheetnames[:2] == ["About", "counts"]
    assert book["counts"]["A1"].value == "Crime type"


def test_a_name_that_a_spreadsheet_would_run_is_text_in_every_file(
    town: Agency, analyst: User, sign_in: SignIn
) -> None:
    CrimeType.objects.filter(agency=town, slug="burglary").update(name='=HYPERLINK("http://x")')
    client = sign_in(analyst)
    rows = csv_rows(client, "?table=counts")
    assert any(row["crime_type"].startswith("'=HYPERLINK") for row in rows)
    book = load_workbook(io.BytesIO(client.get(address("workbook", TRENDS)).content))
    cells = [cell for row in book["counts"].iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert "<b>" not in client.get(address("report", TRENDS)).content.decode()


def test_each_choice_of_a_filter_stands_above_the_report_and_leads_to_the_one_without_it(
    analyst: User, town: Agency, sign_in: SignIn
) -> None:
    for number in range(9):
        CrimeType.objects.create(agency=town, slug=f"kind-{number}", name=f"Kind {number}", nibrs_code="220")
    client, days = sign_in(analyst), "from=2025-01-01&to=2025-01-28"

    def chips(query: str) -> dict[str, str]:
        page = client.get(address("report", TRENDS, query=f"?{query}")).content.decode()
        found = re.findall(r'<a class="chip" href="\?([^"]*)" aria-label="Without ([^"]*)"', page)
        return {label: unescape(left) for left, label in found}

    assert chips(days) == {}
    two = chips(f"{days}&type=kind-1&type=kind-2")
    assert list(two) == ["Kind 1", "Kind 2"]
    assert list(chips(two["Kind 1"])) == ["Kind 2"]
    many = chips(days + "".join(f"&type=kind-{number}" for number in range(9)))
    assert list(many) == ["Crime types · 9"]
    assert many["Crime types · 9"].startswith("from=2025-01-01")
    assert "type" not in many["Crime types · 9"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?from=2026-02-01&to=2026-01-01", "ends before it starts"),
        ("?from=yesterday", "is not a date"),
        ("?from=2020-01-01&to=2026-01-01", "more than 731 days"),
        ("?district=nowhere", "no district “nowhere”"),
        ("?type=%3Cscript%3E", "no crime type"),
    ],
)
def test_a_question_that_makes_no_sense_gets_the_next_step_and_no_report(
    analyst: User, sign_in: SignIn, query: str, words: str
) -> None:
    client = sign_in(analyst)
    page = client.get(address("report", TRENDS, query=query))
    assert page.status_code == 400
    assert words in page.content.decode()
    assert b"<script>" not in page.content.replace(b"<script src", b"")
    assert client.get(address("table_csv", TRENDS, query=query)).status_code == 400
    assert client.get(address("report_chart", TRENDS, "weeks", query=query)).status_code == 400


def test_an_agency_without_a_grid_or_a_crime_is_told_what_to_do(sign_in: SignIn) -> None:
    caches["reports"].clear()
    agency = make_agency("trendville")
    client = sign_in(make_member(agency, "analyst"))
    assert "grid" in client.get(address("report", TRENDS)).content.decode()
    grid_build(agency=agency)
    assert "import incidents" in client.get(address("report", TRENDS)).content.decode()


def test_strangers_find_nothing_officers_no_report_and_supervisors_no_file(
    town: Agency, sign_in: SignIn
) -> None:
    pages = (address("reports"), address("report", TRENDS), address("report_chart", TRENDS, "weeks"))
    files = (address("table_csv", TRENDS), address("workbook", TRENDS))
    stranger = sign_in(make_user())
    assert {stranger.get(page).status_code for page in pages + files} == {404}
    officer = sign_in(make_member(town, "officer"))
    assert {officer.get(page).status_code for page in pages + files} == {403}
    supervisor = sign_in(make_member(town, "supervisor"))
    assert {supervisor.get(page).status_code for page in pages} == {200}
    assert {supervisor.get(page).status_code for page in files} == {403}
    assert supervisor.get(address("report", "no-such-report")).status_code == 404
    assert supervisor.get(address("report_chart", TRENDS, "nothing")).status_code == 404


def test_another_agency_of_the_same_question_gets_its_own_report(town: Agency, sign_in: SignIn) -> None:
    client = sign_in(make_member(town, "analyst"))
    assert client.get(address("report", TRENDS)).status_code == 200
    other = make_agency("elsewhere")
    grid_build(agency=other)
    answer = sign_in(make_member(other, "analyst")).get(reverse("tactics:report", args=["elsewhere", TRENDS]))
    assert "import incidents" in answer.content.decode()


def test_a_report_costs_a_fixed_number_of_queries_and_its_charts_none_more(
    analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    with CaptureQueriesContext(
        connection,
    ) as first:
        client.get(address("report", TRENDS))
    assert len(first) <= 18
    with CaptureQueriesContext(connection) as chart:
        client.get(address("report_chart", TRENDS, "weeks"))
    assert len(chart) <= 8


def test_the_api_gives_the_same_numbers_and_refuses_what_pages_refuse(
    town: Agency, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    known = client.get("/api/v1/trendville/reports/").json()["results"]
    assert TRENDS in [row["report"] for row in known]
    answer = client.get(f"/api/v1/trendville/reports/{TRENDS}/?type=burglary,robbery&district=S")
    assert answer.status_code == 200
    body = answer.json()
    assert body["filters"] == {"district": ["S"], "beat": [], "shift": [], "type": ["burglary", "robbery"]}
    rows = csv_rows(client, "?type=burglary&type=robbery&district=S&table=counts")
    table = next(table for table in body["tables"] if table["table"] == "counts")
    assert [str(row["count"]) for row in table["rows"]] == [row["count"] for row in rows]
    wrong = client.get(f"/api/v1/trendville/reports/{TRENDS}/?type=nothing")
    assert wrong.status_code in (400, 409)
    assert "no crime type" in wrong.content.decode()
    assert client.get("/api/v1/trendville/reports/nothing/").status_code == 404
    assert client.get(f"/api/v1/trendville/reports/{TRENDS}/?colour=red").status_code == 400
    assert sign_in(make_user()).get(f"/api/v1/trendville/reports/{TRENDS}/").status_code == 404
    assert sign_in(make_member(town, "officer")).get("/api/v1/trendville/reports/").status_code == 403
