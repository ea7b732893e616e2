"""One call analyses a study, says it in one sentence, and says nothing where a check fails."""

from dataclasses import replace

import numpy as np
import pytest

from patrols.engine.plan import DesignPolicy, design_digest, plan_draw
from tactics.engine.impact import (
    CrimeEvents,
    ShiftDraw,
    StudyError,
    analyse,
    build_study,
    plan_history,
)
from tactics.engine.impact.histories import planted_histories
from tactics.engine.impact.replays import PlanHistory
from tactics.engine.impact.worlds import Scenario, made_up_world


def made(seed, *, side=16, beats=8, shifts=84, **truth):
    rng = np.random.default_rng(seed)
    world = made_up_world(rng, side=side, beats=beats)
    planted = next(planted_histories(world, Scenario("x", shifts=shifts, **truth), repetitions=1, rng=rng))
    of_beats = len(world.layout.beat_id)
    history = PlanHistory(
        world.layout, world.policy, np.arange(shifts) / 3, np.arange(1, shifts + 1) / 3, planted.harm.astype(float),
        np.full((shifts, of_beats), world.k), np.full((shifts, of_beats), 3),
    )  # fmt: skip
    return planted, history


@pytest.fixture(scope="module")
def strong():
    return made(30, shifts=168, prevented=0.9, displaced=0.0, complied=1.0, dropped_quiet=0.0)


def test_a_strong_effect_is_reported_with_all_its_views(strong):
    planted, history = strong
    report = analyse(planted.study, history=history, rng=np.random.default_rng(1), draws=39, plain=True)
    assert report.sentence.startswith("Missions prevented crime: +")
    assert report.withheld == ""
    assert report.primary.interval == "wald"
    assert report.primary.low > 0.7
    assert report.overlap.shows
    assert report.plain.shows
    assert report.displacement.net.low > 0
    assert report.displacement_difference.high < 0
    assert report.per_ten_minutes.low > 0
    assert report.fisher.p_value == pytest.approx(1 / 40)
    assert len(report.by_district) == 4
    assert {one.name for one in report.controls} == {
        "same shift, before the drawn start",
        "the preceding week",
    }
    assert report.checks.missions == report.checks.missions_planned
    assert abs(report.checks.balance_z) < 4


def test_no_effect_reads_not_shown_and_says_how_much_longer_it_would_take():
    planted, _ = made(31, prevented=0.0)
    report = analyse(planted.study)
    assert report.sentence.startswith("An effect is not shown")
    assert "times as many shifts" in report.withheld
    assert "no effect" not in report.sentence
    assert report.fisher is None
    assert report.net_detectable > abs(report.displacement.net.estimate)


def test_few_crimes_give_no_normal_interval_but_one_by_re_drawing():
    planted, history = made(32, side=8, beats=4, shifts=42, prevented=1.0, displaced=0.0, complied=1.0)
    alone = analyse(planted.study)
    assert alone.primary.treated_events < 100
    assert alone.primary.interval == "none"
    assert np.isnan(alone.primary.low)
    assert np.isnan(alone.displacement.net.low)
    assert all(np.isnan(one.own.low) for one in alone.by_district)
    assert "too few crimes" in alone.withheld
    drawn = analyse(planted.study, history=history, rng=np.random.default_rng(2), draws=99)
    assert drawn.primary.interval == "test inversion"
    assert drawn.primary.low < drawn.primary.estimate < drawn.primary.high


def test_a_total_stop_is_said_by_re_drawing_alone():
    planted, history = made(33, shifts=42, prevented=1.0, displaced=0.0, complied=1.0, dropped_quiet=0.0)
    assert planted.study.outcome[planted.study.drawn].sum() == 0
    report = analyse(planted.study, history=history, rng=np.random.default_rng(4), draws=99)
    assert report.primary.estimate == 1.0
    assert report.primary.interval == "test inversion"
    assert report.primary.low > 0
    assert report.sentence.startswith("Missions prevented crime: +100 %")


def test_a_failing_negative_control_withholds_the_verdict(strong):
    planted, _ = strong
    study = planted.study
    leaked = replace(study, before=np.where(study.drawn, 0, study.before + 1))
    report = analyse(leaked)
    assert report.sentence.startswith("No verdict")
    assert "missions cannot have caused" in report.withheld
    assert any(control.fails for control in report.controls)


def test_windows_past_the_next_draw_are_labelled(strong):
    planted, _ = strong
    report = analyse(replace(planted.study, includes_later_policy=True))
    assert any("including later policy" in note for note in report.notes)


def test_above_50_000_plans_the_test_says_that_it_is_approximate(strong, monkeypatch):
    planted, history = strong
    monkeypatch.setattr("tactics.engine.impact.report.MANY_PLANS", 100)
    report = analyse(planted.study, history=history, rng=np.random.default_rng(3), draws=19)
    assert report.fisher.approximate
    assert any("approximate" in note for note in report.notes)


def test_an_empty_study_is_refused_with_the_next_step(strong):
    study = strong[0].study
    empty = replace(
        study,
        **{
            name: getattr(study, name)[:0]
            for name in (
                "cell", "pi", "drawn", "start_minutes", "window_minutes", "forecast", "ring_forecast", "outcome",
                "ring_outcome", "before", "week_before", "spill_in", "ring_drawn", "ring_spill_in", "dose_minutes",
            )
        },
    )  # fmt: skip
    with pytest.raises(StudyError, match="Widen its dates or beats"):
        analyse(empty)


def test_from_the_products_own_plans_to_a_report():
    """Forty shifts planned by the product itself, crimes on the map, the same plans drawn again: nothing is made up."""
    rng = np.random.default_rng(40)
    world = made_up_world(rng, side=8, beats=2)
    x_m, y_m = world.grid.centres()
    cells = len(world.grid)
    minutes, last = np.zeros((21, cells)), np.full(cells, -np.inf)
    shifts, at, place = [], [], []
    harm = np.stack([world.rates[s % 21] for s in range(40)])
    for s in range(40):
        draw = plan_draw(
            harm=harm[s],
            beat_of_cell=world.beat_of_cell,
            beat_k={0: 2, 1: 2},
            suppressed=np.arange(cells) == 5,
            planned_minutes=minutes.sum(axis=0),
            days_since_last=s / 3 - last,
            x_m=x_m,
            y_m=y_m,
            shift_minutes=480,
            policy=DesignPolicy(),
            seed=s,
        )
        used = np.zeros(cells)
        visits = (~np.isnan(draw.visit_start_minutes)).sum(axis=1)
        used[draw.cell[draw.drawn]] = (draw.dose_minutes * visits)[draw.drawn]
        minutes[s % 21] = used
        last[used > 0] = s / 3
        counts = rng.poisson(harm[s] * 2)
        where = np.repeat(np.arange(cells), counts)
        place.append(where)
        at.append(s * 480 + rng.uniform(0, 480, len(where)))
        shifts.append(ShiftDraw(s * 480.0, draw, harm[s], digest=design_digest(draw)))
    where = np.concatenate(place)
    events = CrimeEvents(np.concatenate(at), x_m[where], y_m[where], np.zeros(len(where), dtype=np.int64))
    study = build_study(grid=world.grid, shifts=shifts, events=events, district_of_beat={0: 1, 1: 2})
    history = plan_history(world.grid, shifts, harm, world.beat_of_cell)
    assert history.plans == study.plans == 80
    # The replay's first shift has the stored probabilities; later ones depend on what was drawn in it.
    assert study.design_digests[0] == design_digest(shifts[0].draw)
    report = analyse(study, history=history, rng=rng, draws=19)
    assert report.fisher.draws <= 19
    assert report.primary.interval == "test inversion"
    assert report.primary.low < 0.5
    assert report.checks.missions == 160
