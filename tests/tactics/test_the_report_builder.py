"""The report builder counts what the database holds, whichever way it is split, and says what it cannot answer."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, Beat, Shift, User
from forecasting.services import grid_build
from ingestion.models import Incident
from missions_project.lib.errors import MissionsError
from patrols.models import MissionPlan, Presence
from tactics.models import SavedReport
from tactics.reports.asked import asked_from, choices_of
from tactics.reports.builder import ReportBuilder
from tactics.reports.builder_measures import MEASURES, SPLITS
from tactics.reports.shapes import Report
from tactics.services.saved_reports import asked_of, saved_report_set
from tests.factories import make_agency, make_member
from tests.forecasting.scenes import CELL_SIZE_M, make_incidents
from tests.patrols.scenes import ON, Scene
from tests.patrols.test_dosage_page import plan as plan
from tests.patrols.test_dosage_page import scene as scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture
def town() -> Agency:
    cache.clear()
    agency = make_agency("trendville", cell_size_m=CELL_SIZE_M, time_zone="America/Chicago")
    make_incidents(agency)
    grid_build(agency=agency)
    return agency


def newest(agency: Agency) -> dt.date:
    return (
        Incident.objects.filter(agency=agency)
        .latest("occurred_from")
        .occurred_from.astimezone(CHICAGO)
        .date()
    )


def built(agency: Agency, last: dt.date, **query: Any) -> Report:
    days = query.pop("days", 28)
    kind = ReportBuilder()
    asked = asked_from(
        query, choices_of(agency), today=last + dt.timedelta(days=1), days=days, options=kind.options
    )
    return kind.make(agency, asked)


def lines(report: Report) -> dict[tuple[Any, ...], float]:
    table = report.table("lines")
    assert table is not None
    at = next(n for n, column in enumerate(table.columns) if column.key == "value")
    return {row[:at]: float(row[at] or 0) for row in table.rows}


def moments(agency: Agency, first: dt.date, last: dt.date) -> list[tuple[dt.datetime, str]]:
    rows = Incident.objects.filter(agency=agency).select_related("crime_type")
    local = [(row.occurred_from.astimezone(CHICAGO), row.crime_type.name) for row in rows]
    return [(at, name) for at, name in local if first <= at.date() <= last]


def test_incidents_are_counted_by_the_agencys_own_clock_in_every_unit_of_time(town: Agency) -> None:
    last = newest(town)
    first = last - dt.timedelta(days=27)
    found = moments(town, first, last)
    names: dict[str, Callable[[dt.datetime], str]] = {
        "week": lambda at: str(at.date() - dt.timedelta(days=at.weekday())),
        "month": lambda at: f"{at:%Y-%m}",
        "weekday": lambda at: f"{at:%A}",
        "hour": lambda at: f"{at:%H}:00",
    }
    for split, name in names.items():
        expected = Counter(name(at) for at, _ in found)
        shown = lines(built(town, last, by=split))
        assert {key[0]: n for key, n in shown.items() if n} == expected
        assert len(shown) == {"week": 5 - (first.weekday() == 0), "weekday": 7, "hour": 24}.get(
            split, len(shown)
        )
    both = lines(built(town, last, by="type", then="weekday"))
    assert {key: n for key, n in both.items() if n} == Counter((name, f"{at:%A}") for at, name in found)


def test_shifts_beats_and_districts_each_hold_every_incident_once(town: Agency) -> None:
    last = newest(town)
    whole = len(moments(town, last - dt.timedelta(days=27), last))
    assert whole
    for split in ("shift", "beat", "district", "type", "week", "hour"):
        assert sum(lines(built(town, last, by=split)).values()) == whole
        assert sum(lines(built(town, last, by=split, then="weekday")).values()) == whole
    beat = Beat.objects.filter(agency=town).first()
    assert beat is not None
    one = built(town, last, by="beat", beat=[beat.code])
    assert list(lines(one)) == [(beat.code,)]
    assert lines(one)[beat.code,] == lines(built(town, last, by="beat"))[beat.code,]
    shift = Shift.objects.filter(agency=town).first()
    assert shift is not None
    evening = built(town, last, by="shift", shift=[shift.slug])
    assert lines(evening) == {(shift.name,): lines(built(town, last, by="shift"))[shift.name,]}


def test_severity_is_the_count_times_the_types_weight(town: Agency) -> None:
    last = newest(town)
    counts, weights = (lines(built(town, last, by="type", measure=one)) for one in ("incidents", "severity"))
    for crime_type in town.crimetype_set.filter(is_active=True):
        key = (crime_type.name,)
        assert weights[key] == pytest.approx(counts[key] * crime_type.weight)


def test_missions_visits_and_minutes_add_up_to_what_the_shift_report_says(
    scene: Scene, plan: MissionPlan
) -> None:
    def total(measure: str, **query: Any) -> float:
        return sum(lines(built(scene.agency, ON, days=1, measure=measure, **query)).values())

    missions = list(plan.missions.all())
    spent = Presence.objects.filter(agency=scene.agency, mission__isnull=False)
    for split in ("type", "district", "beat", "shift", "week", "month", "weekday", "hour"):
        assert total("planned", by=split) == len(missions)
        assert total("done", by=split) == 3
        assert total("missed", by=split) == len(missions) - 3
        assert total("recommended", by=split) == sum(m.dose_minutes * len(m.visit_starts) for m in missions)
        assert total("delivered", by=split) == pytest.approx(sum(row.minutes for row in spent))
        assert total("visits", by=split) == spent.count()
    assert total("changed") == 0
    first = missions[0]
    first.withdrawn_at = timezone.now()
    first.save(update_fields=["withdrawn_at"])
    assert (total("changed"), total("planned")) == (1, len(missions) - 1)


def test_every_measure_answers_every_split_that_it_offers(scene: Scene, plan: MissionPlan) -> None:
    for measure in MEASURES.values():
        for split in measure.splits:
            report = built(scene.agency, ON, days=7, measure=measure.slug, by=split)
            assert report.table("lines")
            then = "weekday" if split != "weekday" else "hour"
            assert built(scene.agency, ON, days=7, measure=measure.slug, by=split, then=then).table("lines")


def test_a_line_stands_beside_the_same_line_of_the_period_before_and_of_last_year(town: Agency) -> None:
    last = newest(town)
    report = built(town, last, by="week", compare=["before"])
    table = report.table("lines")
    assert table is not None
    keys = [column.key for column in table.columns]
    assert keys == ["week", "value", "share", "before", "before_change"]
    earlier = built(town, last - dt.timedelta(days=28), by="week")
    assert [row[3] for row in table.rows] == list(lines(earlier).values())
    year = built(town, last, by="type", compare=["year"])
    table = year.table("lines")
    assert table is not None
    old = (
        Incident.objects.filter(agency=town)
        .earliest("occurred_from")
        .occurred_from.astimezone(CHICAGO)
        .date()
    )
    assert old > last - dt.timedelta(days=364 + 27)
    # Less on record is not less that happened.
    assert {row[3] for row in table.rows} == {None}
    assert any("begins before the records" in note for note in year.notes)


def test_the_year_to_date_is_compared_with_the_same_dates(town: Agency) -> None:
    report = built(town, dt.date(2024, 2, 29), by="month", period="year", compare=["year"])
    assert (report.asked.first, report.asked.last) == (dt.date(2024, 1, 1), dt.date(2024, 2, 29))
    table = report.table("lines")
    assert table is not None
    assert "1 Jan 2023 – 28 Feb 2023" in [column.title for column in table.columns]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"measure": "calls", "by": "type"}, "cannot be split by crime type"),
        ({"measure": "planned", "by": "tactic"}, "cannot be split by tactic"),
        ({"measure": "gunfire", "by": "beat", "type": ["burglary"]}, "have no crime type"),
        ({"by": "week", "then": "month"}, "A week lies across months"),
        ({"by": "district", "then": "beat"}, "A beat lies in one district"),
        ({"by": "month", "compare": ["before"]}, "do not line up"),
        ({"by": "week", "compare": ["before"], "days": 10}, "do not line up"),
        ({"measure": "arrests"}, "no measure “arrests”"),
        ({"by": "unit"}, "no split by “unit”"),
        ({"by": ["week", "hour"]}, "2 are chosen"),
        ({"period": "90"}, "no period “90”"),
        ({"by": "week", "then": "hour", "days": 731, "type": []}, None),
    ],
)
def test_combinations_that_mean_nothing_are_refused_with_the_next_step(
    town: Agency, query: dict[str, Any], words: str | None
) -> None:
    if words is None:
        assert built(town, newest(town), **query).table("lines")
        return
    with pytest.raises(MissionsError, match=words) as caught:
        built(town, newest(town), **query)
    assert caught.value.next_step


def test_more_lines_than_a_page_holds_are_refused(town: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tactics.reports.builder.MOST_LINES", 100)
    with pytest.raises(MissionsError, match="168 lines"):
        built(town, newest(town), by="weekday", then="hour")


def test_an_agency_without_a_grid_counts_everything_but_places(sign_in: SignIn) -> None:
    agency = make_agency("trendville")
    make_incidents(agency)
    assert lines(built(agency, newest(agency), by="hour"))
    with pytest.raises(MissionsError, match="grid"):
        built(agency, newest(agency), by="beat")


def test_a_question_costs_a_fixed_number_of_queries_however_long_it_is(town: Agency) -> None:
    last = newest(town)
    counted = {}
    for days in (7, 365):
        with CaptureQueriesContext(connection) as queries:
            built(town, last, days=days, by="beat", then="shift", compare=["before", "year"])
        counted[days] = len(queries)
    # Choices 4 twice, grid and beats 2, shifts 1, since when 1, and one a period that the records reach.
    assert counted[7] == 14
    assert counted[365] <= counted[7]


def test_the_page_the_files_and_the_api_tell_the_same_numbers(town: Agency, sign_in: SignIn) -> None:
    client = sign_in(make_member(town, "analyst"))
    last = newest(town)
    query = f"from={last - dt.timedelta(days=27)}&to={last}&measure=incidents&by=district&then=type&compare=before"
    page = client.get(reverse("tactics:report", args=["trendville", "builder"]) + f"?{query}")
    text = page.content.decode()
    assert page.status_code == 200
    assert "Incidents by district and crime type" in text
    assert 'name="measure"' in text
    chart = client.get(reverse("tactics:report_chart", args=["trendville", "builder", "built"]) + f"?{query}")
    assert chart.content.startswith(b"<?xml")
    address = reverse("tactics:table_csv", args=["trendville", "builder"])
    body = b"".join(client.get(f"{address}?{query}&table=lines")).decode()
    assert "Split by: District; Then by: Crime type; Compare with: The period before" in body.splitlines()[1]
    rows = list(csv.DictReader(line for line in io.StringIO(body) if not line.startswith("#")))
    answer = client.get(f"/api/v1/trendville/reports/builder/?{query}").json()
    assert answer["options"] == {
        "measure": ["incidents"], "by": ["district"], "then": ["type"], "compare": ["before"],
    }  # fmt: skip
    table = next(table for table in answer["tables"] if table["table"] == "lines")
    assert [int(row["value"]) for row in rows] == [row["value"] for row in table["rows"]]
    assert [row["before"] for row in rows] == [str(row["before"]) for row in table["rows"]]
    listed = client.get("/api/v1/trendville/reports/").json()["results"]
    (kind,) = [row for row in listed if row["report"] == "builder"]
    assert set(SPLITS) == set(next(one for one in kind["options"] if one["name"] == "by")["choices"])
    wrong = client.get("/api/v1/trendville/reports/crime-trends/?measure=incidents")
    assert wrong.status_code == 400


def test_a_refused_question_keeps_its_form_so_that_it_can_be_changed(town: Agency, sign_in: SignIn) -> None:
    client = sign_in(make_member(town, "analyst"))
    page = client.get(reverse("tactics:report", args=["trendville", "builder"]) + "?measure=calls&by=type")
    assert page.status_code == 400
    assert "cannot be split by crime type" in page.content.decode()
    assert '<option value="calls" selected>' in page.content.decode()


def test_a_built_report_is_saved_with_its_choices_and_asks_the_same_again(
    town: Agency, sign_in: SignIn
) -> None:
    owner = make_member(town, "analyst")
    client = sign_in(owner)
    save = reverse("tactics:report_save", args=["trendville", "builder"])
    fields = {"name": "Beats by week", "days": "28", "sends": "never", "send_hour": "6", "period": "year"}
    choice = {"measure": "severity", "by": "beat", "then": "week", "type": "burglary"}
    page = client.post(save, fields | choice, follow=True).content.decode()
    row = SavedReport.objects.get()
    assert row.filters == {
        "type": ["burglary"], "measure": ["severity"], "by": ["beat"], "then": ["week"], "period": ["year"],
    }  # fmt: skip
    assert not row.is_shared
    assert "measure=severity&amp;by=beat&amp;then=week" in page
    assert "Year to date" in page
    asked = asked_of(row, dt.date(2026, 3, 5))
    assert (asked.first, asked.last) == (dt.date(2026, 1, 1), dt.date(2026, 3, 4))
    assert asked.chosen("measure") == ("severity",)
    with pytest.raises(MissionsError, match="cannot be split"):
        saved_report_set(
            agency=town, owner=owner, name="x", kind="builder", days=7, is_shared=False,
            filters={"measure": ["calls"], "by": ["type"]},
        )  # fmt: skip
