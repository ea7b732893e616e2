"""Every figure of the league has its interval, from the same draws for every model."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from forecasting.engine.bench.league import CSV_COLUMNS, CategoryLeague, ModelFigures, seconds_estimate
from forecasting.engine.metrics import bootstrap_weeks
from tests.forecasting import bench_city as bench

WEEKS = 6
FIGURES = (
    "log_score",
    "log_gain",
    "log_skill",
    "calibration",
    "calibration_gap",
    "fit_seconds",
    "forecast_seconds",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("intervals")
    bench.written(bench.events_frame(n=1_500), made)
    return made


@pytest.fixture(scope="module")
def league(folder: Path) -> CategoryLeague:
    """Six weeks, a fit each week."""
    chosen = bench.options(
        folder / "events.parquet", folder / "out", test_from=bench.TEST_TO - 7 * WEEKS, test_to=bench.TEST_TO
    )
    return bench.run(chosen).leagues[0]


def others(league: CategoryLeague) -> list[ModelFigures]:
    return [model for model in league.models if not model.is_best_baseline]


def test_every_figure_has_an_interval_around_it(league: CategoryLeague) -> None:
    for model in others(league):
        for name in FIGURES:
            one = getattr(model, name)
            assert one.low <= one.value <= one.high, (model.name, name)
        for area in model.areas:
            assert area.pei_star.low <= area.pei_star.value <= area.pei_star.high
        assert model.log_score.low < model.log_score.high
        assert model.fit_seconds.low < model.fit_seconds.high
        assert model.fits == WEEKS


def test_the_interval_of_the_pai_is_the_hit_rates_times_a_constant(league: CategoryLeague) -> None:
    for model in league.models:
        for area in model.areas:
            factor = league.cells / area.cells
            for part in ("value", "low", "high"):
                expected = factor * getattr(area.hit_rate, part)
                assert getattr(area.pai, part) == pytest.approx(expected, rel=1e-12)


def test_the_difference_is_that_of_the_two_log_scores_and_narrower_than_either(
    league: CategoryLeague,
) -> None:
    best = league.best_baseline
    for model in others(league):
        assert model.log_gain.value == pytest.approx(model.log_score.value - best.log_score.value, abs=1e-12)
        # Draws of its own for each model would make the difference about as wide as the scores themselves.
        assert model.log_gain.high - model.log_gain.low < 0.5 * (model.log_score.high - model.log_score.low)
        per_event = (
            model.log_gain.value * league.cells * league.periods / (league.events - league.outside_cells)
        )
        assert model.log_skill.value == pytest.approx(per_event, rel=1e-9)
    assert (best.log_gain.value, best.log_gain.low, best.log_gain.high) == (0, 0, 0)


def test_all_models_share_one_level_so_that_their_calibration_does_not_differ(league: CategoryLeague) -> None:
    for model in league.models:
        assert abs(model.calibration_gap.value) < 1e-6
        assert abs(model.calibration_gap.high - model.calibration_gap.low) < 1e-6


def test_one_fit_has_no_interval_for_its_seconds_and_the_report_says_so(folder: Path) -> None:
    out = folder / "once"
    chosen = bench.options(folder / "events.parquet", out, models=("prospective_hotspot",), refit_weeks=0)
    model = bench.run(chosen).leagues[0].written
    assert model.fits == 1
    assert model.fit_seconds.value > 0
    assert math.isnan(model.fit_seconds.low)
    assert "[one fit, no interval]" in (out / "report.html").read_text()
    with (out / "league.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["fit_seconds_low"] for row in rows} == {""}
    assert {row["fits"] for row in rows} == {"1"}


def test_the_csv_and_the_report_hold_the_new_figures(folder: Path, league: CategoryLeague) -> None:
    with (folder / "out" / "league.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS
    for row in rows:
        model = league.model(row["model"])
        for name in FIGURES:
            one = getattr(model, name)
            kept = [float(row[column]) for column in (name, f"{name}_low", f"{name}_high")]
            assert kept == [one.value, one.low, one.high]
    report = (folder / "out" / "report.html").read_text()
    assert "Log score minus the best baseline’s" in report
    assert "one fit, no interval" not in report


def test_equal_fits_have_no_spread_and_a_short_last_block_adds_none() -> None:
    draws = bootstrap_weeks(np.arange(3), np.random.default_rng(1))
    # Half a second for each period forecast, in blocks of ten, ten and four periods.
    one = seconds_estimate([5.0, 5.0, 2.0], [10, 10, 4], draws)
    assert (one.value, one.low, one.high) == pytest.approx((12.0, 12.0, 12.0))


def test_seconds_that_differ_from_fit_to_fit_are_spread_between_the_least_and_the_most() -> None:
    draws = bootstrap_weeks(np.arange(3), np.random.default_rng(1))
    one = seconds_estimate([1.0, 2.0, 3.0], [1, 1, 1], draws)
    assert one.value == 6.0
    assert 3.0 <= one.low < 6.0 < one.high <= 9.0
