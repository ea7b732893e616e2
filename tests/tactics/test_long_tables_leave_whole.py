"""A table too long for its page is cut there and said to be: files and the API hold every row, in order, and so does the map."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import pyogrio
import pytest
from django.core.cache import cache, caches
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from agencies.models import User
from patrols.models import MissionPlan, Presence
from tactics.reports import geofiles, shapes, shifts
from tests.factories import make_member
from tests.patrols.scenes import ON, Scene
from tests.patrols.test_dosage_page import plan as plan
from tests.patrols.test_dosage_page import scene as scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
QUERY = f"?from={ON}&to={ON}"
SHOWN = 10
ROWS = 35


@pytest.fixture
def minutes(scene: Scene, plan: MissionPlan, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """More stays than a page shows, each of a length of its own; the lengths in order of arrival."""
    cache.clear()
    monkeypatch.setattr(shifts, "MOST_VISITS", SHOWN)
    monkeypatch.setattr(shifts, "ROWS_AT_ONCE", 4)
    known = Presence.objects.filter(agency=scene.agency, mission__isnull=False).order_by("arrived_at", "pk")
    like = known[0]
    more = ROWS - known.count()
    for number in range(more):
        like.pk = None
        like.arrived_at = plan.period_from + dt.timedelta(minutes=3 * number + 1)
        like.left_at = like.arrived_at + dt.timedelta(minutes=2)
        like.minutes = 2 + number / 100
        like.save()
    return [row.minutes for row in known.all()]


@pytest.fixture
def client_of(scene: Scene, minutes: list[float], sign_in: SignIn) -> Client:
    return sign_in(make_member(scene.agency, "analyst"))


def asked(name: str, *more: str) -> str:
    return reverse(f"tactics:{name}", args=["riverton", "shifts", *more]) + QUERY


def body(client: Client, address: str) -> bytes:
    answer = client.get(address)
    assert answer.status_code == 200
    return b"".join(answer)


def test_the_page_shows_the_first_and_says_how_many_there_are(client_of: Client) -> None:
    page = client_of.get(asked("report")).content.decode()
    part = page.split('id="table-visits"')[1].split("</section>")[0]
    assert part.count("<tr>") == 1 + SHOWN
    assert f"The first {SHOWN} of {ROWS}; files hold all." in part
    assert "Export on the shift map" not in page
    assert f"visits over the day: the first {SHOWN}." in page
    assert client_of.get(asked("report_chart", "whereabouts")).content.startswith(b"<?xml")


def test_csv_and_excel_hold_every_row_in_order(client_of: Client, minutes: list[float]) -> None:
    text = body(client_of, asked("table_csv") + "&table=visits").decode()
    rows = list(csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#")))
    assert [float(row["minutes"]) for row in rows] == pytest.approx(minutes)
    book = load_workbook(io.BytesIO(body(client_of, asked("workbook"))))
    assert [row[8] for row in book["visits"].iter_rows(min_row=2, values_only=True)] == pytest.approx(minutes)
    assert "of 35 rows" not in str([*book["About"].values])


def test_a_workbook_is_cut_where_it_would_take_too_long_and_says_so_in_it_and_on_the_page(
    client_of: Client, minutes: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "MOST_IN_WORKBOOK", 20)
    book = load_workbook(io.BytesIO(body(client_of, asked("workbook"))))
    told = "“Who was where”: the first 20 of 35 rows. The CSV file and the API hold all."
    rows = [*book["visits"].iter_rows(min_row=2, values_only=True)]
    assert [row[8] for row in rows[:-1]] == pytest.approx(minutes[:20])
    assert rows[-1][0] == told
    assert told in [row[0] for row in book["About"].values]
    assert "rows." not in str([*book["beats"].values])
    page = client_of.get(asked("report")).content.decode()
    assert "The first 10 of 35. The Excel file holds the first 20; the other files hold all." in page
    assert "of 35; files hold all" not in page


def test_a_part_of_rows_that_have_gone_since_they_were_counted_is_what_is_left(
    scene: Scene, minutes: list[float]
) -> None:
    rows = shifts.LongRows(shifts.Stays(scene.agency.pk, "UTC", shifts.Asked(ON, ON), {}), [], ROWS)
    Presence.objects.filter(agency=scene.agency).delete()
    assert rows[:20] == []
    with pytest.raises(IndexError):
        rows[3]


def test_the_api_streams_every_row_and_says_what_it_says_of_short_tables(
    client_of: Client, minutes: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/api/v1/riverton/reports/shifts/{QUERY}"
    answer = client_of.get(address)
    assert isinstance(answer, StreamingHttpResponse)
    assert answer.headers["Content-Type"] == "application/json"
    streamed: dict[str, Any] = json.loads(b"".join(answer))  # type: ignore[arg-type]  # streams are of bytes
    caches["reports"].clear()
    monkeypatch.setattr(shifts, "MOST_VISITS", ROWS)
    whole = client_of.get(address).json()
    made = {"generated_at": ""}
    assert streamed | made == whole | made
    visits = next(table for table in whole["tables"] if table["table"] == "visits")
    assert [row["minutes"] for row in visits["rows"]] == pytest.approx(minutes)


@pytest.mark.parametrize("at_once", [3, 7, ROWS, 1000])
def test_files_for_maps_hold_every_row(
    client_of: Client, minutes: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However many rows are written at a time: some left over, none, all at once."""
    monkeypatch.setattr(geofiles, "ROWS_WRITTEN", at_once)
    found = json.loads(body(client_of, asked("table_geojson", "visits")))["features"]
    assert [one["properties"]["minutes"] for one in found] == pytest.approx(minutes)
    assert all(one["geometry"] for one in found)
    path = tmp_path / "visits.gpkg"
    path.write_bytes(body(client_of, asked("table_gpkg", "visits")))
    read = geopandas.read_file(path)
    assert read["minutes"].tolist() == pytest.approx(minutes)
    assert read.geometry.notna().all()
    assert pyogrio.read_info(path)["layer_metadata"]["report"] == "shifts"
    assert pyogrio.list_layers(path).tolist() == [["visits", "MultiPolygon"]]
    # The index that draws a part of a map without reading all of it knows each row.
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM rtree_visits_geom").fetchone() == (ROWS,)


def test_rows_are_kept_no_further_than_the_page_shows_and_read_once_for_a_file(
    scene: Scene, client_of: Client, minutes: list[float]
) -> None:
    client_of.get(asked("report"))
    with CaptureQueriesContext(connection) as queries:
        body(client_of, asked("table_csv") + "&table=visits")
    read = [one for one in queries if "patrols_presence" in one["sql"]]
    assert len(read) == 1
    sources = {value: str(label) for value, label in Presence.Source.choices}
    rows = shifts.LongRows(shifts.Stays(scene.agency.pk, "UTC", shifts.Asked(ON, ON), sources), [], ROWS)
    every = list(rows)
    assert rows[-1] == every[-1]
    assert rows[5:9] == every[5:9]
    assert rows[::-7] == every[::-7]
    with pytest.raises(IndexError):
        rows[ROWS]
