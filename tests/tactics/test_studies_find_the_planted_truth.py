"""From published plans to a report, end to end: the truth that was planted lies inside the intervals."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.utils import timezone

from agencies.models import User
from ingestion.models import Incident
from missions_project.demo.planted import Truth
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.models import MissionPlan
from tactics.models import ImpactReport, ImpactStudy
from tactics.services import (
    impact_report_execute,
    report_queue,
    reports_due,
    rolling_study_ensure,
    study_create,
    study_freeze,
)
from tactics.studies.words import effect_of
from tests.tactics.histories import PastWeeks, make_past

pytestmark = pytest.mark.django_db
Verdict = ImpactReport.Verdict


def freeze(past: PastWeeks, actor: User | None = None, **fields: object) -> ImpactStudy:
    values: dict = {
        "name": "Planted", "question": "Do missions prevent crime?", "crime_types": [one.pk for one in past.types],
        "first": past.first, "last": past.last, "minimum_detectable": 0.1, "minimum_basis": "test", "draws": 99,
    }  # fmt: skip
    return study_freeze(study=study_create(agency=past.agency, actor=actor, **(values | fields)), actor=actor)  # type: ignore[arg-type]


def run(study: ImpactStudy) -> ImpactReport:
    return impact_report_execute(report=report_queue(study=study))


def test_a_study_finds_what_was_planted_and_says_it(db: None) -> None:
    past = make_past(days=35, per_shift=60, truth=Truth(prevented=0.7, displaced=0.0, complied=0.9))
    study = freeze(past)
    report = run(study)
    figures = report.figures
    contrast = effect_of(figures, "contrast")
    assert contrast is not None
    assert contrast["low"] < past.planted.contrast < contrast["high"]
    assert contrast["low"] > 0
    net = effect_of(figures, "net")
    assert net is not None
    assert net["low"] < past.planted.net < net["high"]
    assert figures["fisher"]["p_value"] <= 0.02
    assert figures["fisher"]["draws"] == 99
    assert not any(control["fails"] for control in figures["controls"])
    assert figures["per_ten_minutes"]["low"] > 0
    assert figures["checks"]["carried_out"] == pytest.approx(0.9, abs=0.05)
    assert {part["name"] for part in figures["by_type"]} == {"Robbery", "Burglary"}
    assert {part["name"] for part in figures["by_district"]} == {"South", "North"}
    assert report.verdict == Verdict.PREVENTED
    assert (
        "less robbery and burglary in visited boxes and around them in the 8 hours after the start"
        in report.sentence
    )
    assert "95 % interval" in report.sentence
    json.dumps(figures, allow_nan=False)
    study.refresh_from_db()
    assert study.state == ImpactStudy.State.REPORTED

    again = run(study)
    assert again.pk != report.pk
    assert (again.figures, again.sentence, again.data_hash) == (figures, report.sentence, report.data_hash)

    # Crimes reported later change the data's mark and leave the specification and its hash alone.
    specification, design_hash = study.specification, study.design_hash
    late = Incident.objects.filter(agency=past.agency).first()
    late.pk, late.external_id = None, "late"
    late.save()
    third = run(study)
    study.refresh_from_db()
    assert third.data_hash != report.data_hash
    assert (study.specification, study.design_hash, third.design_hash) == (
        specification,
        design_hash,
        design_hash,
    )


def test_without_an_effect_it_reads_not_shown_and_how_long_it_would_take(db: None) -> None:
    past = make_past(days=10, per_shift=60, truth=Truth(prevented=0.0), seed=4)
    report = run(freeze(past))
    assert report.verdict == Verdict.NOT_SHOWN
    assert report.sentence.startswith("Not shown:")
    assert "no effect" not in report.sentence
    assert " more to " in report.sentence
    contrast = effect_of(report.figures, "contrast")
    assert contrast is not None
    assert contrast["low"] < 0 < contrast["high"]
    assert report.figures["detectable"] > 0


def test_few_crimes_give_an_interval_by_drawing_again_alone(db: None) -> None:
    past = make_past(days=7, per_shift=3, truth=Truth(prevented=0.3), seed=9)
    report = run(freeze(past))
    contrast = effect_of(report.figures, "contrast")
    assert contrast is not None
    assert contrast["interval"] == "test inversion"
    assert effect_of(report.figures, "net")["low"] is None  # type: ignore[index]
    assert "in visited boxes in the" in report.sentence


def test_a_failed_check_withholds_the_verdict(db: None) -> None:
    past = make_past(days=7, per_shift=40)
    # Crimes before the start are moved out of drawn boxes: what no mission can do.
    for plan in MissionPlan.objects.filter(agency=past.agency):
        for mission in plan.missions.all():
            rows = Incident.objects.filter(
                agency=past.agency, occurred_from__gte=plan.period_from, occurred_from__lt=mission.starts_at
            )
            near = [one.pk for one in rows if _in_cell(past, one, mission.cell_id)]
            Incident.objects.filter(pk__in=near).delete()
    report = run(freeze(past))
    assert report.verdict == Verdict.WITHHELD
    assert report.sentence.startswith("No verdict")


def _in_cell(past: PastWeeks, one: Incident, cell_id: int) -> bool:
    from forecasting.engine.grid import project
    from forecasting.selectors import grid_spec

    spec = grid_spec(past.grid)
    at = spec.locate(*project([one.lon], [one.lat], spec.epsg))[0]
    return bool(at >= 0 and spec.cells[at] == cell_id)


def test_the_rolling_study_is_the_systems_own_and_not_called_registered(db: None) -> None:
    past = make_past(days=7, per_shift=40)
    study = rolling_study_ensure(agency=past.agency)
    assert rolling_study_ensure(agency=past.agency).pk == study.pk
    report = impact_report_execute(report=report_queue(study=study, today=past.last + dt.timedelta(days=14)))
    assert report.status == RunStatus.SUCCEEDED
    assert report.figures["shifts"] == 21
    assert not study.is_preregistered
    study.refresh_from_db()
    assert set(study.crime_types) == {one.pk for one in past.types}
    assert study.state == ImpactStudy.State.RUNNING


def test_the_dispatcher_sends_for_rolling_studies_once_a_month(db: None) -> None:
    past = make_past(days=2)
    now = timezone.now()
    made = reports_due(now=now)
    assert [one.study.agency for one in made] == [past.agency]
    assert reports_due(now=now) == []
    study = made[0].study
    study.refresh_from_db()
    assert study.next_report_at is not None
    assert study.next_report_at > now


def test_what_a_study_could_show_comes_from_the_plans_so_far(db: None) -> None:
    past = make_past(days=7, per_shift=40)
    short, long = (
        study_create(
            agency=past.agency, actor=None, name=f"{days} days", question="Do they?", crime_types=[past.types[0].pk],
            first=dt.date(2030, 1, 1), last=dt.date(2030, 1, 1) + dt.timedelta(days=days - 1),
        )
        for days in (14, 140)
    )  # fmt: skip
    for study in (short, long):
        impact_report_execute(report=report_queue(study=study, purpose=ImpactReport.Purpose.POWER))
        study.refresh_from_db()
    assert 0 < long.minimum_detectable < short.minimum_detectable < 1  # type: ignore[operator]
    assert "21 shifts" in short.minimum_basis
    # Ten times as long: about a root of ten smaller.
    assert short.minimum_detectable / long.minimum_detectable == pytest.approx(10**0.5, rel=0.35)  # type: ignore[operator]


def test_a_study_that_can_use_no_plan_fails_with_the_next_step(db: None) -> None:
    past = make_past(days=2)
    study = freeze(past, first=dt.date(2020, 1, 1), last=dt.date(2020, 1, 9))
    report = report_queue(study=study)
    with pytest.raises(MissionsError, match="No plan was published"):
        impact_report_execute(report=report)
    report.refresh_from_db()
    assert report.status == RunStatus.FAILED
    assert "Next step" in report.error
    study.refresh_from_db()
    assert study.state == ImpactStudy.State.FROZEN


def test_an_analysis_under_way_stops_when_asked(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from tactics.services import reports

    past = make_past(days=2)
    report = report_queue(study=freeze(past))
    monkeypatch.setattr(reports, "CANCEL_EVERY_SECONDS", -1.0)
    ImpactReport.objects.filter(pk=report.pk).update(cancel_asked_at=timezone.now())
    with pytest.raises(MissionsError, match="Cancelled by"):
        impact_report_execute(report=report)
    report.refresh_from_db()
    assert report.status == RunStatus.FAILED
    assert report.figures == {}
