"""What missions' boxes held: counted as anybody would by hand, and set against chance."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache, caches
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agencies.models import Agency, Beat, CrimeType, District
from forecasting.engine.grid import unproject
from forecasting.models import RiskSurface
from forecasting.selectors import cell_beats, surface_values
from ingestion.models import Feed, Incident
from patrols.models import Mission, MissionPlan
from patrols.services import plan_missions, plan_publish, plan_queue
from tactics.reports.asked import Asked
from tactics.reports.caught import laid_out
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


def published(scene: Scene, day: int) -> MissionPlan:
    """A plan of the shift so many days later, with a forecast of its own."""
    on = ON + dt.timedelta(days=day)
    if day:
        make_forecast(scene.agency, scene.grid, scene.shift, on)
    plan = plan_missions(
        plan=plan_queue(agency=scene.agency, shift=scene.shift, on=on, seed=1), with_reasons=False
    )
    plan_publish(plan=plan, actor=None)
    return plan


def made(agency: Agency, **changes: object) -> Report:
    asked = Asked(ON, ON, **changes)  # type: ignore[arg-type]
    return ForecastEffectiveness().make(agency, asked)


def figures(report: Report) -> dict[str, str]:
    return {figure.label: figure.value for figure in report.figures}


def shares_of(report: Report) -> dict[str, dict[str, Any]]:
    """The table of the three shares, by measure."""
    table = report.table("shares")
    assert table is not None
    return {
        str(row[0]): dict(zip([column.key for column in table.columns], row, strict=True))
        for row in table.rows
    }


def harm_by_cell(scene: Scene) -> dict[int, float]:
    """What the scene's forecast expects in each cell, by the weights of the crime types."""
    found = np.zeros(len(scene.spec))
    for surface in RiskSurface.objects.filter(run__agency=scene.agency).select_related("crime_type"):
        found += surface.crime_type.weight * surface_values(surface, scene.grid)
    return dict(zip(scene.spec.cells.tolist(), found.tolist(), strict=True))


def test_three_shares_stand_against_chance_and_a_plain_count_as_counted_by_hand(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    missions, beats = list(plan.missions.all()), cell_beats(scene.grid).tolist()
    cells = scene.spec.cells.tolist()
    beat_of, harm = dict(zip(cells, beats, strict=True)), harm_by_cell(scene)
    k = Counter(mission.beat_id for mission in missions)
    # The plain count is the model's own map here, so its boxes are the cells with most harm in each beat.
    top: set[int] = set()
    for beat, n in k.items():
        own = sorted((cell for cell in cells if beat_of[cell] == beat), key=lambda cell: -harm[cell])
        assert n == len(own) or harm[own[n - 1]] > harm[own[n]], "no ties, for a count by hand"
        top |= set(own[:n])
    boxes = {mission.cell_id for mission in missions}
    outside = next(cell for cell in cells if cell not in boxes | top)
    events = [(missions[0].cell_id, "burglary"), (next(iter(top)), "robbery"), (outside, "burglary")]
    for cell, slug in events:
        crime(scene, cell, plan, slug=slug)
    weight = {row.slug: row.weight for row in CrimeType.objects.filter(agency=scene.agency)}
    found = shares_of(made(scene.agency))
    chance = {cell: k[beat_of[cell]] / beats.count(beat_of[cell]) for cell in cells}
    for name, amounts in {
        "Events": [(cell, 1.0) for cell, _slug in events],
        "Severity": [(cell, weight[slug]) for cell, slug in events],
        "Patrol weight": list(harm.items()),
    }.items():
        whole = sum(amount for _cell, amount in amounts)
        by = {
            "in_missions": sum(amount for cell, amount in amounts if cell in boxes),
            "chance": sum(amount * chance[cell] for cell, amount in amounts) / whole,
            "plain_count": sum(amount for cell, amount in amounts if cell in top) / whole,
        }
        for key, value in by.items():
            assert found[name][key] == pytest.approx(value, rel=1e-6), (name, key)
        assert found[name]["whole"] == pytest.approx(whole, rel=1e-6)
        assert found[name]["share"] == pytest.approx(by["in_missions"] / whole, rel=1e-6)
        if by["plain_count"]:
            assert found[name]["times_plain_count"] == pytest.approx(
                by["in_missions"] / whole / by["plain_count"], rel=1e-6
            )


def test_patrol_weight_is_that_of_the_boxes_that_stood_at_the_end(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    first, harm = plan.missions.all()[0], harm_by_cell(scene)
    before = shares_of(made(scene.agency))["Patrol weight"]
    Mission.objects.filter(pk=first.pk).update(withdrawn_at=plan.period_from)
    after = shares_of(made(scene.agency))["Patrol weight"]
    assert before["in_missions"] - after["in_missions"] == pytest.approx(harm[first.cell_id], rel=1e-6)
    assert before["whole"] == after["whole"]


def test_calibration_holds_every_district_and_every_tenth_of_the_cells(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    expected = sum(
        surface_values(surface, scene.grid).sum() for surface in RiskSurface.objects.filter(run__agency=scene.agency)
    )  # fmt: skip
    for cell in scene.spec.cells.tolist()[:3]:
        crime(scene, cell, plan)
    table = made(scene.agency).table("calibration")
    assert table is not None
    parts: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for what, _which, foreseen, observed, *_more in table.rows:
        parts[str(what)].append((float(foreseen or 0), int(observed or 0)))
    assert set(parts) == {"All", "District", "Tenth of cells by risk"}
    for rows in parts.values():
        assert sum(row[0] for row in rows) == pytest.approx(expected, rel=1e-6)
        assert sum(row[1] for row in rows) == 3
    tenths = [row[0] for row in parts["Tenth of cells by risk"]]
    assert len(tenths) == 10
    assert tenths == sorted(tenths, reverse=True)


def test_intervals_are_drawn_by_week(scene: Scene) -> None:
    for day in (0, 7, 14):
        plan = published(scene, day)
        crime(scene, plan.missions.all()[0].cell_id, plan)
        crime(scene, scene.spec.cells.tolist()[-1], plan)
    asked = Asked(ON, ON + dt.timedelta(days=20))
    row = shares_of(ForecastEffectiveness().make(scene.agency, asked))["Events"]
    assert row["times_chance_from"] <= row["times_chance"] <= row["times_chance_to"]


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
    week = dict(zip([column.key for column in weeks.columns], weeks.rows[0], strict=True))
    assert week["pai"] == pytest.approx(share / area)
    assert week["pai_plain_count"] == pytest.approx(shares_of(report)["Events"]["plain_count"] / area)
    # One day is no week: what chance does to it is not known.
    assert week["pai_low"] is week["pai_high"] is None
    types = report.table("types")
    assert types is not None
    burglary = next(row for row in types.rows if row[0] == CrimeType.objects.get(slug="burglary").name)
    assert burglary[1:3] == (8, 3)
    assert next(f.note for f in report.figures if f.label == "Times chance") == "one week gives no interval"
    assert "what chance would have (one week gives no interval)." in report.sentence
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
        plan = published(scene, day)
        crime(scene, plan.missions.all()[0].cell_id, plan)
        caches["reports"].clear()
        with CaptureQueriesContext(connection) as counted:
            report = ForecastEffectiveness().make(scene.agency, asked)
        counts.append(len(counted))
        assert f"{day + 1} of {day + 1} plans" in str(report.figures)
    assert counts[1] == counts[2] <= 16


def test_a_forecast_that_cannot_be_read_is_left_out_and_told(scene: Scene) -> None:
    asked = Asked(ON, ON + dt.timedelta(days=1))
    plans = [published(scene, day) for day in range(2)]
    for plan in plans:
        crime(scene, plan.missions.all()[0].cell_id, plan)
    whole = ForecastEffectiveness().make(scene.agency, asked)
    damaged = RiskSurface.objects.filter(run=plans[0].forecast_run).earliest("pk")
    RiskSurface.objects.filter(pk=damaged.pk).update(values=bytes(damaged.values)[:-4])
    caches["reports"].clear()
    report = ForecastEffectiveness().make(scene.agency, asked)
    assert not any("cannot be read" in note for note in whole.notes)
    assert any(note.startswith("The forecast of 1 shift cannot be read") for note in report.notes)
    assert "2 of 2 plans" in str(whole.figures)
    assert "1 of 2 plans" in str(report.figures)
    # What was counted needs no forecast.
    for column in ("in_missions", "whole", "share", "chance"):
        assert shares_of(report)["Events"][column] == shares_of(whole)["Events"][column] is not None


def test_without_plans_nothing_is_claimed(scene: Scene) -> None:
    report = made(scene.agency)
    assert report.sentence.startswith("Nothing can be said")
    assert report.charts == ()
    assert figures(report)["Times chance"] == "–"


def test_a_night_counts_to_its_end_and_a_shift_that_is_not_over_not_at_all(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    longer = plan.period_to + dt.timedelta(hours=8)
    MissionPlan.objects.filter(pk=plan.pk).update(period_to=longer)
    after_midnight = (plan.period_to - plan.period_from).total_seconds() / 3600 + 7
    crime(scene, plan.missions.all()[0].cell_id, plan, hours=after_midnight)
    assert shares_of(made(scene.agency))["Events"]["whole"] == 1
    MissionPlan.objects.filter(pk=plan.pk).update(period_to=timezone.now() + dt.timedelta(hours=1))
    assert made(scene.agency).sentence.startswith("Nothing can be said")


def test_boxes_and_districts_are_those_of_today_and_told_apart_by_their_codes(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    first = plan.missions.all()[0]
    crime(scene, first.cell_id, plan)
    code = Beat.objects.get(pk=first.beat_id).code
    # Drawn when its cell was another beat's.
    other = Beat.objects.filter(agency=scene.agency).exclude(pk=first.beat_id)[0]
    Mission.objects.filter(pk=first.pk).update(beat=other)
    assert figures(made(scene.agency, beat=(code,)))["Events in missions"] == "100.0 %"
    District.objects.filter(agency=scene.agency).update(name="")
    table = made(scene.agency).table("calibration")
    assert table is not None
    codes = sorted(District.objects.filter(agency=scene.agency).values_list("code", flat=True))
    assert [row[1] for row in table.rows if row[0] == "District"] == codes


def test_every_shift_is_laid_out_alike() -> None:
    for shifts in (1, 2, 3):
        keys = [(number % shifts, number) for number in range(365 * shifts)]
        counts = Counter(keys[at][0] for at in laid_out(keys))
        assert sum(counts.values()) == 120
        assert max(counts.values()) - min(counts.values()) <= 1
    assert laid_out([]) == set()
