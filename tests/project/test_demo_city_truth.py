"""Riverton's known intensity: it adds up to what happened, repeats cluster, and knowing it beats knowing nothing."""

from datetime import UTC, datetime

import numpy as np
import pytest

from forecasting.engine.grid import GridSpec, grid_build
from missions_project.demo.files import Simulated, simulate
from missions_project.demo.intensity import (
    CRIME_TYPES,
    MODELS,
    background_per_year,
    branching_matrix,
    near_kernels,
)
from missions_project.demo.oracle import Oracle
from missions_project.demo.places import EPSG
from missions_project.demo.profiles import hour_of_week_profile

UNTIL = datetime(2026, 3, 1, 6, tzinfo=UTC)
DAYS = 140
SHIFT_S = 8 * 3_600


@pytest.fixture(scope="module")
def world() -> Simulated:
    return simulate(seed=2026, until=UNTIL, days=DAYS)


@pytest.fixture(scope="module")
def oracle(world: Simulated) -> Oracle:
    return world.true_city().oracle()


@pytest.fixture(scope="module")
def grid(world: Simulated) -> GridSpec:
    return grid_build(world.city.boundary, 250.0, EPSG)


def test_the_city_has_about_2500_to_3000_cells(grid: GridSpec) -> None:
    assert 2_400 < len(grid) < 3_000


def test_the_intensity_adds_up_to_the_number_of_events(world: Simulated, oracle: Oracle) -> None:
    """Sum of one-day-ahead truths against what happened: a martingale, so its error is Poisson without clustering."""
    hours = world.intensity.hours
    for name in CRIME_TYPES:
        expected = 0.0
        for day in range(DAYS):
            start = hours.start_utc_s + 86_400 * day
            expected += oracle.expected_at_places(name, start, start + 86_400).sum()
        happened = int((world.history.type_index == CRIME_TYPES.index(name)).sum())
        assert abs(happened - expected) < 4.0 * np.sqrt(expected), name


def test_totals_are_those_of_the_model_with_its_children(world: Simulated) -> None:
    total = np.array([MODELS[name].per_year for name in CRIME_TYPES])
    np.testing.assert_allclose(background_per_year() + branching_matrix().T @ total, total)
    assert np.abs(np.linalg.eigvals(branching_matrix())).max() < 1.0


def test_the_oracle_sees_no_event_after_the_instant_that_it_knows(world: Simulated, oracle: Oracle) -> None:
    hours = world.intensity.hours
    start = hours.end_utc_s - 10 * 86_400
    before = world.history.at_utc_s < start
    cut = Oracle(
        intensity=world.intensity,
        places=world.city.places,
        history=type(world.history)(*(column[before] for column in vars(world.history).values())),
    )
    for name in ("burglary", "aggravated_assault"):
        np.testing.assert_array_equal(
            cut.expected_at_places(name, start, start + SHIFT_S),
            oracle.expected_at_places(name, start, start + SHIFT_S),
        )


def test_what_is_known_a_week_ago_expects_as_much_as_what_is_known_now(
    world: Simulated, oracle: Oracle
) -> None:
    end = world.intensity.hours.end_utc_s
    now, weekly = [], []
    for week in range(1, 12):
        start = end - week * 7 * 86_400
        now.append(oracle.expected_at_places("burglary", start, start + 86_400).sum())
        weekly.append(
            oracle.expected_at_places(
                "burglary", start, start + 86_400, known_until_s=start - 7 * 86_400
            ).sum()
        )
    assert np.mean(weekly) == pytest.approx(np.mean(now), rel=0.05)


def test_a_burglary_raises_the_risk_around_it_and_fades_in_two_weeks(
    world: Simulated, oracle: Oracle
) -> None:
    places, tau_s = world.city.places, MODELS["burglary"].near_days * 86_400
    kernel = near_kernels(places)[0]
    np.testing.assert_allclose(np.asarray(kernel.sum(axis=1)).ravel(), 1.0)
    at = int(np.argmin(np.hypot(places.x_m - places.x_m.mean(), places.y_m - places.y_m.mean())))
    start = world.intensity.hours.end_utc_s - 60 * 86_400
    alone = type(world.history)(np.array([0]), np.array([at]), np.array([start - 1.0]))
    none = type(world.history)(*(column[:0] for column in vars(alone).values()))
    with_one = Oracle(intensity=world.intensity, places=places, history=alone)
    with_none = Oracle(intensity=world.intensity, places=places, history=none)

    def raised(from_s: float) -> np.ndarray:
        week = (from_s, from_s + 7 * 86_400)
        return with_one.expected_at_places("burglary", *week) - with_none.expected_at_places(
            "burglary", *week
        )

    first, later = raised(start), raised(start + 21 * 86_400)
    near = np.hypot(places.x_m - places.x_m[at], places.y_m - places.y_m[at]) < 400.0
    assert first[near].sum() > 0.95 * first.sum()
    assert later.sum() / first.sum() == pytest.approx(np.exp(-21 * 86_400 / tau_s), rel=0.05)


@pytest.mark.parametrize("name", ["workday", "bar_hours", "night", "school_run"])
def test_weekly_profiles_have_mean_one(name: str) -> None:
    assert hour_of_week_profile(name).mean() == pytest.approx(1.0)
    assert hour_of_week_profile(name).min() > 0


def test_bar_hours_peak_on_saturday_night() -> None:
    peak = int(np.argmax(hour_of_week_profile("bar_hours")))
    assert peak in (5 * 24 + 23, 6 * 24, 6 * 24 + 1)


def test_crime_concentrates_as_it_does_in_cities(world: Simulated, grid: GridSpec) -> None:
    """Five cells in a hundred hold 35 to 60 % of the long-run risk of each common type."""
    cell = grid.locate(world.city.places.x_m, world.city.places.y_m)
    for k, name in enumerate(CRIME_TYPES[:5]):
        surface = world.intensity.surfaces[world.intensity.type_of_component == k].sum(axis=0)
        by_cell = np.sort(np.bincount(cell[cell >= 0], weights=surface[cell >= 0], minlength=len(grid)))[::-1]
        assert 0.35 < by_cell[: len(grid) // 20].sum() / by_cell.sum() < 0.60, name


def test_knowing_the_truth_beats_knowing_nothing_by_far(
    world: Simulated, oracle: Oracle, grid: GridSpec
) -> None:
    end, history = world.intensity.hours.end_utc_s, world.history
    cell = grid.locate(world.city.places.x_m[history.place], world.city.places.y_m[history.place])
    flagged, hits, happened = round(0.01 * len(grid)), 0, 0
    for shift in range(60):
        start = end - (60 - shift) * SHIFT_S
        low, high = np.searchsorted(history.at_utc_s, [start, start + SHIFT_S])
        for k, name in enumerate(CRIME_TYPES[:5]):
            top = np.argsort(-oracle.expected_s(name, grid, start, start + SHIFT_S))[:flagged]
            mine = cell[low:high][history.type_index[low:high] == k]
            hits, happened = hits + int(np.isin(mine, top).sum()), happened + len(mine)
    assert hits / happened > 0.10


def test_a_period_outside_the_span_is_refused(world: Simulated, oracle: Oracle) -> None:
    end = world.intensity.hours.end_utc_s
    with pytest.raises(ValueError, match="outside the simulated span"):
        oracle.expected_at_places("burglary", end - 100, end + 100)
    with pytest.raises(ValueError, match="does not look into the period"):
        oracle.expected_at_places("burglary", end - 200, end - 100, known_until_s=end - 150)
