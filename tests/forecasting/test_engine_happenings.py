"""Scheduled events: near in space, on in time, announced before, and told apart from the busy street they are in."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.effects import Factored, calendar_terms, event_effect
from forecasting.engine.happenings import (
    Happenings,
    city_names,
    city_terms,
    local_columns,
    local_names,
)
from forecasting.engine.models import LogLinearPoisson
from forecasting.engine.surroundings import Names, Surroundings
from tests.forecasting.engine_city import BEGIN, shift_instances, square_grid

GRID = square_grid(200.0)
HOUR = np.timedelta64(3_600, "s")
NOBODY_SAID = np.nan


def happenings(
    x_m: object, y_m: object, begin_hour: object, hours: object, kind: object, announced_days: float = 30.0
) -> Happenings:
    n = len(np.atleast_1d(x_m))
    begin = BEGIN + np.asarray(np.broadcast_to(begin_hour, n) * 3_600).astype("timedelta64[s]")
    end = begin + np.asarray(np.broadcast_to(hours, n) * 3_600).astype("timedelta64[s]")
    known = begin - np.timedelta64(int(announced_days * 86_400), "s")
    return Happenings(
        np.atleast_1d(x_m).astype(float),
        np.atleast_1d(y_m).astype(float),
        begin,
        end,
        known,
        np.broadcast_to(kind, n).astype(np.int16),
        ("game", "market"),
        np.full(n, NOBODY_SAID),
    )


def test_an_event_counts_in_the_shifts_it_touches_with_its_share_of_them() -> None:
    # Night, day, evening; an hour before and after belongs to the event.
    on = happenings(0, 0, 19, 3, 0).on(shift_instances(2), shift_instances(2).from_utc).toarray()[:, 0]
    assert on == pytest.approx([0, 0, 5 / 8, 0, 0, 0])
    late = happenings(0, 0, 22, 3, 0).on(shift_instances(2), shift_instances(2).from_utc).toarray()[:, 0]
    assert late == pytest.approx([0, 0, 3 / 8, 2 / 8, 0, 0])


def test_attendance_weighs_and_ten_thousand_is_usual() -> None:
    one = happenings(0, 0, 17, 6, 0)
    shares = [
        replace(one, attendance=np.array([crowd])).on(shift_instances(1), shift_instances(1).from_utc).sum()
        for crowd in (0.0, 100.0, 10_000.0, 1e6, np.nan)
    ]
    assert shares[0] == 0
    assert shares[1] < shares[2] == pytest.approx(1.0) == shares[4]
    assert shares[3] == pytest.approx(1.5, abs=0.01)


def test_an_event_is_felt_less_the_farther_away_and_not_at_all_beyond_twice_the_radius() -> None:
    one = happenings(3_000, 3_000, 17, 6, 0)
    near, far = (
        column.toarray()[2]
        for column in local_columns(
            one, GRID, shift_instances(1), shift_instances(1).from_utc, local_names(one)
        )
    )
    x, y = GRID.centres()
    away = np.hypot(x - 3_000, y - 3_000)
    assert near == pytest.approx(np.where(away <= 800, np.exp(-((away / 400) ** 2)), 0.0))
    assert far == pytest.approx(np.where(away <= 2_000, np.exp(-((away / 1_000) ** 2)), 0.0))
    assert near.max() > 0.8


def test_kinds_have_columns_of_their_own_and_a_citywide_event_has_only_a_term() -> None:
    both = happenings([3_000, np.nan], [3_000, np.nan], 17, 6, [0, 1])
    assert local_names(both) == ("event:game_400m", "event:game_1000m")
    assert city_names(both) == ("event:game", "event:market")
    periods = shift_instances(2)
    terms = city_terms(both, periods, periods.from_utc, ("event:market", "event:game", "event:circus"))
    assert terms[2] == pytest.approx([1, 1, 0])
    assert not terms[[0, 1, 4, 5]].any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9_999), st.integers(1, 88))
def test_an_event_announced_later_is_not_there(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    n, periods = 40, shift_instances(30)
    events = happenings(
        rng.uniform(0, 6_000, n), rng.uniform(0, 6_000, n), rng.integers(0, 700, n), 4, rng.integers(0, 2, n)
    )
    events = replace(events, known_utc=BEGIN + (rng.integers(-200, 700, n) * 3_600).astype("timedelta64[s]"))
    periods = periods.take([number])
    known = events.known_before(periods.from_utc[0])
    names = Names(("event:game", "event:market"), ("event:game_400m", "event:market_1000m"))
    cells = np.arange(len(GRID))
    whole, only = (Surroundings(one).passing(names, GRID, periods) for one in (events, known))
    assert whole.terms.tobytes() == only.terms.tobytes()
    assert whole.at(0, cells).tobytes() == only.at(0, cells).tobytes()
    # Announced at the very second of the issue is too late.
    same = replace(events, known_utc=np.full(n, periods.from_utc[0]))
    assert not Surroundings(same).passing(names, GRID, periods).at(0, cells).any()


def test_the_columns_are_the_same_row_by_row_and_period_by_period() -> None:
    rng = np.random.default_rng(2)
    events = happenings(
        rng.uniform(0, 6_000, 30),
        rng.uniform(0, 6_000, 30),
        rng.integers(0, 240, 30),
        4,
        rng.integers(0, 2, 30),
    )
    names = Names((), local_names(events))
    periods = shift_instances(10)
    passing = Surroundings(events).passing(names, GRID, periods)
    period, cell = rng.integers(0, 30, 500), rng.integers(0, len(GRID), 500)
    rows = passing.at(period, cell)
    assert rows.any()
    whole = np.stack([passing.at(number, np.arange(len(GRID))) for number in range(30)])
    assert np.array_equal(rows, whole[period, cell])


def made_up(
    effect: float, rng: np.random.Generator, games: int = 60, season: float = 0.0
) -> dict[str, object]:
    """A year of evenings; games in the busiest corner, which multiply the incidents there by exp(effect).

    ``season``: that corner is so much (log) busier in summer than the city, and games are played in summer.
    """
    periods = shift_instances(365).take(np.arange(2, 365 * 3, 3))
    summer = -np.cos(2 * np.pi * np.arange(365) / 365.25)
    chance = np.ones(365) if not season else np.maximum(summer, 0.05)
    at = np.sort(rng.choice(365, games, replace=False, p=chance / chance.sum()))
    events = happenings(np.full(games, 1_500.0), np.full(games, 1_500.0), at * 24 + 17, 6, 0)
    names = local_names(events)
    near = Surroundings(events).passing(Names((), names), GRID, periods).local
    x, y = GRID.centres()
    risk = np.exp(-((x - 1_500) ** 2 + (y - 1_500) ** 2) / (2 * 600**2)) + 0.02
    reached = np.hypot(x - 1_500, y - 1_500) < 2_000
    factor = np.exp(effect * near[0].toarray() + season * np.outer(summer, reached))
    count = rng.poisson(20.0 * risk / risk.sum() * factor)
    period, cell = np.nonzero(count)
    return {
        "near": near,
        "slot": np.zeros(365, dtype=np.int64),
        "expected": np.full(365, 20.0),
        "calendar": calendar_terms(periods),
        "period": period,
        "cell": cell,
        "mass": count[period, cell].astype(float),
    }


def test_an_effect_is_found_and_a_busy_street_alone_is_none() -> None:
    rng = np.random.default_rng(8)
    found = np.array([event_effect(**made_up(1.0, rng)) for _ in range(6)])  # type: ignore[arg-type]
    nothing = np.array([event_effect(**made_up(0.0, rng)) for _ in range(6)])  # type: ignore[arg-type]
    # At the door itself both columns act together.
    assert found.sum(axis=1).mean() == pytest.approx(1.0, abs=0.2)
    assert abs(nothing.sum(axis=1).mean()) < 0.12


def test_a_street_that_is_busy_in_summer_is_no_effect_of_summer_games() -> None:
    rng = np.random.default_rng(9)
    found = np.array([event_effect(**made_up(0.0, rng, season=0.5)) for _ in range(6)])  # type: ignore[arg-type]
    assert abs(found.sum(axis=1).mean()) < 0.15


def test_few_incidents_do_not_speak_for_an_effect() -> None:
    given_few = made_up(0.0, np.random.default_rng(1), games=1)
    assert np.abs(event_effect(**given_few)).max() < 0.3  # type: ignore[arg-type]
    nowhere = [column * 0 for column in given_few["near"]]  # type: ignore[attr-defined]
    assert not event_effect(**{**given_few, "near": nowhere}).any()  # type: ignore[arg-type]
    assert event_effect(**{**given_few, "near": []}).size == 0  # type: ignore[arg-type]


def test_a_known_factor_is_taken_off_for_the_fit_and_put_on_for_the_forecast() -> None:
    rng = np.random.default_rng(3)
    X = rng.gamma(1.0, 1.0, (4_000, 3))
    X[:, 2] = rng.choice([0.0, 1.5], 4_000)
    y = rng.poisson(0.3 * X[:, 0] * np.exp(X[:, 2])).astype(float)
    model = Factored(LogLinearPoisson(columns=(0, 1)), (2,)).fit(X, y)
    still = X.copy()
    still[:, 2] = 0.0
    assert model.predict(X) == pytest.approx(model.predict(still) * np.exp(X[:, 2]))
    assert model.predict(X).sum() == pytest.approx(y.sum(), rel=0.03)


def test_events_with_columns_of_different_lengths_or_no_time_are_refused() -> None:
    one = happenings([0, 1], [0, 1], 17, 6, 0)
    with pytest.raises(ValueError, match="equally long"):
        replace(one, kind=np.zeros(1, dtype=np.int16))
    with pytest.raises(ValueError, match="end after it begins"):
        replace(one, to_utc=one.from_utc)
    assert len(Happenings.none().known_before(BEGIN)) == 0
