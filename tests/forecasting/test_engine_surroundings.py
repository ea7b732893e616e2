"""Events and weather in a forecast: only what was known, explained in parts that add up, in words that agree with them."""

import math
import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from forecasting.engine.effects import event_effect
from forecasting.engine.explain import Explanation
from forecasting.engine.fit import fit_champions
from forecasting.engine.happenings import MARGIN, Happenings
from forecasting.engine.level import LevelModel
from forecasting.engine.periods import Periods
from forecasting.engine.state import ForecastState
from forecasting.engine.surroundings import Names, Surroundings
from forecasting.engine.train import TrainedType, explain_many, forecast, forecast_many, train
from forecasting.engine.weather import NAMES, Weather
from forecasting.engine.wording import Labels, clauses, words
from ingestion.engine.tables import IncidentTable
from tests.forecasting.engine_city import BEGIN, SHIFTS, city, shift_instances, square_grid, table

DAYS = 200
GRID = square_grid(400.0)
TARGETS = ("burglary", "robbery")
HOUR, DAY = np.timedelta64(3_600, "s"), np.timedelta64(86_400, "s")
PARK = (4_500.0, 4_500.0)
GAME_DAYS = np.arange(3, DAYS + 20, 4)
TONIGHT = shift_instances(DAYS + 1).take([(DAYS - 1) * 3 + 2])
"""An evening with a game (day 199)."""
AS_OF = TONIGHT.from_utc[0]
LABELS = Labels(layers={"game": "Cubs home game"}, shift="Evening")


def games() -> Happenings:
    n = len(GAME_DAYS)
    begin = BEGIN + GAME_DAYS * DAY + 17 * HOUR
    # The second kind is a parade of the whole city, on one evening in seven.
    parade = BEGIN + np.arange(2, DAYS + 20, 7) * DAY + 16 * HOUR
    m = len(parade)
    x_m, y_m = (np.append(np.full(n, at), np.full(m, np.nan)) for at in PARK)
    begin = np.append(begin, parade)
    return Happenings(
        x_m,
        y_m,
        begin,
        begin + 5 * HOUR,
        begin - 30 * DAY,
        np.append(np.zeros(n), np.ones(m)).astype(np.int16),
        ("game", "parade"),
        np.full(n + m, np.nan),
    )


def warmth() -> np.ndarray:
    return np.random.default_rng(12).normal(0, 6.0, DAYS + 20)


def weather() -> Weather:
    """Each day's weather, forecast the evening before; dry throughout."""
    begin = BEGIN + np.arange(DAYS + 20) * DAY
    still = np.zeros(DAYS + 20)
    return Weather(begin, begin + DAY, begin - 6 * HOUR, 12.0 + warmth(), still, still)


@cache
def incidents() -> IncidentTable:
    """The usual city, more incidents at the park on game evenings and everywhere on warm days."""
    rng = np.random.default_rng(42)
    plain = city(rng, n=3_500, days=DAYS)
    n = 700
    day = rng.choice(GAME_DAYS[GAME_DAYS < DAYS], n)
    at = BEGIN + day * DAY + (rng.uniform(16.5, 22.5, n) * 3_600).astype("timedelta64[s]")
    crowd = table(rng.normal(PARK[0], 200, n), rng.normal(PARK[1], 200, n), at, rng.integers(0, 2, n))
    chance = np.exp(0.12 * warmth()[:DAYS])
    warm = rng.choice(DAYS, 2_500, p=chance / chance.sum())
    more = table(
        rng.uniform(0, 6_000, 2_500), rng.uniform(0, 6_000, 2_500),
        BEGIN + warm * DAY + rng.integers(0, 86_400, 2_500).astype("timedelta64[s]"), rng.integers(0, 2, 2_500),
    )  # fmt: skip
    columns = {
        name: np.concatenate([getattr(one, name) for one in (plain, crowd, more)])
        for name in (
            "x_m",
            "y_m",
            "occurred_utc",
            "occurred_to_utc",
            "occurred_local",
            "known_utc",
            "category",
        )
    }
    rows = np.argsort(columns["occurred_utc"], kind="stable")
    return IncidentTable(**{name: column[rows] for name, column in columns.items()}, categories=TARGETS)


def around() -> Surroundings:
    return Surroundings(games(), weather())


def fitted(surroundings: Surroundings | None, champion: str = "blend") -> dict[str, TrainedType]:
    return fit_champions(
        grid=GRID, incidents=incidents(), periods=shift_instances(DAYS), shifts=SHIFTS, targets=TARGETS,
        as_of_utc=AS_OF, rng=np.random.default_rng(1), champion=champion, workers=1, surroundings=surroundings,
    )  # fmt: skip


@cache
def knowing() -> dict[str, TrainedType]:
    return fitted(around())


@cache
def ignorant() -> dict[str, TrainedType]:
    return fitted(None)


def tonight(
    trained: dict[str, TrainedType], surroundings: Surroundings | None, period: Periods = TONIGHT
) -> dict[str, np.ndarray]:
    return forecast(
        trained=trained, grid=GRID, incidents=incidents(), period=period, shifts=SHIFTS, as_of_utc=AS_OF,
        surroundings=surroundings,
    )  # fmt: skip


def at_park(surface: np.ndarray) -> float:
    x, y = GRID.centres()
    return float(surface[np.hypot(x - PARK[0], y - PARK[1]) < 500].sum() / surface.sum())


def test_a_game_draws_the_forecast_to_its_place_and_without_one_it_does_not() -> None:
    held, off = tonight(knowing(), around()), tonight(knowing(), Surroundings(weather=weather()))
    for slug in TARGETS:
        assert at_park(held[slug]) > 2.0 * at_park(off[slug])
        assert knowing()[slug].model.shape.effect is not None
    # A model that knows of no games spreads them over all evenings.
    blind = tonight(ignorant(), None)["burglary"]
    assert at_park(off["burglary"]) < at_park(blind) < at_park(held["burglary"])


def test_a_warm_day_raises_the_level_everywhere_alike() -> None:
    sky = weather()
    hot = replace(
        sky, temperature_c=np.where(sky.valid_from_utc == AS_OF - 16 * HOUR, 24.0, sky.temperature_c)
    )
    cold = replace(
        sky, temperature_c=np.where(sky.valid_from_utc == AS_OF - 16 * HOUR, 0.0, sky.temperature_c)
    )
    warm, chill = (tonight(knowing(), Surroundings(games(), one))["burglary"] for one in (hot, cold))
    assert warm.sum() > 1.5 * chill.sum()
    assert np.allclose(warm / warm.sum(), chill / chill.sum(), rtol=1e-4)


def test_knowing_pays_in_log_score_on_evenings_that_were_held_out() -> None:
    later = shift_instances(DAYS).take(np.arange(DAYS * 3 - 90, DAYS * 3))
    trained = {
        what: fit_champions(
            grid=GRID, incidents=incidents(), periods=shift_instances(DAYS), shifts=SHIFTS, targets=("burglary",),
            as_of_utc=later.from_utc[0], rng=np.random.default_rng(1), workers=1, surroundings=given,
        )
        for what, given in (("with", around()), ("without", None))
    }  # fmt: skip
    cell = GRID.locate(incidents().x_m, incidents().y_m)
    score = {}
    for what, given in (("with", around()), ("without", None)):
        surfaces = forecast_many(
            trained=trained[what],
            grid=GRID,
            incidents=incidents(),
            periods=later,
            shifts=SHIFTS,
            surroundings=given,
        )
        score[what] = 0.0
        for number, one in enumerate(surfaces):
            low, high = np.searchsorted(
                incidents().occurred_utc, [later.from_utc[number], later.to_utc[number]]
            )
            mine = cell[low:high][incidents().category[low:high] == 0]
            expected = one["burglary"].astype(np.float64)
            score[what] += float(np.log(expected[mine]).sum() - expected.sum())
    assert score["with"] > score["without"] + 20.0


def later_changed(given: Surroundings, instant: np.datetime64) -> Surroundings:
    """Whatever was announced or issued at this instant or later is another thing altogether, and there is more of it."""
    events, sky = given.happenings, given.weather
    assert events is not None
    assert sky is not None
    late = np.arange(len(events)) % 3 == 0
    moved = replace(
        events.take(np.flatnonzero(late)),
        x_m=np.full(late.sum(), 900.0),
        y_m=np.full(late.sum(), 900.0),
        known_utc=np.full(late.sum(), instant),
        kind=np.zeros(late.sum(), dtype=np.int16),
    )
    whole = Happenings(
        *(
            np.concatenate([getattr(events, name), getattr(moved, name)])
            for name in ("x_m", "y_m", "from_utc", "to_utc", "known_utc", "kind")
        ),
        events.kinds,
        np.concatenate([events.attendance, moved.attendance]),
    )
    after = sky.issued_utc >= instant
    return Surroundings(whole, replace(sky, temperature_c=np.where(after, 99.0, sky.temperature_c)))


def test_what_is_announced_or_issued_after_the_issue_changes_no_bit() -> None:
    changed = later_changed(around(), AS_OF)
    again = fitted(changed)
    for slug in TARGETS:
        before = tonight(knowing(), around())[slug]
        assert tonight(knowing(), changed)[slug].tobytes() == before.tobytes()
        assert tonight(again, changed)[slug].tobytes() == before.tobytes()
        # The test would be empty if nothing of it ever reached a forecast.
        sooner = later_changed(around(), AS_OF - 60 * DAY)
        assert tonight(knowing(), sooner)[slug].tobytes() != before.tobytes()


def test_without_inputs_the_models_are_those_of_old() -> None:
    empty = fitted(Surroundings())
    for slug in TARGETS:
        assert tonight(empty, Surroundings())[slug].tobytes() == tonight(ignorant(), None)[slug].tobytes()
        assert empty[slug].model.shape.names == Names()
        assert not empty[slug].model.shape.layout.passing_names
    # A model that was fitted without them does not mind that they are there now.
    assert (
        tonight(ignorant(), around())["burglary"].tobytes() == tonight(ignorant(), None)["burglary"].tobytes()
    )


def test_without_the_calendar_a_model_expects_the_usual_and_with_an_empty_one_a_quiet_shift() -> None:
    unknown, quiet, held = (
        at_park(tonight(knowing(), given)["burglary"])
        for given in (None, Surroundings(Happenings.none()), around())
    )
    assert quiet < unknown < held


def test_of_very_many_events_a_part_of_the_shifts_teaches_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import forecasting.engine.workshop as engine

    seen = []

    def spied(near: list[object], slot: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        seen.append(len(slot))
        return event_effect(near, slot, *rest)  # type: ignore[arg-type]  # what the engine gave

    monkeypatch.setattr(engine, "event_effect", spied)
    monkeypatch.setattr(engine, "MOST_EVENT_PAIRS", 2_000)
    part = fitted(around())["burglary"].model.shape.effect
    whole = knowing()["burglary"].model.shape.effect
    assert whole is not None
    assert part is not None
    assert 100 < max(seen) < 400
    assert part.coef.sum() == pytest.approx(whole.coef.sum(), rel=0.35)


def test_over_many_evenings_the_park_is_expected_to_have_what_it_has() -> None:
    evenings = shift_instances(DAYS).take(np.arange(DAYS * 3 - 178, DAYS * 3, 3))
    assert (evenings.slot == 1).all()
    found = forecast_many(
        trained=knowing(),
        grid=GRID,
        incidents=incidents(),
        periods=evenings,
        shifts=SHIFTS,
        surroundings=around(),
    )
    x, y = GRID.centres()
    park = np.hypot(x - PARK[0], y - PARK[1]) < 700
    cell, game = GRID.locate(incidents().x_m, incidents().y_m), np.zeros(len(evenings), dtype=bool)
    seen, told = np.zeros(len(evenings)), np.zeros(len(evenings))
    for number, one in enumerate(found):
        low, high = np.searchsorted(
            incidents().occurred_utc, [evenings.from_utc[number], evenings.to_utc[number]]
        )
        game[number] = (evenings.from_utc[number] - BEGIN) // DAY in GAME_DAYS
        seen[number] = park[cell[low:high]].sum()
        told[number] = sum(float(one[slug][park].sum()) for slug in TARGETS)
    # A factor on top of counts that have taken in the games already would expect too much on every game evening.
    assert told[game].sum() == pytest.approx(seen[game].sum(), rel=0.25)
    assert told[~game].sum() < 0.5 * told[game].sum()


def test_the_saved_state_forecasts_the_same_to_the_last_bit() -> None:
    state = ForecastState.build(grid=GRID, incidents=incidents(), shifts=SHIFTS, as_of_utc=AS_OF)
    found = state.forecast(trained=knowing(), period=TONIGHT, surroundings=around())
    for slug in TARGETS:
        assert found[slug].tobytes() == tonight(knowing(), around())[slug].tobytes()


def test_the_league_tests_and_trains_with_them_and_the_models_survive_storage() -> None:
    trained = train(
        grid=GRID, incidents=incidents(), periods=shift_instances(DAYS), shifts=SHIFTS, targets=("burglary",),
        as_of_utc=AS_OF, rng=np.random.default_rng(1), workers=1, surroundings=around(),
    )  # fmt: skip
    one = trained["burglary"]
    assert one.beats_baseline
    assert "events" in {row["family"] for row in one.card["ablation"]}
    stored = {"burglary": pickle.loads(pickle.dumps(one))}
    assert tonight(stored, around())["burglary"].tobytes() == tonight(trained, around())["burglary"].tobytes()


@cache
def told() -> list[Explanation]:
    cells = {slug: np.arange(0, len(GRID), 2) for slug in TARGETS}
    found = explain_many(
        trained=knowing(), cells=cells, grid=GRID, incidents=incidents(), period=TONIGHT, shifts=SHIFTS,
        as_of_utc=AS_OF, surroundings=around(),
    )  # fmt: skip
    return [one for rows in found.values() for one in rows]


def test_parts_add_up_to_the_log_count_against_the_middle_cell_in_a_usual_shift() -> None:
    usual = tonight(knowing(), Surroundings(Happenings.none()))
    for one in told():
        truth = math.log(one.expected / one.reference_expected)
        assert sum(one.contributions.values()) == pytest.approx(truth, abs=1e-4)
        assert one.reference_expected == pytest.approx(usual[one.target][one.reference_cell], rel=1e-4)
        assert one.against_usual
        assert {"event:game", "event:parade", *NAMES} <= set(one.contributions)


def test_the_game_raises_the_cells_at_the_park_and_the_weather_all_alike() -> None:
    x, y = GRID.centres()
    for slug in TARGETS:
        mine = [one for one in told() if one.target == slug]
        away = np.array([np.hypot(x[one.cell] - PARK[0], y[one.cell] - PARK[1]) for one in mine])
        game = np.array([one.contributions["event:game"] for one in mine])
        assert game[away < 400].min() > 0.5 + game[away > 3_000].max()
        assert len({round(one.contributions["weather:warmth"], 9) for one in mine}) == 1
        assert mine[0].contributions["weather:warmth"] * warmth()[DAYS - 1] > 0


def test_every_word_about_events_and_weather_is_borne_out_by_the_input() -> None:
    events = games()
    on = (events.from_utc - MARGIN < TONIGHT.to_utc[0]) & (events.to_utc + MARGIN > TONIGHT.from_utc[0])
    x, y = GRID.centres()
    said = set()
    for one in told():
        for clause in clauses(one, LABELS):
            if clause.parts == ("event:game",):
                away = np.hypot(events.x_m - x[one.cell], events.y_m - y[one.cell])[on & (events.kind == 0)]
                near = {400.0: int((away <= 400).sum()), 1_000.0: int((away <= 1_000).sum())}
                where = next((f"within {r:,.0f} m" for r, n in near.items() if n), "elsewhere in the city")
                assert clause.text == f"1 Cubs home game {where}"
                said.add(where)
            if clause.parts == ("weather:warmth",):
                away_c = next(row.value for row in one.weather if row.name == "warmth")
                assert away_c == pytest.approx(warmth()[DAYS - 1], abs=2.5)
                more = "warmer" if away_c > 0 else "colder"
                assert clause.text == f"{abs(away_c):.0f} °C {more} than usual for the season"
                said.add("sky")
    assert {"within 400 m", "within 1,000 m", "sky"} <= said
    best = max(told(), key=lambda one: one.contributions["event:game"])
    assert "1 Cubs home game within 400 m." in words(best, LABELS)
    assert any("in a shift with usual weather and no event" in line for line in words(best, LABELS))


def test_a_useless_term_costs_next_to_nothing_and_a_useful_one_pays() -> None:
    rng = np.random.default_rng(5)
    periods = shift_instances(600)
    n = len(periods)
    term = rng.normal(0, 1, (n, 3))
    truth = 6.0 * np.exp(0.25 * term[:, 0])
    counts = rng.poisson(truth).astype(float)
    # Steady memories: the long run is known, the rest is for the terms.
    age = np.arange(n) / 3 + 0.25
    half = np.array([3.0, 12.0, 45.0, 150.0, 450.0, 1460.0, 1e9])
    totals = 18.5 * half / np.log(2) * (1 - np.exp2(-age[:, None] / half))
    train_rows, test_rows = np.arange(300, 1_200), np.arange(1_200, n)

    def skill(extra: np.ndarray | None) -> float:
        level = LevelModel(3, float(np.floor((BEGIN - np.datetime64("2000-01-01")) / DAY)))
        pick = lambda rows: None if extra is None else extra[rows]  # noqa: E731  (one word for two uses)
        level.fit(
            periods.take(train_rows), totals[train_rows], counts[train_rows], np.ones(900), pick(train_rows)
        )
        told = level.predict(periods.take(test_rows), totals[test_rows], pick(test_rows))
        return float((counts[test_rows] * np.log(told) - told).sum() / counts[test_rows].sum())

    plain = skill(None)
    assert skill(term) > plain + 0.02
    assert skill(term[:, 1:]) > plain - 0.003


def test_the_columns_are_named_by_what_had_been_announced_or_issued_by_then() -> None:
    names = around().names(AS_OF)
    assert names.local == names.cells == ("event:game_400m", "event:game_1000m")
    assert names.level == ("event:game", "event:parade", *NAMES)
    assert around().passing(names, GRID, TONIGHT).at(0, np.arange(len(GRID))).shape == (len(GRID), 2)
    assert around().names(BEGIN - 60 * DAY) == Names()
    assert replace(around(), weather_in_trees=True).names(AS_OF).cells == (*names.local, *NAMES)


def test_weather_in_the_trees_is_explained_to_the_last_digit_too() -> None:
    given = replace(around(), weather_in_trees=True)
    trained = fitted(given)
    found = explain_many(
        trained=trained, cells={"burglary": np.arange(0, len(GRID), 5)}, grid=GRID, incidents=incidents(),
        period=TONIGHT, shifts=SHIFTS, as_of_utc=AS_OF, surroundings=given,
    )["burglary"]  # fmt: skip
    surface = tonight(trained, given)["burglary"]
    usual = tonight(trained, Surroundings(Happenings.none()))["burglary"]
    for one in found:
        assert sum(one.contributions.values()) == pytest.approx(
            math.log(one.expected / one.reference_expected), abs=1e-4
        )
        assert one.expected == pytest.approx(surface[one.cell], rel=1e-4)
        assert one.reference_expected == pytest.approx(usual[one.reference_cell], rel=1e-4)


def test_the_page_keeps_the_usual_shifts_middle_cell_and_its_factors_multiply() -> None:
    from forecasting.selectors.why import _plain

    one = max(told(), key=lambda row: row.contributions["event:game"])
    shown = _plain(one, tonight(knowing(), around())[one.target].astype(np.float64), LABELS)
    assert shown["times_typical"] == pytest.approx(one.expected / one.reference_expected, rel=1e-5)
    assert not [bar for bar in shown["bars"] if bar["family"] == "changed"]
    assert {"event:game", "weather:warmth"} <= {bar["family"] for bar in shown["bars"]}
    assert math.exp(sum(bar["value"] for bar in shown["bars"])) == pytest.approx(
        shown["times_typical"], rel=5e-3
    )
