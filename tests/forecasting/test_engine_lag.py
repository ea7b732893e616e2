"""What is not reported yet is estimated honestly, and the counts are raised by it."""

import json
import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.features import (
    MEMORIES_DAYS,
    History,
    events_of,
    rates_by_brute_force,
    surfaces,
)
from forecasting.engine.lag import CompletenessBook, ReportingLag, lag_measure, lags_measured
from forecasting.engine.periods import days_since_epoch
from forecasting.engine.train import explain, forecast, forecast_many, train
from ingestion.engine.tables import IncidentTable
from tests.forecasting.engine_city import SHIFTS, city, shift_instances, square_grid

LATE = ReportingLag.from_quantiles(48.0, 240.0)
"""Half known after two days, nine in ten after ten."""


def delays(rng: np.random.Generator, n: int, median_days: float = 2.0, p90_days: float = 10.0) -> np.ndarray:
    return median_days * np.exp(rng.normal(0, math.log(p90_days / median_days) / 1.2815515655, n))


def late_city(
    rng: np.random.Generator, n: int = 4_500, days: int = 170, median_days: float = 2.0
) -> IncidentTable:
    incidents = city(rng, n, days)
    late = (delays(rng, n, median_days, 5 * median_days) * 86_400).astype("timedelta64[s]")
    return replace(incidents, known_utc=incidents.occurred_utc + late)


def test_the_measured_lag_is_the_simulated_one() -> None:
    rng = np.random.default_rng(1)
    occurred = rng.uniform(0, 700, 40_000)
    known = occurred + delays(rng, len(occurred))
    found = lag_measure(occurred, known, 700.0)
    age = np.array([0.5, 1, 2, 4, 7, 10, 20, 40])
    assert np.allclose(found.known(age), LATE.known(age), atol=0.025)
    assert found.quantile_hours(0.5) == pytest.approx(48, rel=0.06)
    assert found.quantile_hours(0.9) == pytest.approx(240, rel=0.1)
    assert found.origin == "measured"


def test_short_delays_of_young_incidents_do_not_deceive() -> None:
    rng = np.random.default_rng(2)
    # Almost all incidents are days old: what is known of them are the quick reports.
    occurred = np.concatenate([rng.uniform(0, 90, 1_500), rng.uniform(90, 100, 12_000)])
    known = occurred + delays(rng, len(occurred), 6.0, 20.0)
    seen = known < 100.0
    naive = float(np.median((known - occurred)[seen]))
    found = lag_measure(occurred, known, 100.0)
    assert naive < 4.5
    assert found.quantile_hours(0.5) / 24 == pytest.approx(6.0, rel=0.15)


def test_recent_weeks_weigh_more_when_reporting_has_become_quicker() -> None:
    rng = np.random.default_rng(3)
    occurred = rng.uniform(0, 1_000, 60_000)
    known = occurred + np.where(occurred < 500, delays(rng, 60_000, 8.0, 40.0), delays(rng, 60_000, 1.0, 4.0))
    found = lag_measure(occurred, known, 1_000.0)
    assert 20 < found.quantile_hours(0.5) < 36


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(60, 400), st.floats(20.0, 300.0))
def test_nothing_known_later_changes_the_estimate_nor_does_the_order(seed: int, n: int, at: float) -> None:
    rng = np.random.default_rng(seed)
    occurred = rng.uniform(0, 320, n)
    known = occurred + delays(rng, n)
    weight = rng.choice([0.25, 0.5, 1.0], n)
    first = lag_measure(occurred, known, at, weight)
    later = known >= at
    moved = np.where(later, np.maximum(rng.uniform(0, 900, n), at), known)
    mixed = rng.permutation(n)
    again = lag_measure(occurred[mixed], moved[mixed], at, weight[mixed])
    gone = lag_measure(occurred[~later], known[~later], at, weight[~later])
    assert np.allclose(first.share, again.share, atol=1e-12)
    assert first == gone
    assert first.share[-1] == 1.0
    assert (np.diff(first.share) >= 0).all()


def test_a_stray_report_a_year_late_does_not_empty_the_other_days() -> None:
    rng = np.random.default_rng(4)
    occurred = rng.uniform(0, 360, 2_000)
    known = occurred + delays(rng, 2_000, 0.5, 2.0)
    occurred, known = np.append(occurred, 1.0), np.append(known, 355.0)
    found = lag_measure(occurred, known, 360.0)
    assert float(found.known(5.0)) > 0.95


def test_few_incidents_and_immediate_reports_need_no_correction() -> None:
    assert lag_measure(np.arange(49.0), np.arange(49.0) + 3, 400.0).is_complete
    at_once = lag_measure(np.arange(200.0), np.arange(200.0), 400.0)
    assert at_once.is_complete
    assert at_once.origin == "measured"
    assert (at_once.known([0.0, 0.5, 900.0]) == 1.0).all()


@pytest.mark.parametrize(("median", "p90"), [(0.0, 5.0), (-1.0, 5.0), (6.0, 5.0), (1.0, math.inf)])
def test_an_analysts_lag_must_make_sense(median: float, p90: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        ReportingLag.from_quantiles(median, p90)


@pytest.mark.parametrize(
    "rows", [[(0, 0.5), (3, 0.9)], [(3, 0.5), (1, 1.0)], [(0, 0.8), (3, 0.5), (4, 1.0)], [(0, math.nan)]]
)
def test_a_table_of_shares_must_rise_to_one(rows: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="reporting lag"):
        ReportingLag.from_table(rows)


def test_an_analysts_lag_has_the_quantiles_that_were_said() -> None:
    assert LATE.quantile_hours(0.5) == pytest.approx(48, rel=0.03)
    assert LATE.quantile_hours(0.9) == pytest.approx(240, rel=0.03)
    sudden = ReportingLag.from_quantiles(24.0, 24.0)
    assert float(sudden.known(0.5)) == 0.0
    assert float(sudden.known(2.0)) == 1.0
    assert ReportingLag.from_dict(json.loads(json.dumps(LATE.as_dict(), allow_nan=False))) == LATE


def test_two_feeds_of_one_type_mix_and_two_delays_of_one_feed_multiply() -> None:
    quick, days = ReportingLag.none(), np.array([0.0, 0.5, 3.0, 30.0])
    mixed = ReportingLag.mixture([(quick, 3.0), (LATE, 1.0)])
    assert np.allclose(mixed.known(days), 0.75 + 0.25 * LATE.known(days))
    assert np.allclose(LATE.with_said(LATE).known(days[1:]), LATE.known(days[1:]) ** 2, atol=0.02)
    assert LATE.with_said(None) is LATE
    assert LATE.with_said(quick) is LATE
    assert quick.with_said(LATE) is LATE


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 500.0), st.floats(1.0, 20.0), st.floats(0.01, 2_000.0), st.floats(0.0, 30.0))
def test_no_count_is_more_than_complete(median: float, times: float, age: float, gap: float) -> None:
    book = CompletenessBook([ReportingLag.from_quantiles(median, median * times)], MEMORIES_DAYS)
    book.move_to(age, age - gap, np.zeros(1))
    assert (book.shares > 0).all()
    assert (book.shares <= 1).all()
    if gap == 0 and age > 50:
        # The longer the memory, the more of it is old enough to be known.
        assert (np.diff(book.shares[0]) >= -1e-9).all()


def test_without_lag_and_issued_at_its_start_nothing_changes_by_a_bit() -> None:
    grid, incidents = square_grid(400.0), city(np.random.default_rng(6), 800, 90)
    events, some = events_of(grid, incidents, SHIFTS), shift_instances(90).take([30, 200])
    nothing = [ReportingLag.none(), ReportingLag.none()]
    plain, corrected = (surfaces(History(grid, events, lags), some) for lags in (None, nothing))
    for (_, rates, totals), (_, same_rates, same_totals) in zip(plain, corrected, strict=True):
        assert np.array_equal(rates, same_rates)
        assert np.array_equal(totals, same_totals)


@pytest.mark.parametrize("gap_days", [0.0, 1.5])
def test_corrected_totals_are_unbiased(gap_days: float) -> None:
    grid = square_grid(2_000.0)
    now = float(days_since_epoch(shift_instances(160).to_utc[-1]))
    ratios = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        incidents = late_city(rng, 12_000, 160)
        complete = replace(incidents, known_utc=incidents.occurred_utc)
        events = events_of(grid, incidents, SHIFTS)
        issued = now - gap_days
        lags = lags_measured(events.source, events.occurred_days, events.known_days, events.weight, 2, issued)
        late, truth = History(grid, events, lags), History(grid, events_of(grid, complete, SHIFTS))
        late.move_to(now, issued)
        truth.move_to(now, now)
        ratios.append(late.totals() / truth.totals())
    mean = np.mean(ratios, axis=0)
    error = np.std(ratios, axis=0) / 5
    # The shortest memory stands on few incidents: the correction is deliberately made in part only.
    assert (abs(mean - 1) < 3 * error + np.array([0.06, 0.02, 0.01, 0.01, 0.01, 0.01, 0.01])).all()


def test_corrected_walks_equal_corrected_counts_from_scratch() -> None:
    grid, incidents = square_grid(400.0), late_city(np.random.default_rng(5), 700, 90)
    events, some = events_of(grid, incidents, SHIFTS), shift_instances(90).take([40, 41, 220])
    issued = days_since_epoch(some.from_utc) - 0.75
    lags = (LATE, ReportingLag.none())
    for number, rates, totals in surfaces(History(grid, events, lags), some, issued):
        start, slot = float(days_since_epoch(some.from_utc)[number]), int(some.slot[number])
        truth = rates_by_brute_force(grid, events, start, float(issued[number]), slot, lags)
        assert np.allclose(rates, truth, rtol=2e-3, atol=1e-3)
        assert np.allclose(rates.mean(axis=0), 1.0, atol=2e-3)
        assert np.isfinite(totals).all()


def test_a_walk_through_the_past_sees_only_what_was_known_then() -> None:
    grid, incidents = square_grid(400.0), late_city(np.random.default_rng(7), 900, 90)
    some = shift_instances(90).take([120, 150, 200])
    walked = list(surfaces(History(grid, events_of(grid, incidents, SHIFTS)), some))
    for number, rates, totals in walked:
        # The same walk over a table from which later reports are gone, as it was on that day.
        then = events_of(grid, incidents.known_before(some.from_utc[number]), SHIFTS)
        history = History(grid, then)
        start = float(days_since_epoch(some.from_utc)[number])
        history.move_to(start, start)
        assert np.allclose(rates, history.rates(int(some.slot[number])), rtol=1e-4, atol=1e-5)
        assert np.allclose(totals, history.totals())


DAYS, AFTER = 300, 20
GRID = square_grid(600.0)
ARGUMENTS: dict[str, Any] = {"grid": GRID, "shifts": SHIFTS}


@cache
def slow_city() -> IncidentTable:
    return late_city(np.random.default_rng(11), 12_000, DAYS, median_days=4.0)


def as_stored_without_report_times(incidents: IncidentTable, at: np.datetime64) -> IncidentTable:
    """What an agency holds at an instant whose feed tells no report times: all it has seems known at once."""
    stored = incidents.known_before(at)
    return replace(stored, known_utc=stored.occurred_utc)


def test_said_lag_brings_the_level_back_where_report_times_are_missing() -> None:
    incidents = slow_city()
    periods = shift_instances(DAYS - AFTER)
    tests = shift_instances(DAYS, DAYS - AFTER)
    said = {slug: ReportingLag.from_quantiles(96.0, 480.0) for slug in incidents.categories}
    as_of = periods.to_utc[-1]
    stored = as_stored_without_report_times(incidents, as_of)
    expected = {}
    for name, lag in (("ignored", {}), ("said", said)):
        trained = train(
            **ARGUMENTS,
            incidents=stored,
            periods=periods,
            targets=incidents.categories,
            as_of_utc=as_of,
            rng=np.random.default_rng(1),
            lag=lag,
        )
        expected[name] = 0.0
        for number in range(0, len(tests), 2):
            at = tests.from_utc[number]
            surface = forecast(
                **ARGUMENTS,
                trained=trained,
                incidents=as_stored_without_report_times(incidents, at),
                period=tests.take([number]),
                as_of_utc=at,
            )
            expected[name] += float(sum(values.sum() for values in surface.values()))
    truth = 0.5 * sum(
        int(((incidents.occurred_utc >= tests.from_utc[0]) & (incidents.category == k)).sum()) for k in (0, 1)
    )
    assert expected["ignored"] / truth < 0.9
    assert expected["said"] / truth == pytest.approx(1.0, abs=0.08)


def test_the_lag_is_stored_shown_and_used_alike_by_forecast_and_explanation() -> None:
    incidents, periods = slow_city(), shift_instances(DAYS - AFTER)
    as_of = periods.to_utc[-1]
    trained = train(
        **ARGUMENTS,
        incidents=incidents,
        periods=periods,
        targets=("burglary",),
        as_of_utc=as_of,
        rng=np.random.default_rng(1),
    )
    shown = json.loads(json.dumps(trained["burglary"].summary(), allow_nan=False))["reporting_lag"]
    assert shown["origin"] == "measured"
    assert shown["median_hours"] == pytest.approx(96, rel=0.15)
    (tonight,) = (shift_instances(DAYS).take([3 * (DAYS - AFTER) + 5]),)
    common: dict[str, Any] = {
        **ARGUMENTS,
        "trained": trained,
        "incidents": incidents,
        "period": tonight,
        "as_of_utc": as_of,
    }
    for lag in (None, {"burglary": LATE}):
        surface = forecast(**common, lag=lag)["burglary"]
        (told,) = explain(**common, lag=lag, cells=np.array([7]), target="burglary")
        assert told.expected == pytest.approx(float(surface[7]), rel=1e-5)
    more = forecast(**common, lag={"burglary": LATE})["burglary"].sum()
    # A further lag on top of the measured one: more is still to come.
    assert more > 1.005 * forecast(**common)["burglary"].sum()
    many = forecast_many(
        **ARGUMENTS, trained=trained, incidents=incidents.known_before(as_of), periods=tonight
    )
    assert many[0]["burglary"].shape == (len(GRID),)
