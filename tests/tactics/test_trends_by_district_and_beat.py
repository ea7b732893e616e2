"""Week, 28 days and year to date by district and by beat: as counted by hand, what stands out first, the same under filters."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.core.cache import cache, caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agencies.models import Agency, CrimeType, User
from forecasting.services import grid_build
from ingestion.models import Feed, Incident
from tactics.engine.trends import count_band
from tactics.reports import trends_counts
from tactics.reports.asked import Asked
from tactics.reports.shapes import Report, Table
from tactics.reports.trends import CrimeTrends
from tests.factories import degrees, make_agency, make_member
from tests.forecasting.scenes import CELL_SIZE_M

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
LAST = dt.date(2026, 3, 14)
PERIODS = ("7 days", "28 days", "year to date")
MIDDLE_M = {"11": (1_000, 1_000), "12": (3_000, 1_000), "21": (1_000, 3_000), "22": (3_000, 3_000)}


@pytest.fixture
def town() -> Agency:
    cache.clear()
    agency = make_agency("trendville", cell_size_m=CELL_SIZE_M)
    grid_build(agency=agency)
    return agency


def crimes(agency: Agency, beat: str, on: dt.date, n: int, slug: str = "burglary") -> None:
    """So many crimes at noon in the middle of a beat; outside all beats for an empty name."""
    feed, _ = Feed.objects.get_or_create(agency=agency, slug="rms", defaults={"name": "RMS"})
    at = dt.datetime.combine(on, dt.time(12), tzinfo=ZoneInfo(agency.time_zone))
    lon, lat = degrees(*MIDDLE_M.get(beat, (9_000, 9_000)))
    known = Incident.objects.count()
    Incident.objects.bulk_create(
        Incident(
            agency=agency, feed=feed, external_id=str(known + number), occurred_from=at, occurred_to=at, reported_at=at,
            lon=lon, lat=lat, content_hash=known + number, crime_type=CrimeType.objects.get(agency=agency, slug=slug),
        )
        for number in range(n)
    )  # fmt: skip


def history(agency: Agency) -> None:
    """Five earlier years: two burglaries in beat 11 in the week, one more in the month, one more in January; this year seven, one, none."""
    crimes(agency, "22", dt.date(2021, 1, 1), 1)
    for back in range(1, 6):
        year = dt.timedelta(days=364 * back)
        # The week's first day: five years of 364 days later it is still before the 14th, as the year to date counts.
        crimes(agency, "11", LAST - dt.timedelta(days=6) - year, 2)
        crimes(agency, "11", LAST - dt.timedelta(days=20) - year, 1)
        crimes(agency, "11", dt.date(2026 - back, 1, 10), 1)
        crimes(agency, "12", LAST - dt.timedelta(days=6) - year, 1)
    crimes(agency, "11", LAST, 7)
    crimes(agency, "11", LAST - dt.timedelta(days=7), 1)  # the day before the week begins
    crimes(agency, "12", LAST - dt.timedelta(days=27), 2)
    crimes(agency, "12", LAST - dt.timedelta(days=28), 1)  # the day before the month begins
    crimes(agency, "21", dt.date(2026, 1, 1), 2, "robbery")
    crimes(agency, "21", dt.date(2025, 12, 31), 5, "robbery")  # last year's, after that year's window


def made(agency: Agency, **changes: Any) -> Report:
    return CrimeTrends().make(agency, Asked(LAST - dt.timedelta(days=27), LAST, **changes))


def table(report: Report, slug: str) -> Table:
    found = report.table(slug)
    assert found is not None
    return found


def lines(report: Report, slug: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """The rows by their words: place, crime type, period."""
    found = table(report, slug)
    keys = [column.key for column in found.columns]
    words = keys.index("count")
    return {
        tuple(map(str, row[:words])): dict(zip(keys[words:], row[words:], strict=True)) for row in found.rows
    }


def test_every_period_of_a_beat_and_of_its_district_is_that_of_a_count_by_hand(town: Agency) -> None:
    history(town)
    report = made(town)
    beats, districts = lines(report, "beat-counts"), lines(report, "district-counts")
    by_hand: dict[tuple[str, ...], tuple[int, int]] = {
        # this year, each of the five earlier ones
        ("11", "Burglary", "7 days"): (7, 2),
        ("11", "Burglary", "28 days"): (8, 3),
        ("11", "Burglary", "year to date"): (8, 4),
        ("12", "Burglary", "7 days"): (0, 1),
        ("12", "Burglary", "28 days"): (2, 1),
        ("12", "Burglary", "year to date"): (3, 1),
        ("21", "Robbery", "28 days"): (0, 0),
        ("21", "Robbery", "year to date"): (2, 0),
    }
    for key, (now, each) in by_hand.items():
        band = count_band(now, np.full(5, each))
        found = beats[key]
        assert (found["count"], found["last_year"], found["expected"]) == (now, each, each), key
        assert (found["low"], found["high"]) == (band.low, band.high), key
        assert found["verdict"] == str(trends_counts.WORDS[band.word]), key
    assert beats["11", "Burglary", "7 days"]["verdict"] == "▲ more"
    for period in PERIODS:
        south = districts["South", "Burglary", period]
        parts = [beats[beat, "Burglary", period] for beat in ("11", "12")]
        for name in ("count", "last_year", "expected"):
            assert south[name] == sum(part[name] for part in parts), (period, name)


def test_years_that_begin_before_the_data_count_for_nothing_each_period_for_itself(town: Agency) -> None:
    crimes(town, "11", dt.date(2025, 2, 1), 1)
    crimes(town, "11", dt.date(2025, 3, 12), 3)
    crimes(town, "11", LAST, 2)
    found = lines(made(town), "beat-counts")
    assert found["11", "Burglary", "7 days"]["last_year"] == 3
    # 2025 is known from February on: its year to date would be short of a month.
    to_date = found["11", "Burglary", "year to date"]
    assert to_date["last_year"] is to_date["expected"] is to_date["low"] is None
    assert to_date["verdict"] == "no earlier year"
    # What has no earlier year stands last.
    assert table(made(town), "beat-counts").rows[-1][-1] == "no earlier year"


def test_districts_add_up_to_the_city_but_for_what_lies_in_no_beat(town: Agency) -> None:
    history(town)
    before = lines(made(town), "counts")
    crimes(town, "", LAST, 3)
    report = made(town)
    city, districts, beats = (lines(report, slug) for slug in ("counts", "district-counts", "beat-counts"))
    assert city["Burglary", "7 days"]["count"] == before["Burglary", "7 days"]["count"] + 3
    for words, row in city.items():
        for found in (districts, beats):
            inside = sum(one["count"] for key, one in found.items() if key[1:] == words)
            assert inside == row["count"] - (3 if words[0] == "Burglary" else 0), words


def test_what_chance_explains_least_stands_first_and_a_page_stays_short(
    town: Agency, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(town)
    found = table(made(town), "beat-counts")
    chances = [
        count_band(row[3], np.full(5, int(row[6]))).p  # type: ignore[arg-type]
        for row in found.rows
        if row[0] in ("11", "12") and row[1] == "Burglary"
    ]
    assert chances == sorted(chances)
    assert found.rows[0][:3] == ("11", "Burglary", "7 days")
    assert "at most about 2 of these 36 counts outside their limits; outside lie " in found.note
    monkeypatch.setattr(trends_counts, "MOST_ON_PAGE", 5)
    caches["reports"].clear()
    client = sign_in(make_member(town, "analyst"))
    query = f"?from={LAST - dt.timedelta(days=27)}&to={LAST}"
    at = ["trendville", "crime-trends"]
    page = client.get(reverse("tactics:report", args=at) + query).content.decode()
    part = page.split('id="table-beat-counts"')[1].split("</section>")[0]
    assert part.count("<tr>") == 1 + 5
    assert "The first 5 of 36; files hold all." in part
    file = b"".join(client.get(reverse("tactics:table_csv", args=at) + f"{query}&table=beat-counts")).decode()
    rows = list(csv.DictReader(line for line in io.StringIO(file) if not line.startswith("#")))
    assert len(rows) == 36
    assert {row["period"] for row in rows} == set(PERIODS)


def test_a_choice_of_districts_beats_and_types_cuts_these_tables_too(town: Agency) -> None:
    history(town)
    whole = lines(made(town), "beat-counts")
    south = made(town, district=("S",))
    assert {key[0] for key in lines(south, "district-counts")} == {"South"}
    assert lines(south, "beat-counts") == {key: row for key, row in whole.items() if key[0] in ("11", "12")}
    one = made(town, beat=("12",), type=("burglary",))
    assert set(lines(one, "beat-counts")) == {("12", "Burglary", period) for period in PERIODS}
    # The district's line is then that of the chosen beat.
    for period in PERIODS:
        assert lines(one, "district-counts")["South", "Burglary", period] == whole["12", "Burglary", period]


def test_more_beats_with_crime_cost_no_query_and_no_further_look_at_the_crimes(
    town: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    real = trends_counts._ByDay._table

    def counted_look(*args: Any) -> Any:
        looks.append(1)
        return real(*args)

    monkeypatch.setattr(trends_counts._ByDay, "_table", counted_look)
    told = []
    crimes(town, "11", dt.date(2021, 1, 1), 1)
    for beat in ("11", "22"):
        crimes(town, beat, LAST, 2)
        caches["reports"].clear()
        looks.clear()
        with CaptureQueriesContext(connection) as counted:
            made(town)
        told.append((len(counted), len(looks)))
    # Four periods (the one that was asked for, too), six years each.
    assert told[0] == told[1] == (told[0][0], 24)
    assert told[0][0] <= 9
