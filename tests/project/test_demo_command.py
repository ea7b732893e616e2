"""`make demo`: what stops it is told before the work; a second run does nothing twice."""

from __future__ import annotations

import datetime as dt
import socket
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agencies.models import Agency, CrimeType, Membership, User
from forecasting.models import ForecastRun, ModelVersion
from ingestion.engine.codes import Accepted, CodeTable
from missions_project.demo import setup
from missions_project.demo.codes import OFFENCE_CODES
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import no_progress
from patrols.models import MissionPlan
from tests.factories import make_agency, make_user
from tests.patrols.scenes import Scene, make_scene

pytestmark = pytest.mark.django_db
EVENING = dt.datetime(2026, 3, 14, 23, 30, tzinfo=dt.UTC)
"""Within the scene's evening shift."""
KEPT = (Agency, User, ModelVersion, ForecastRun, MissionPlan)


@pytest.fixture
def scene(settings: Any, tmp_path: Path) -> Scene:
    """A trained agency that stands where the demo's would."""
    settings.VAR_DIR = tmp_path
    found = make_scene()
    Agency.objects.filter(pk=found.agency.pk).update(slug=setup.SLUG, is_demo=True)
    found.agency.refresh_from_db()
    return found


def test_a_taken_port_is_told_before_anything_is_done() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"Port {port} is taken.*make demo PORT="):
            call_command("demo", port=str(port), prepare_only=True)
    assert not Agency.objects.filter(slug=setup.SLUG).exists()


@pytest.mark.parametrize("port", ["", "http", "0", "70000", "-1"])
def test_what_is_no_port_is_named(port: str) -> None:
    with pytest.raises(CommandError, match=r"is not a port.*PORT=8001"):
        call_command("demo", port=port, prepare_only=True)


def test_a_real_agency_of_the_demos_name_is_left_alone() -> None:
    make_agency(setup.SLUG)
    with pytest.raises(MissionsError, match="is not the demo"):
        setup.city_ensure(now=timezone.now(), seed=1, progress=no_progress)


def test_a_second_run_builds_nothing_and_keeps_what_people_did(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    setup.people_ensure(scene.agency)
    officer = User.objects.get(username="officer")
    officer.set_password("changed by somebody")
    officer.save()
    before = [list(model.objects.order_by("pk").values_list("pk", flat=True)) for model in KEPT]
    with mock.patch.object(setup, "city_draw", side_effect=AssertionError("built again")):
        agency = setup.city_ensure(now=EVENING, seed=1, progress=no_progress)
        found = setup.current_shift_ensure(agency=agency, now=EVENING, progress=no_progress)
    officer.refresh_from_db()
    assert officer.check_password("changed by somebody")
    assert (agency, found) == (scene.agency, plan)
    assert [list(model.objects.order_by("pk").values_list("pk", flat=True)) for model in KEPT] == before


def test_the_city_is_drawn_beside_other_work(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(setup, "default_workers", lambda tasks: tasks)
    # A process of its own reads no patches: only what is there already, or a folder that cannot be written, is quick.
    (tmp_path / "demo-city").write_text("a file where the folder should be")
    with setup.city_drawn_beside(now=EVENING, seed=1):
        (tmp_path / "other-work").touch()
    # What went wrong beside is told by the next one who draws it, in this process and with its reason.
    with pytest.raises(OSError, match="demo-city"):
        setup.city_ensure(now=EVENING, seed=1, progress=no_progress)


def test_a_city_that_is_there_is_not_drawn_beside(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VAR_DIR = tmp_path
    (tmp_path / "demo-city").mkdir()
    (tmp_path / "demo-city" / "complete").touch()
    monkeypatch.setattr(setup, "ProcessPoolExecutor", mock.Mock(side_effect=AssertionError("drawn again")))
    with setup.city_drawn_beside(now=EVENING, seed=1):
        (tmp_path / "other-work").touch()
    assert (tmp_path / "other-work").exists()


def test_everybody_of_the_demo_signs_in_with_this_installations_own_password(scene: Scene) -> None:
    setup.people_ensure(scene.agency)
    for person in setup.sign_ins():
        assert User.objects.get(username=person.username).check_password(person.password)


def test_every_code_of_the_city_means_the_crime_type_that_it_says() -> None:
    agency = Agency.objects.create(
        slug="riverton", name="Riverton", time_zone="America/Chicago", is_demo=True
    )
    setup.configuration_ensure(agency)
    table = CodeTable(dict(CrimeType.objects.filter(agency=agency).values_list("slug", "nibrs_code")))
    for code in OFFENCE_CODES:
        decision = table.decide(code=code.code, nibrs=code.nibrs_code, description=code.description)
        meant = decision.crime_type if isinstance(decision, Accepted) else ""
        assert meant == code.crime_type, code


def test_somebody_elses_account_of_a_demo_name_is_not_let_in(db: None) -> None:
    agency = make_agency()
    make_user("analyst")
    with pytest.raises(MissionsError, match="analyst"):
        setup.people_ensure(agency)
    assert not Membership.objects.filter(user__username="analyst").exists()
