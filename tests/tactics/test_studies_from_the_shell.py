"""The commands: a study analysed in a terminal, and a history with planted truth."""

from __future__ import annotations

import datetime as dt
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agencies.models import Agency
from missions_project.demo import planted_city
from patrols.models import MissionPlan, PlanSchedule
from patrols.selectors import models_behind
from patrols.services import schedules
from tactics.models import ImpactStudy
from tactics.services import study_create, study_freeze
from tests.factories import make_member
from tests.tactics.histories import make_past

pytestmark = pytest.mark.django_db


def run(*arguments: Any, **options: Any) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_a_study_is_analysed_and_its_figures_written(tmp_path: Path) -> None:
    past = make_past(days=4, per_shift=40)
    study = study_create(
        agency=past.agency, actor=None, name="Planted", question="Do they?", first=past.first, last=past.last, draws=99,
        crime_types=[one.pk for one in past.types], minimum_detectable=0.2,
    )  # fmt: skip
    study_freeze(study=study, actor=make_member(past.agency, "analyst"))
    text = run(
        "impact_study", "--agency", "riverton", "--study", study.pk, "--json", tmp_path / "figures.json"
    )
    report = study.reports.get()
    assert report.sentence in text
    assert report.design_hash in text
    assert "Fisher test" in text
    written = json.loads((tmp_path / "figures.json").read_text())
    about = written.pop("about")
    assert written == report.figures
    assert (about["agency"], about["time_zone"]) == (past.agency.name, past.agency.time_zone)
    assert f"{past.first} to {past.last}" in about["filters"]
    assert about["model"] == models_behind(past.agency, past.first, past.last)
    assert about["generated_at"]
    assert report.sentence in run("impact_study", "--agency", "riverton", "--list")


def test_a_study_that_is_not_due_or_not_there_is_refused(agency: Agency) -> None:
    with pytest.raises(CommandError, match="has no study 77"):
        run("impact_study", "--agency", "riverton", "--study", 77)
    with pytest.raises(CommandError, match="No plan was published"):
        run("impact_study", "--agency", "riverton")


def test_a_planted_history_is_made_once(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    text = run("demo_history", "--weeks", 1, "--no-report")
    agency = Agency.objects.get(slug=planted_city.STUDY_SLUG)
    plans = MissionPlan.objects.filter(agency=agency)
    assert plans.count() == 21
    assert plans.latest("on").on == timezone.localdate() - dt.timedelta(days=15)
    assert "Truth:" in text
    assert not ImpactStudy.objects.exists()
    assert not [row for row, _ in schedules._due(timezone.now()) if row["agency_id"] == agency.pk], (
        "its models have no files"
    )
    PlanSchedule.objects.filter(agency=agency).update(is_on=True)
    assert [row for row, _ in schedules._due(timezone.now()) if row["agency_id"] == agency.pk]
    with pytest.raises(CommandError, match="has its history already"):
        run("demo_history", "--weeks", 1, "--no-report")


def test_an_agency_of_ones_own_is_never_filled_with_made_up_crimes(agency: Agency) -> None:
    with pytest.raises(CommandError, match="not made for this"):
        run("demo_history", "--agency", agency.slug, "--weeks", 1)
