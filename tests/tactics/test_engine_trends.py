"""Counts against earlier years, hours, repeats and emerging cells: what chance gives is not called news, what is planted is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ingestion.engine.tables import IncidentTable
from tactics.engine.trends import (
    count_band,
    emerging_cells,
    hours_of_week,
    near_repeats,
    repeats,
    weekly_counts,
)


def test_chance_alone_falls_outside_the_limits_at_most_one_time_in_twenty() -> None:
    rng = np.random.default_rng(1)
    for rate in (0.5, 6.0, 200.0):
        draws = rng.poisson(rate, (3000, 6))
        outside = [count_band(int(row[0]), row[1:]).word != "as expected" for row in draws]
        assert np.mean(outside) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 3000)


def test_the_tails_are_those_of_the_binomial_given_the_sum() -> None:
    earlier = np.array([20, 22, 18, 21, 19])
    for now in (8, 20, 31, 45):
        band = count_band(now, earlier)
        total = now + int(earlier.sum())
        above = stats.binom.sf(now - 1, total, 1 / 6)
        below = stats.binom.cdf(now, total, 1 / 6)
        assert band.p == pytest.approx(min(1.0, 2 * min(above, below)), rel=1e-9)
        assert (band.low <= now <= band.high) == (min(above, below) > 0.025)


def test_a_count_without_earlier_years_has_no_limits_and_one_after_empty_years_has() -> None:
    assert count_band(3, np.array([], dtype=int)).word == "no earlier year"
    assert count_band(3, np.zeros(3, dtype=int)).word == "more"
    assert count_band(1, np.zeros(3, dtype=int)).word == "as expected"
    with pytest.raises(ValueError, match="negative"):
        count_band(-1, np.array([1]))
    with pytest.raises(ValueError, match="level"):
        count_band(1, np.array([1]), level=0)


def test_weeks_end_with_the_last_day_and_others_are_left_out() -> None:
    days = np.array(["2026-03-01", "2026-03-07", "2026-03-08", "2026-02-15", "2026-03-09"], "datetime64[D]")
    counts = weekly_counts(days, last=np.datetime64("2026-03-08"), weeks=2)
    assert counts.tolist() == [1, 2]


def table(*intervals: tuple[str, str]) -> IncidentTable:
    began, ended = (np.array(bounds, "datetime64[s]") for bounds in zip(*intervals, strict=True))
    n = len(began)
    return IncidentTable(
        x_m=np.zeros(n), y_m=np.zeros(n), occurred_utc=began, occurred_to_utc=ended, occurred_local=began, known_utc=ended,
        category=np.zeros(n, dtype=np.int16), categories=("burglary",),
    )  # fmt: skip


def test_a_crime_of_uncertain_time_is_spread_over_its_hours_and_keeps_its_weight() -> None:
    crimes = table(
        ("2024-01-01T22:30", "2024-01-02T00:30"),
        ("2024-01-03T10:15", "2024-01-03T10:15"),
        ("2024-01-07T23:00", "2024-01-08T01:00"),
    )
    week = hours_of_week(crimes, np.arange(3))
    assert week.sum() == pytest.approx(3)
    assert [week[0, 22], week[0, 23], week[1, 0]] == [0.25, 0.5, 0.25]
    # Sunday night runs into Monday.
    assert [week[6, 23], week[0, 0]] == [0.5, 0.5]
    assert week[2, 10] == 1
    assert hours_of_week(crimes, np.array([1])).sum() == 1


def test_repeats_that_were_planted_are_found_and_chance_is_not_called_one() -> None:
    rng = np.random.default_rng(2)
    n = 400
    x, y, day = rng.uniform(0, 10_000, n), rng.uniform(0, 10_000, n), rng.integers(0, 364, n)
    again = slice(0, 60)
    x2, y2 = np.append(x, x[again] + 40), np.append(y, y[again])
    day2 = np.append(day, np.minimum(day[again] + 3, 363))
    found = near_repeats(x2, y2, day2, rng=rng, shuffles=199)
    assert found.shuffles == 199
    assert found.pairs[1, 0] >= 55
    assert found.p[1, 0] == pytest.approx(1 / 200)
    assert found.p[4, 0] > 0.01
    # The counts are those of looking at every pair.
    apart = np.hypot(x2[:, None] - x2[None, :], y2[:, None] - y2[None, :])
    between = np.abs(day2[:, None] - day2[None, :])
    upper = np.triu(np.ones_like(apart, dtype=bool), 1)
    assert found.pairs[1, 0] == (upper & (apart > 1) & (apart <= 100) & (between <= 7)).sum()
    assert (
        found.pairs[3, 2] == (upper & (apart > 200) & (apart <= 300) & (between > 14) & (between <= 21)).sum()
    )


def test_p_values_of_chance_alone_are_not_small_too_often() -> None:
    rng = np.random.default_rng(3)
    small = 0
    for _ in range(100):
        x, y, day = rng.uniform(0, 2_000, 80), rng.uniform(0, 2_000, 80), rng.integers(0, 100, 80)
        small += near_repeats(x, y, day, rng=rng, shuffles=99).p[3, 1] <= 0.05
    assert small <= 12


def test_one_crime_makes_no_pair_and_bands_must_increase() -> None:
    one = np.zeros(1)
    assert near_repeats(one, one, one.astype(int), rng=np.random.default_rng(0)).shuffles == 0
    with pytest.raises(ValueError, match="increase"):
        near_repeats(one, one, one.astype(int), rng=np.random.default_rng(0), days=(7, 7))
    with pytest.raises(ValueError, match="Shapes"):
        near_repeats(one, np.zeros(2), one.astype(int), rng=np.random.default_rng(0))


def test_cells_that_turned_bad_are_found_first_and_a_busy_city_makes_none_emerge() -> None:
    rng = np.random.default_rng(4)
    rates = rng.gamma(0.5, 1.0, 5000)
    before, recent = rng.poisson(rates * 4), rng.poisson(rates * 0.3)
    risen = recent.copy()
    risen[:5] += 9
    found = emerging_cells(risen, before, recent_days=28, before_days=364)
    assert set(range(5)) <= set(found.cell.tolist())
    assert len(found.cell) <= 7
    # Everything doubles: the city's change is no cell's.
    doubled = rng.poisson(rates * 0.6)
    assert len(emerging_cells(doubled, before, recent_days=28, before_days=364).cell) <= 1


def test_chance_alone_rarely_lists_a_cell() -> None:
    rng = np.random.default_rng(5)
    rates = rng.gamma(0.5, 1.0, 2000)
    listed = [
        len(
            emerging_cells(
                rng.poisson(rates * 0.3), rng.poisson(rates * 4), recent_days=28, before_days=364
            ).cell
        )
        > 0
        for _ in range(100)
    ]
    assert np.mean(listed) <= 0.12


def test_a_period_without_crime_lists_nothing() -> None:
    nothing = np.zeros(10, dtype=int)
    assert len(emerging_cells(nothing, nothing + 1, recent_days=28, before_days=364).cell) == 0
    with pytest.raises(ValueError, match="length"):
        emerging_cells(nothing, nothing, recent_days=0, before_days=364)


@pytest.mark.parametrize("last", [0, 1, 363, 40_000])
def test_shuffles_keep_the_dates_and_bring_each_to_every_place_alike(last: int) -> None:
    n, columns = 60, 20_000
    day = np.random.default_rng(4).integers(0, last + 1, n)
    day[0] = last
    found = repeats._shuffled(day, columns, np.random.default_rng(9))
    assert (np.sort(found, axis=0) == np.sort(day)[:, None]).all()
    # The mean of each place over the shuffles is that of the dates, within five standard errors.
    errors = (found.mean(axis=1) - day.mean()) / max(day.std() / np.sqrt(columns), 1e-9)
    assert np.abs(errors).max() < 5
    # And two places know nothing of one another but that a date is used once.
    together = np.corrcoef(found[0], found[1])[0, 1] if last else 0.0
    assert abs(together + (last > 0) / (n - 1)) < 5 / np.sqrt(columns)
