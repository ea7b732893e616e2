"""Anybody's estimator is scored on the planted histories, and a wrong name is told with the next step."""

import io
import json
import sys
import types

import pytest
from django.core.management import CommandError, call_command

from missions_project.demo.patrolled import riverton_world


@pytest.fixture
def stubborn(monkeypatch):
    module = types.ModuleType("stubborn_estimator")
    module.nothing = lambda study: {"contrast": (0.0, -0.5, 0.5)}
    monkeypatch.setitem(sys.modules, "stubborn_estimator", module)
    return "stubborn_estimator:nothing"


def test_an_estimator_of_somebody_elses_is_scored(stubborn, tmp_path):
    out, figures = io.StringIO(), tmp_path / "scores.json"
    call_command(
        "impact_benchmark", "--estimator", stubborn, "--repetitions", "2", "--scenario", "null", "--out", str(figures),
        stdout=out,
    )  # fmt: skip
    assert "null: 2 histories" in out.getvalue()
    assert "covers 100.0%" in out.getvalue()
    assert "overridden cells dropped" in out.getvalue()
    board = json.loads(figures.read_text())[0]
    assert board["scores"][0]["target"] == "contrast"
    assert board["scores"][0]["rejected"] == 0.0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "does not name an estimator"),
        ("no_such_module_anywhere:f", "cannot be imported"),
        ("json:no_such_function", "has no function no_such_function"),
    ],
)
def test_a_wrong_name_is_told_with_the_next_step(name, message):
    with pytest.raises(CommandError, match=message):
        call_command("impact_benchmark", "--estimator", name)


def test_riverton_has_its_beats_and_about_20_000_crimes_a_year():
    world = riverton_world()
    assert len(world.layout.beat_id) == 22
    assert 19_000 < world.rates.sum() * 365.25 / 7 < 21_500
    assert (world.rates >= 0).all()
