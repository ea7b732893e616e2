"""Eight weeks of a part of the demo city, as benchmarks/bench_design.py runs a year of it: dose, floors, thieves, no drift.

And each judge is shown a year that breaks the rule, so that its silence means something.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.thieves import (
    CountsVisits,
    KnowsAll,
    LearnsByTrees,
    LearnsOnline,
    ReadsMap,
    Thief,
    Watch,
    best_boxes,
)
from benchmarks.year import Loop, YearRecord, run_year
from benchmarks.year_city import BLOCK_SHIFTS, YearCity, demo_city
from benchmarks.year_figures import (
    dose_figures,
    drift_figures,
    floor_figures,
    most_minutes_in_window,
    thief_figures,
    year_figures,
)
from patrols.engine.design import DesignPolicy

SHIFTS = 2 * BLOCK_SHIFTS
POLICY = DesignPolicy()
OURS = Loop("ours", forecast="kernel")


def thieves() -> tuple[Thief, ...]:
    return KnowsAll(), ReadsMap(), CountsVisits(), LearnsOnline(), LearnsByTrees(every=BLOCK_SHIFTS)


@pytest.fixture(scope="module")
def city() -> YearCity:
    """Riverton on cells of 500 m, missions in its first eight beats."""
    whole = demo_city(500.0, days=SHIFTS // 3)
    return replace(whole, beat_of_cell=np.where(whole.beat_of_cell < 8, whole.beat_of_cell, -1))


@pytest.fixture(scope="module")
def ours(city: YearCity) -> YearRecord:
    return run_year(city, OURS, shifts=SHIFTS, k=3, units=2, thieves=thieves())


def test_no_cell_passes_its_dose_cap_in_any_seven_days(ours: YearRecord) -> None:
    found = dose_figures(ours, POLICY)
    assert found["visits"] == 3 * ours.drawn.sum()
    assert 240 < found["most_planned_minutes_in_any_window"] <= POLICY.saturation_hard_minutes


def test_the_judge_of_doses_sees_a_window_that_begins_anywhere() -> None:
    cell, at = np.array([3, 1, 1, 1]), np.array([50.0, 0.0, 70.0, 130.0])
    assert most_minutes_in_window(cell, at, np.array([9.0, 10.0, 11.0, 12.0]), 100.0) == 23.0
    assert most_minutes_in_window(cell[:0], at[:0], at[:0], 100.0) == 0.0


def test_every_candidate_is_visited_at_least_as_often_as_its_floor_promises(ours: YearRecord) -> None:
    found = floor_figures(ours, 3)
    assert found["candidates"] == (ours.city.beat_of_cell >= 0).sum()
    assert found["worst_standard_errors_below_floor"] <= 5
    assert found["worst_square_standard_errors_below_floor"] <= 5
    # Dependent draws, right standard errors: the visits scatter around their chances as these say. About 0.09 by chance.
    assert abs(found["mean_square_of_visits_off_their_chances"] - 1.0) < 0.35
    assert (ours.promised <= ours.expected + 1e-9).all()


def test_cells_that_are_left_out_are_seen_in_the_squares_that_hold_them(ours: YearRecord) -> None:
    quiet = ours.city.grid.rows < np.median(ours.city.grid.rows)
    left_out = replace(
        ours, promised=4 * ours.promised, variance=4 * ours.variance, visited=np.where(quiet, 0, ours.visited)
    )
    assert floor_figures(left_out, 8)["worst_square_standard_errors_below_floor"] > 5


def test_nobody_guesses_more_than_the_designs_bound_however_they_learn(ours: YearRecord) -> None:
    found = thief_figures(ours)
    assert len(found) == 5
    for name, row in found.items():
        assert row["ratio_to_bound"] <= 1.05 + 3 * row["ratio_standard_error"], name
    # Exactly: who knows every chance expects the bound itself.
    exact = found["knows every probability"]
    assert abs(exact["ratio_to_bound"] - 1.0) <= 4 * exact["ratio_standard_error"]
    assert ours.bound.sum() / ours.drawn.sum() < 0.5


def test_a_thief_learns_what_a_habit_gives_away() -> None:
    """Cars that come back to each box after exactly three shifts: the map says nothing of it, the learners find it."""
    beat = np.repeat(np.arange(2), 12)
    rng = np.random.default_rng(4)
    watch, harm = Watch(beat, 4), rng.gamma(2.0, 1.0, 24)
    own: dict[str, Thief] = {"map": ReadsMap(), "online": LearnsOnline(), "trees": LearnsByTrees(every=60)}
    days = np.full(24, np.inf)
    hits = dict.fromkeys(own, 0)
    for shift in range(240):
        seen = watch.seen(harm, np.zeros(24), days, slot=shift % 3)
        drawn = np.arange(24) % 3 == shift % 3
        for name, thief in own.items():
            if shift >= 120:
                hits[name] += int(drawn[best_boxes(thief.score(seen, harm), beat, 4)].sum())
            thief.learn(seen, drawn)
        watch.add(drawn, slot=shift % 3)
        days = np.where(drawn, 0.0, days + 1 / 3)
    assert hits["map"] < 0.5 * 8 * 120
    assert hits["online"] > 0.95 * 8 * 120
    assert hits["trees"] > 0.95 * 8 * 120


def test_learning_thieves_never_see_tonights_chances(ours: YearRecord) -> None:
    n = len(ours.city.grid)
    seen = Watch(ours.city.beat_of_cell, 3).seen(ours.city.true_harm, np.zeros(n), np.full(n, np.inf), slot=0)
    for thief in thieves()[1:]:
        told = [thief.score(seen, pi) for pi in (np.zeros(n), np.linspace(0.0, 0.9, n))]
        np.testing.assert_array_equal(*told)


def test_missions_do_not_drift_away_from_the_truth(ours: YearRecord) -> None:
    found = drift_figures(ours)
    assert found["correlation"]["last"] > 0.6
    assert abs(found["gini_of_chances"]["last"] - found["gini_of_chances"]["first"]) < 0.08
    assert 0.6 < found["where_most_went"]["last"] < 1.3


def test_the_naive_loop_drifts_and_the_same_judge_sees_it(city: YearCity, ours: YearRecord) -> None:
    naive = replace(OURS, randomised=False, found_trains=True)
    found = drift_figures(run_year(city, naive, shifts=SHIFTS, k=3, units=2))
    mine = drift_figures(ours)
    assert found["missions_in_top_tenth"]["last"] > 2 * mine["missions_in_top_tenth"]["last"]
    assert found["where_most_went"]["last"] > 1.1 * mine["where_most_went"]["last"]
    # The more they look the more they find, where they look; ours does not.
    assert found["where_most_went"]["last"] > found["where_most_went"]["first"] + 0.03
    assert mine["where_most_went"]["last"] < mine["where_most_went"]["first"] + 0.03


def test_missions_are_felt_and_the_forecast_learns_of_it(city: YearCity, ours: YearRecord) -> None:
    assert ours.prevented > 0
    unfelt = run_year(city, replace(OURS, prevented=0.0), shifts=30, k=3, units=2)
    felt = run_year(city, OURS, shifts=30, k=3, units=2)
    assert unfelt.prevented == 0
    # The first shift is forecast from the same past, later ones are not.
    assert felt.believed[0].sum() < unfelt.believed[0].sum()


def test_equal_seeds_give_equal_years_and_another_seed_another_one(city: YearCity) -> None:
    def short(seed: int) -> YearRecord:
        return run_year(city, OURS, shifts=9, k=3, units=2, thieves=thieves(), seed=seed)

    first, again, other = short(1), short(1), short(2)
    np.testing.assert_array_equal(first.visited, again.visited)
    np.testing.assert_array_equal(first.hits, again.hits)
    np.testing.assert_array_equal(first.believed, again.believed)
    assert (first.visited != other.visited).any()


def test_the_champion_of_the_engine_runs_the_same_year(city: YearCity) -> None:
    record = run_year(
        city, Loop("champion", forecast="log_linear"), shifts=6, k=3, units=2, thieves=(KnowsAll(),)
    )
    found = year_figures(record, POLICY, group_cells=3)
    assert found["missions"] == 6 * 8 * 3
    assert found["beat_shifts_not_planned"] == 0
    inside = city.beat_of_cell >= 0
    assert np.corrcoef(record.believed[0, inside], city.true_harm[inside])[0, 1] > 0.8


def test_days_of_23_and_25_hours_are_in_the_year() -> None:
    made = demo_city(2_000.0)
    gaps = np.unique(np.diff(made.periods.from_utc).astype("timedelta64[m]").astype(int))
    assert gaps.tolist() == [420, 480, 540]
    assert len(made.periods) - made.starts == 1095
