"""What missions' boxes held: counted as anybody would by hand, and set against chance."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agencies.models import Agency, Beat, CrimeType
from forecasting.engine.grid import unproject
from forecasting.selectors import cell_beats
from ingestion.models import Feed, Incident
from patrols.models import Mission, MissionPlan
from patrols.services import plan_missions, plan_publish, plan_queue
from tactics.reports.asked import Asked
from tactics.reports.effectiveness import ForecastEffectiveness
from tactics.reports.shapes import Report
from tests.patrols.scenes import ON, Scene, make_forecast, make_scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(db: None) -> Scene:
    cache.clear()
    return make_scene()


def crime(scene: Scene, cell: int, plan: MissionPlan, *, slug: str = "burglary", hours: float = 1.0) -> None:
    feed, _ = Feed.objects.get_or_create(agency=scene.agency, slug="rms", defaults={"name": "RMS"})
    spec = scene.spec
    at = int(spec.index_of([cell])[0])
    x_m, y_m = spec.centres()
    lon, lat = unproject(x_m[[at]], y_m[[at]], spec.epsg)
    when = plan.period_from + dt.timedelta(hours=hours)
    Incident.objects.create(
        agency=scene.agency, feed=feed, external_id=str(Incident.objects.count()), occurred_from=when, occurred_to=when,
        reported_at=when, lon=float(lon[0]), lat=float(lat[0]), content_hash=1,
        crime_type=CrimeType.objects.get(agency=scene.agency, slug=slug),
    )  # fmt: skip


def made(agency: Agency, **changes: object) -> Report:
    asked = Asked(ON, ON, **changes)  # type: ignore[arg-type]
    return ForecastEffectiveness().make(agency, asked)


def figures(report: Report) -> dict[str, str]:
    return {figure.label: figure.value for figure in report.figures}


def test_shares_and_chance_are_those_of_a_count_by_hand(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    missions = list(plan.missions.all())
    taken = {mission.cell_id for mission in missions}
    free = [cell for cell in scene.spec.cells.tolist() if cell not in taken]
    for cell in (missions[0].cell_id, missions[1].cell_id, missions[1].cell_id, *free[:5]):
        crime(scene, cell, plan)
    crime(scene, missions[0].cell_id, plan, hours=-1)  # before the shift: not its events
    report = made(scene.agency)
    found = figures(report)
    assert found["Events in missions"] == "37.5 %"
    beats = cell_beats(scene.grid).tolist()
    index = {int(cell): number for number, cell in enumerate(scene.spec.cells)}
    chance = 0.0
    for cell in (missions[0].cell_id, missions[1].cell_id, missions[1].cell_id, *free[:5]):
        beat = beats[index[cell]]
        chance += sum(m.beat_id == beat for m in missions) / beats.count(beat)
    assert found["Chance"] == f"{100 * chance / 8:.1f} %"
    assert found["Times chance"] == f"{3 / chance:.2f} ×"
    weeks = report.table("weeks")
    assert weeks is not None
    assert weeks.rows[0][1:4] == (len(missions), 8, 3)
    share, area = 3 / 8, len(missions) / len(scene.spec)
    assert weeks.rows[0][-1] == pytest.approx(share / area)
    types = report.table("types")
    assert types is not None
    burglary = next(row for row in types.rows if row[0] == CrimeType.objects.get(slug="burglary").name)
    assert burglary[1:3] == (8, 3)
    assert next(f.note for f in report.figures if f.label == "Times chance") == "one week gives no interval"
    assert report.sentence.endswith("what chance would have (one week gives no interval).")
    # The plan's own forecast is the plain count here: it catches what its highest boxes hold.
    assert "1 of 1 plans" in next(f.note for f in report.figures if f.label == "A plain count")


def test_withdrawn_missions_caught_nothing_and_a_choice_of_beats_cuts_both_sides(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    first = plan.missions.all()[0]
    crime(scene, first.cell_id, plan)
    assert figures(made(scene.agency))["Events in missions"] == "100.0 %"
    code = Beat.objects.get(pk=first.beat_id).code
    other = Beat.objects.filter(agency=scene.agency).exclude(code=code)[0].code
    assert figures(made(scene.agency, beat=(code,)))["Events in missions"] == "100.0 %"
    assert figures(made(scene.agency, beat=(other,)))["Events in missions"] == "–"
    Mission.objects.filter(pk=first.pk).update(withdrawn_at=plan.period_from)
    assert figures(made(scene.agency))["Events in missions"] == "0.0 %"


def test_a_report_of_more_plans_asks_no_more_often(scene: Scene) -> None:
    asked, counts = Asked(ON, ON + dt.timedelta(days=3)), []
    for day in range(3):
        on = ON + dt.timedelta(days=day)
        if day:
            make_forecast(scene.agency, scene.grid, scene.shift, on)
        plan = plan_missions(
            plan=plan_queue(agency=scene.agency, shift=scene.shift, on=on, seed=1), with_reasons=False
        )
        plan_publish(plan=plan, actor=None)
        crime(scene, plan.missions.all()[0].cell_id, plan)
        cache.clear()
        with CaptureQueriesContext(connection) as counted:
            report = ForecastEffectiveness().make(scene.agency, asked)
        counts.append(len(counted))
        assert f"{day + 1} of {day + 1} plans" in str(report.figures)
    assert counts[1] == counts[2] <= 16


def test_without_plans_nothing_is_claimed(scene: Scene) -> None:
    report = made(scene.agency)
    assert report.sentence.startswith("Nothing can be said")
    assert report.charts == ()
    assert figures(report)["Times chance"] == "–"
