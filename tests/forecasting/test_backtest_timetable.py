"""The bench's timetable: which periods are forecast and learned from, and when models are fitted anew."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.engine.bench.protocol import (
    bootstrap_blocks,
    is_dated_only,
    timetable,
    validation,
)
from forecasting.engine.periods import after_burn_in, days_since_epoch

BEGIN = np.datetime64("2016-02-29T00:00:00")


def plan(horizon: str, test_from: str, test_to: str, **changed: int) -> object:
    chosen = {"refit_weeks": 4, **changed}
    return timetable(
        horizon=horizon, test_from=np.datetime64(test_from), test_to=np.datetime64(test_to), **chosen
    )


@pytest.mark.parametrize(
    ("horizon", "periods", "fits", "left_over"),
    [("shift", 276, 4, 0), ("day", 92, 4, 0), ("week", 13, 4, 1), ("month", 3, 3, 0)],
)
def test_three_months_hold_so_many_periods(horizon: str, periods: int, fits: int, left_over: int) -> None:
    made = plan(horizon, "2018-08-01", "2018-11-01")
    assert len(made.test) == periods
    assert len(made.blocks) == fits
    assert made.left_over_days == left_over
    assert (made.blocks[0][0], made.blocks[-1][1]) == (0, periods)
    assert all(a[1] == b[0] for a, b in zip(made.blocks, made.blocks[1:], strict=False))
    assert (made.test.to_utc[:-1] == made.test.from_utc[1:]).all()


def test_months_are_those_of_the_calendar() -> None:
    made = plan("month", "2016-01-01", "2016-04-15")
    assert list(made.test.to_utc.astype("datetime64[D]").astype(str)) == [
        "2016-02-01",
        "2016-03-01",
        "2016-04-01",
    ]
    assert made.left_over_days == 14


def test_models_are_fitted_once_where_no_refit_is_wanted() -> None:
    assert plan("day", "2018-08-01", "2018-11-01", refit_weeks=0).blocks == ((0, 92),)


@pytest.mark.parametrize(
    ("horizon", "hours", "step_hours"),
    [("shift", 8, 8), ("day", 24, 24), ("week", 7 * 24, 24), ("month", 30 * 24, 7 * 24)],
)
def test_what_is_learned_from_has_ended_before_the_origin_and_begun_with_the_data(
    horizon: str, hours: int, step_hours: int
) -> None:
    made = plan(horizon, "2017-01-01", "2017-02-01")
    origin = made.origin(0)
    history = made.history(BEGIN + np.timedelta64(13, "h"), origin)
    assert history.to_utc[-1] == origin
    assert history.from_utc[0] >= BEGIN + np.timedelta64(13, "h")
    assert history.from_utc[0] < BEGIN + np.timedelta64(13 + hours + step_hours, "h")
    assert (history.hours == hours).all()
    assert (np.diff(history.from_utc) == np.timedelta64(step_hours, "h")).all()


def test_an_origin_before_the_data_leaves_nothing_to_learn_from() -> None:
    for horizon in ("shift", "day", "week", "month"):
        assert len(plan(horizon, "2017-01-01", "2017-02-01").history(BEGIN, BEGIN)) == 0


@pytest.mark.parametrize("horizon", ["shift", "day", "week", "month"])
def test_the_baseline_is_chosen_before_the_test_and_in_the_later_half_of_the_history(horizon: str) -> None:
    made = plan(horizon, "2017-01-01", "2017-02-01")
    history = made.history(BEGIN, made.origin(0))
    tried = validation(made, history, 0.5, np.random.default_rng(1))
    assert len(tried) >= 3
    assert tried.to_utc[-1] <= made.origin(0)
    assert tried.from_utc[0] >= BEGIN + (made.origin(0) - BEGIN) / 2 - np.timedelta64(1, "D")
    assert (tried.to_utc[:-1] <= tried.from_utc[1:]).all()


def test_the_first_weeks_are_not_learned_from() -> None:
    made = plan("day", "2017-01-01", "2017-02-01")
    history = made.history(BEGIN, made.origin(0))
    kept = after_burn_in(history, float(days_since_epoch(history.from_utc[0])))
    assert kept.to_utc[-1] == history.to_utc[-1]
    assert 0.75 < len(kept) / len(history) < 0.85


def test_a_stub_at_the_end_joins_the_week_before() -> None:
    blocks = bootstrap_blocks(plan("shift", "2018-08-01", "2018-11-01").test)
    assert blocks.max() == 12
    assert (np.bincount(blocks)[:12] == 21).all()
    assert np.bincount(blocks)[12] == 24
    assert list(bootstrap_blocks(plan("month", "2016-03-01", "2016-06-01").test)) == [0, 1, 2]


def test_midnights_alone_are_dates() -> None:
    days = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]").astype("datetime64[s]")
    assert is_dated_only(days)
    assert not is_dated_only(days + np.timedelta64(3600 * 5, "s"))
