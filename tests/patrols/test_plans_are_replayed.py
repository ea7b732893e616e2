"""``replay_plan``: the same plan from its seed, tampering found, and frequencies that are the probabilities."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from patrols.engine.plan import design_digest, design_from_bytes, design_to_bytes
from patrols.engine.redraw import draw_frequencies
from patrols.models import Mission, MissionPlan
from tests.patrols.scenes import Scene, make_scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def run(plan: MissionPlan, *arguments: str) -> str:
    out = StringIO()
    call_command("replay_plan", str(plan.pk), *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_an_honest_plan_is_drawn_again_bit_for_bit(scene: Scene) -> None:
    told = run(scene.plan())
    assert "bit for bit" in told
    assert "seed 7" in told


def test_a_plan_whose_design_was_changed_is_reported(scene: Scene) -> None:
    plan = scene.plan()
    design = design_from_bytes(bytes(plan.design))
    drawn = design.drawn.copy()
    first, other = (
        np.flatnonzero(drawn)[0],
        np.flatnonzero(~drawn & (design.beat == design.beat[np.flatnonzero(drawn)[0]]))[0],
    )
    drawn[first], drawn[other] = False, True
    forged = replace(design, drawn=drawn)
    # A careful forger changes the digest beside it too.
    MissionPlan.objects.filter(pk=plan.pk).update(
        design=design_to_bytes(forged), design_hash=design_digest(forged)
    )
    err = StringIO()
    with pytest.raises(CommandError, match="NOT what its design and seed give"):
        call_command("replay_plan", str(plan.pk), stdout=StringIO(), stderr=err)
    assert "The draw stored are not those that seed 7 gives." in err.getvalue()


def test_a_mission_that_was_moved_by_hand_in_the_database_is_reported(scene: Scene) -> None:
    plan = scene.plan()
    mission = plan.missions.first()
    assert mission is not None
    free = next(
        int(cell) for cell in scene.spec.cells if not Mission.objects.filter(cell_id=int(cell)).exists()
    )
    Mission.objects.filter(pk=mission.pk).update(cell_id=free)
    err = StringIO()
    with pytest.raises(CommandError):
        call_command("replay_plan", str(plan.pk), stdout=StringIO(), stderr=err)
    assert "was drawn, but there is no mission" in err.getvalue()


@pytest.mark.parametrize("change", ["dose", "starts", "seed", "bytes"])
def test_a_changed_dose_time_seed_or_byte_is_reported(scene: Scene, change: str) -> None:
    plan = scene.plan()
    mission = plan.missions.all()[0]
    if change == "seed":
        MissionPlan.objects.filter(pk=plan.pk).update(seed=plan.seed + 1)
    elif change == "bytes":
        MissionPlan.objects.filter(pk=plan.pk).update(design=bytes(plan.design)[:-9] + b"tampered!")
    elif change == "dose":
        Mission.objects.filter(pk=mission.pk).update(dose_minutes=mission.dose_minutes + 1)
    else:
        later = (dt.datetime.fromisoformat(mission.visit_starts[0]) + dt.timedelta(minutes=5)).isoformat()
        Mission.objects.filter(pk=mission.pk).update(visit_starts=[later, *mission.visit_starts[1:]])
    with pytest.raises(CommandError, match="NOT what its design and seed give"):
        run(plan)


def test_fresh_draws_come_out_as_their_probabilities_and_are_written_down(
    scene: Scene, tmp_path: Path
) -> None:
    plan, path = scene.plan(), tmp_path / "frequencies.csv"
    told = run(plan, "--draws", "4000", "--csv", str(path), "--fresh-seed", "11")
    assert "4,000 draws with seed 11" in told
    assert "every draw holds exactly K boxes" in told
    written = path.read_text(encoding="utf-8").splitlines()
    head = [line for line in written if line.startswith("# ")]
    assert scene.agency.name in head[0]
    assert f"Plan {plan.pk} (" in head[1]
    assert head[1].endswith(f"4000 draws with seed 11; times in {scene.agency.time_zone}")
    assert "# Model: Robbery v1" in " ".join(head).replace("Burglary v1 (made up); ", "")
    assert head[-1].startswith("# Generated at 2")
    rows = list(csv.DictReader(written[len(head) :]))
    design = design_from_bytes(bytes(plan.design))
    assert len(rows) == len(design)
    assert [float(row["pi"]) for row in rows] == design.pi.tolist()
    assert {row["beat"] for row in rows} == {"11", "12", "21", "22"}
    assert sum(int(row["times_drawn"]) for row in rows) == 4000 * int(design.drawn.sum())
    frequency = np.array([float(row["frequency"]) for row in rows])
    assert np.abs(frequency - design.pi).max() < 5 * np.sqrt(0.25 / 4000)
    assert run(plan, "--draws", "50", "--fresh-seed", "3") == run(plan, "--draws", "50", "--fresh-seed", "3")


def test_draws_that_do_not_follow_their_probabilities_are_told_apart(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check can fail: a method that always takes the likeliest boxes is found out."""
    from patrols.engine import redraw

    def always_the_same(pi: np.ndarray, *, draws: int, **_: object) -> np.ndarray:
        chosen = np.zeros((draws, len(pi)), dtype=np.bool_)
        chosen[:, np.argsort(-pi)[: round(pi.sum())]] = True
        return chosen

    monkeypatch.setattr(redraw, "draw_many", always_the_same)
    plan = scene.plan()
    found = draw_frequencies(design_from_bytes(bytes(plan.design)), draws=500, rng=np.random.default_rng(1))
    assert found.sums_exact
    assert not found.agrees
    with pytest.raises(CommandError, match="not what its probabilities promise"):
        run(plan, "--draws", "500")


@pytest.mark.parametrize("draws", [1, 3, 10, 40])
def test_few_draws_of_small_chances_accuse_nobody(scene: Scene, draws: int) -> None:
    """One visit to a box of a chance of 0.003 in three draws is eleven standard errors, and nothing strange among many."""
    design = design_from_bytes(bytes(scene.plan().design))
    for seed in range(10):
        assert draw_frequencies(design, draws=draws, rng=np.random.default_rng(seed)).agrees, seed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--csv", "x.csv"), "--csv needs --draws"),
        (("--draws", "-3"), "pass 1 or more"),
        (("--draws", "10", "--csv", "/no/such/folder/x.csv"), "choose another file"),
    ],
)
def test_arguments_that_make_no_sense_say_the_next_step(
    scene: Scene, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        run(scene.plan(), *arguments)


def test_a_plan_that_is_not_there_or_never_finished_says_so(scene: Scene) -> None:
    with pytest.raises(CommandError, match="There is no plan 99"):
        call_command("replay_plan", "99", stdout=StringIO())
    plan = scene.plan()
    MissionPlan.objects.filter(pk=plan.pk).update(status="failed")
    with pytest.raises(CommandError, match="never finished"):
        run(plan)
