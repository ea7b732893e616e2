"""An incident that may have happened in many shifts is spread over them, and stays one incident."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.aoristic import LONG_SECONDS, pieces_of, shift_shares
from forecasting.engine.features import History, events_of, rates_by_brute_force, surfaces
from forecasting.engine.periods import (
    Periods,
    ShiftWindow,
    counts_per_period,
    days_since_epoch,
    shift_membership,
)
from forecasting.engine.sampling import rows_sample
from forecasting.engine.train import forecast, train
from ingestion.engine.tables import IncidentTable
from tests.forecasting.engine_city import BEGIN, SHIFTS, city, shift_instances, square_grid, table

shift_windows = st.builds(
    ShiftWindow,
    slug=st.just("any"),
    start_minute=st.integers(0, 1439),
    duration_minutes=st.integers(1, 1440),
    weekdays=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
)


def lasting(seconds: np.ndarray, at: np.ndarray | None = None, delay_days: float = 0.0) -> IncidentTable:
    """Burglaries at one place with intervals of these lengths, known ``delay_days`` after their end."""
    n = len(seconds)
    start = BEGIN + np.zeros(n, "timedelta64[s]") if at is None else at
    one = table(np.full(n, 100.0), np.full(n, 100.0), start, np.zeros(n), delay_days=0.0)
    end = one.occurred_utc + np.asarray(seconds, dtype=np.int64).astype("timedelta64[s]")
    late = np.timedelta64(round(delay_days * 86_400), "s")
    return replace(one, occurred_to_utc=end, known_utc=end + late)


def with_intervals(incidents: IncidentTable, rng: np.random.Generator, mean_hours: float) -> IncidentTable:
    """The same incidents, found only later: each might have happened up to then."""
    hours = np.where(rng.random(len(incidents)) < 0.5, rng.exponential(mean_hours, len(incidents)), 0.0)
    end = incidents.occurred_utc + (hours * 3600).astype("timedelta64[s]")
    return replace(incidents, occurred_to_utc=end, known_utc=np.maximum(incidents.known_utc, end))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(shift_windows, min_size=1, max_size=4),
    st.lists(
        st.tuples(
            st.integers(0, 3 * 604_800),
            st.one_of(st.integers(0, 4_000), st.integers(0, 200_000), st.integers(0, 40_000_000)),
        ),
        min_size=1,
        max_size=6,
    ),
    st.integers(-12 * 3600, 12 * 3600),
)
def test_every_incident_keeps_a_mass_of_one_whatever_the_shifts(
    shifts: list[ShiftWindow], incidents: list[tuple[int, int]], offset_seconds: int
) -> None:
    at, length = np.array(incidents, dtype=np.int64).T
    made = lasting(length, BEGIN + np.sort(at).astype("timedelta64[s]"))
    made = replace(made, occurred_local=made.occurred_utc + np.timedelta64(offset_seconds, "s"))
    pieces = pieces_of(made, tuple(shifts))
    assert np.allclose(np.bincount(pieces.row, pieces.weight, len(made)), 1.0, atol=1e-12)
    assert (pieces.weight > 0).all()
    assert (pieces.occurred_utc >= made.occurred_utc[pieces.row]).all()
    assert (pieces.occurred_utc <= made.occurred_to_utc[pieces.row]).all()
    assert (pieces.occurred_local - pieces.occurred_utc == np.timedelta64(offset_seconds, "s")).all()
    whole = np.flatnonzero(np.bincount(pieces.row) == 1)
    alone = pieces.weight[np.isin(pieces.row, whole)]
    assert (alone == 1.0).all()
    # Two weeks at most are cut: two shift edges a day and window, and the two ends of each week.
    assert np.bincount(pieces.row).max() <= 14 * 2 * len(shifts) + 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(shift_windows, min_size=1, max_size=3),
    st.integers(0, 604_800),
    st.integers(3_600, LONG_SECONDS),
)
def test_each_shift_gets_its_share_of_the_time_minute_by_minute(
    shifts: list[ShiftWindow], start: int, seconds: int
) -> None:
    start, seconds = start // 60 * 60, seconds // 60 * 60
    made = lasting(np.array([seconds]), BEGIN + np.array([start]).astype("timedelta64[s]"))
    minutes = made.occurred_local[0] + np.arange(seconds // 60) * np.timedelta64(60, "s")
    truth = shift_membership(minutes, tuple(shifts)).mean(axis=0)
    assert np.allclose(shift_shares(made, tuple(shifts))[0], truth, atol=1e-9)


@pytest.mark.parametrize("days", [14.01, 45.3, 400.0])
def test_a_very_long_interval_keeps_the_week_s_own_shares_and_its_middle(days: float) -> None:
    shifts = (ShiftWindow("day", 480, 480), ShiftWindow("weekend", 1200, 600, weekdays=(4, 5)))
    made = lasting(np.array([round(days * 86_400)]))
    share = shift_shares(made, shifts)[0]
    assert share == pytest.approx([1 / 3, 20 / 168], abs=1e-9)
    pieces = pieces_of(made, shifts)
    middle = float(pieces.weight @ days_since_epoch(pieces.occurred_utc))
    assert middle == pytest.approx(float(days_since_epoch(made.occurred_utc)[0]) + days / 2, abs=0.01)


def test_time_outside_all_shifts_keeps_its_mass_and_belongs_to_no_shift() -> None:
    evening = (ShiftWindow("evening", 960, 480),)
    made = lasting(np.array([86_400]))
    pieces = pieces_of(made, evening)
    assert pieces.weight.tolist() == pytest.approx([16 / 24, 8 / 24])
    assert pieces.member(evening).ravel().tolist() == [False, True]


def test_overlapping_shifts_both_have_the_incident_but_the_city_counts_it_once() -> None:
    shifts = (ShiftWindow("day", 480, 480), ShiftWindow("power", 720, 480))
    made = lasting(np.array([12 * 3600]), BEGIN + np.array([8 * 3600]).astype("timedelta64[s]"))
    assert shift_shares(made, shifts)[0] == pytest.approx([8 / 12, 8 / 12])
    assert pieces_of(made, shifts).weight.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize("seconds", [0, 3_599, 8 * 3600])
def test_a_short_interval_or_one_inside_a_shift_stays_as_it_is(seconds: int) -> None:
    made = lasting(np.array([seconds]))
    pieces = pieces_of(made, SHIFTS)
    assert pieces.weight.tolist() == [1.0]
    assert pieces.occurred_utc.tolist() == made.occurred_utc.tolist()
    assert pieces.occurred_local.tolist() == made.occurred_local.tolist()


def test_nothing_happens_after_it_was_known() -> None:
    made = lasting(np.array([5 * 86_400]))
    made = replace(made, known_utc=made.occurred_utc + np.timedelta64(86_400, "s"))
    pieces = pieces_of(made, SHIFTS)
    assert pieces.weight.sum() == pytest.approx(1.0)
    assert (pieces.occurred_utc < made.known_utc[pieces.row]).all()


def test_incidents_without_intervals_are_the_same_columns_as_before() -> None:
    incidents, grid = city(np.random.default_rng(3), 500, 60, delay_days=2.0), square_grid(300.0)
    events = events_of(grid, incidents, SHIFTS)
    order = np.lexsort(
        (
            incidents.category,
            grid.locate(incidents.x_m, incidents.y_m),
            incidents.occurred_utc,
            incidents.known_utc,
        )
    )
    assert (events.weight == 1.0).all()
    assert np.array_equal(events.occurred_days, days_since_epoch(incidents.occurred_utc[order]))
    assert np.array_equal(events.known_days, days_since_epoch(incidents.known_utc[order]))
    assert np.array_equal(events.cell, grid.locate(incidents.x_m, incidents.y_m)[order])
    assert np.array_equal(events.member, shift_membership(incidents.occurred_local[order], SHIFTS))


def test_spread_incidents_walk_as_they_count_from_scratch_in_any_order() -> None:
    rng = np.random.default_rng(8)
    incidents = with_intervals(city(rng, 400, 90), rng, 60.0)
    shuffled = incidents.take(rng.permutation(len(incidents)))
    grid, some = square_grid(400.0), shift_instances(90).take([60, 61, 200, 268])
    events = events_of(grid, incidents, SHIFTS)
    other = events_of(grid, shuffled, SHIFTS)
    assert len(events.cell) > len(incidents)
    assert events.weight.sum() == pytest.approx(len(incidents))
    walked = surfaces(History(grid, events), some)
    again = surfaces(History(grid, other), some)
    for (number, rates, _), (_, rates_again, _) in zip(walked, again, strict=True):
        start = float(days_since_epoch(some.from_utc)[number])
        truth = rates_by_brute_force(grid, events, start, start, int(some.slot[number]))
        assert np.allclose(rates, truth, rtol=2e-3, atol=1e-3)
        assert np.array_equal(rates, rates_again)


def test_over_back_to_back_shifts_the_outcomes_add_up_to_the_incidents() -> None:
    rng = np.random.default_rng(4)
    incidents = with_intervals(city(rng, 600, 60), rng, 40.0)
    periods = shift_instances(200)
    counts = counts_per_period(incidents, periods, incidents.categories)
    assert counts.sum(axis=0) == pytest.approx(np.bincount(incidents.category, minlength=2))
    grid = square_grid(1_500.0)
    events = events_of(grid, incidents, SHIFTS)
    rows = rows_sample(History(grid, events), periods, [0, 1], np.random.default_rng(0), 64, 10**9)
    for target in (0, 1):
        at, y, weight = rows.for_target(target, np.inf, np.inf, target)
        inside = events.weight[events.source == target].sum()
        assert (weight[y > 0] @ y[y > 0]) == pytest.approx(inside, rel=1e-5)
        per_period = np.bincount(rows.period[at], weight * y, len(periods))
        if inside == counts[:, target].sum():
            assert per_period == pytest.approx(counts[:, target], abs=1e-4)


def test_counts_per_period_without_intervals_are_whole_numbers() -> None:
    incidents = city(np.random.default_rng(4), 600, 60)
    counts = counts_per_period(incidents, shift_instances(60), incidents.categories)
    assert (counts == np.round(counts)).all()
    assert counts.sum() == len(incidents)


def test_a_city_of_long_intervals_trains_calibrated_models() -> None:
    rng = np.random.default_rng(2)
    incidents = with_intervals(city(rng, 3_000, 150), rng, 30.0)
    periods, grid = shift_instances(140), square_grid(500.0)
    as_of = periods.to_utc[-1]
    trained = train(
        grid=grid,
        incidents=incidents,
        periods=periods,
        shifts=SHIFTS,
        targets=incidents.categories,
        as_of_utc=as_of,
        rng=np.random.default_rng(1),
    )
    known = incidents.known_before(as_of)
    inside = grid.locate(known.x_m, known.y_m) >= 0
    for number, (slug, one) in enumerate(trained.items()):
        assert one.events == int((inside & (known.category == number)).sum())
        for row in one.league:
            assert row.calibration.value == pytest.approx(1.0, abs=0.25)
        surface = forecast(
            trained=trained,
            grid=grid,
            incidents=incidents,
            period=Periods(
                as_of[None], as_of[None] + np.timedelta64(8, "h"), as_of[None], np.array([2], np.int16)
            ),
            shifts=SHIFTS,
            as_of_utc=as_of,
        )[slug]
        assert np.isfinite(surface).all()
