"""A saved state is the history itself: carried along, stored and loaded it forecasts what counting anew forecasts."""

import itertools
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.features import History, events_of
from forecasting.engine.fit import fit_champions
from forecasting.engine.periods import days_since_epoch
from forecasting.engine.state import VERSION, ForecastState, StateError
from forecasting.engine.train import TrainedType, forecast
from ingestion.engine.tables import IncidentTable, WatchedArea
from tests.forecasting.engine_city import BEGIN, SHIFTS, city, shift_instances, square_grid, table

DAYS = 120
GRID = square_grid(400.0)
AS_OF = shift_instances(DAYS - 20).to_utc[-1]
TONIGHT = shift_instances(DAYS).take([(DAYS - 20) * 3 + 2])
DAY = np.timedelta64(1, "D")


@cache
def incidents() -> IncidentTable:
    return city(np.random.default_rng(8), n=3_000, days=DAYS, delay_days=4.0)


@cache
def live() -> dict[str, TrainedType]:
    return fit_champions(
        grid=GRID,
        incidents=incidents(),
        periods=shift_instances(DAYS),
        shifts=SHIFTS,
        targets=("burglary", "robbery"),
        as_of_utc=AS_OF,
        rng=np.random.default_rng(0),
    )


def built(as_of: np.datetime64 = AS_OF, **more: Any) -> ForecastState:
    return ForecastState.build(
        **({"grid": GRID, "incidents": incidents(), "shifts": SHIFTS, "as_of_utc": as_of} | more)
    )


def from_scratch(rows: IncidentTable, as_of: np.datetime64, period: Any = TONIGHT) -> dict[str, np.ndarray]:
    return forecast(trained=live(), grid=GRID, incidents=rows, period=period, shifts=SHIFTS, as_of_utc=as_of)


def assert_same(mine: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    assert set(mine) == set(theirs)
    for slug, surface in mine.items():
        assert surface.dtype == np.float32
        assert np.array_equal(surface, theirs[slug]), slug


def alert(x_m: float, y_m: float, at: np.datetime64, category: int, after_s: int = 30) -> IncidentTable:
    one = table(np.array([x_m]), np.array([y_m]), np.array([at]), np.array([category]))
    return replace(one, known_utc=one.occurred_utc + np.timedelta64(after_s, "s"))


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.integers(1, 10 * 86_400), min_size=0, max_size=5),
    st.booleans(),
    st.sampled_from([np.timedelta64(0, "D"), np.timedelta64(-9_000, "D")]),
)
def test_however_a_state_got_here_it_forecasts_bit_for_bit_what_counting_anew_does(
    steps: list[int], whole_table: bool, moved: np.timedelta64
) -> None:
    rows = replace(
        incidents(), **{name: getattr(incidents(), name) + moved for name in ("occurred_utc", "known_utc")}
    )
    end, period = AS_OF + moved, TONIGHT
    period = replace(period, from_utc=period.from_utc + moved, to_utc=period.to_utc + moved)
    stops = np.sort(end - np.array([0, *steps]).astype("timedelta64[s]"))
    state = ForecastState.build(grid=GRID, incidents=rows, shifts=SHIFTS, as_of_utc=stops[0] - 40 * DAY)
    for before, stop in itertools.pairwise(stops):
        new = rows if whole_table else rows.take(np.flatnonzero(rows.known_utc >= before - 40 * DAY))
        state.advance(new, stop)
    state.advance(rows, end)
    assert_same(state.forecast(trained=live(), period=period), from_scratch(rows, end, period))


def test_a_state_that_was_saved_and_loaded_is_the_same_state(tmp_path: Path) -> None:
    state = built(AS_OF - 30 * DAY, data_hash="abc")
    state.save(tmp_path / "deep" / "city.state")
    again = ForecastState.load(tmp_path / "deep" / "city.state", grid=GRID, shifts=SHIFTS, data_hash="abc")
    assert (again.as_of_utc, again.data_hash, again.n_events) == (
        state.as_of_utc,
        "abc",
        state.n_events,
    )
    assert again.advance(incidents(), AS_OF) == state.advance(incidents(), AS_OF) > 0
    assert_same(again.forecast(trained=live(), period=TONIGHT), from_scratch(incidents(), AS_OF))
    assert os.listdir(tmp_path / "deep") == ["city.state"]


def test_reading_a_far_shift_first_changes_nothing_of_the_next_one() -> None:
    state = built()
    far = shift_instances(900).take([2_600])
    assert_same(state.forecast(trained=live(), period=far), from_scratch(incidents(), AS_OF, far))
    assert_same(state.forecast(trained=live(), period=TONIGHT), from_scratch(incidents(), AS_OF))


@pytest.mark.parametrize("long_ago_days", [0, 80])
@pytest.mark.parametrize("place", [(1_500.0, 1_500.0), (10.0, 5_990.0), (-1.0, 50.0)])
def test_one_new_alert_gives_the_surface_of_a_full_recomputation(
    long_ago_days: int, place: tuple[float, float]
) -> None:
    as_of = AS_OF - DAY
    state = built(as_of)
    state.forecast(trained=live(), period=TONIGHT)  # fills what is kept between alerts
    rows = incidents().known_before(as_of)
    for number in range(3):
        at = as_of - long_ago_days * DAY + np.timedelta64(number, "h")
        new = alert(place[0] + number, place[1], at, number % 2, after_s=long_ago_days * 86_400 + 30)
        columns = {
            name: np.concatenate([getattr(rows, name), getattr(new, name)])
            for name in IncidentTable.__dataclass_fields__
            if name not in ("categories", "watched")
        }
        order = np.argsort(columns["occurred_utc"], kind="stable")
        rows = IncidentTable(**{k: v[order] for k, v in columns.items()}, categories=rows.categories)
        found = state.surface_after(new, trained=live(), period=TONIGHT)
        assert set(found) == {rows.categories[number % 2]}
        whole = from_scratch(rows, state.as_of_utc)
        assert_same(found, {slug: whole[slug] for slug in found})
    assert_same(state.forecast(trained=live(), period=TONIGHT), from_scratch(rows, state.as_of_utc))


def test_an_alert_raises_the_rates_of_its_own_place_and_lowers_those_of_far_cells_alike() -> None:
    state = built(AS_OF - DAY)
    start = float(days_since_epoch(TONIGHT.from_utc)[0])
    before = state._history.seen_at(start).rates(0)
    state.advance(alert(4_900.0, 4_900.0, AS_OF - DAY, 1), AS_OF)
    after = state._history.seen_at(start).rates(0)
    (here,), (x_m, y_m) = GRID.locate([4_900.0], [4_900.0]), GRID.centres()
    far = np.hypot(x_m - 4_900.0, y_m - 4_900.0) > 4_000
    everywhere = slice(0, 35)  # rates of all hours: the alert may lie outside this shift
    assert (after[here, 1, everywhere] > before[here, 1, everywhere]).all()
    share = after[far, 1, everywhere] / before[far, 1, everywhere]
    assert (share < 1).all()
    assert np.allclose(share, share[0], rtol=1e-5)
    assert np.array_equal(after[:, 0], before[:, 0])


def test_no_alert_leaves_the_state_as_it_was() -> None:
    state = built()
    assert state.surface_after(incidents().take(np.zeros(0, np.int64)), trained=live(), period=TONIGHT) == {}
    assert state.as_of_utc == AS_OF


def test_a_shift_under_way_is_forecast_only_when_asked_for_and_from_what_is_known_now() -> None:
    later = TONIGHT.from_utc[0] + np.timedelta64(2, "h")
    state = built(later)
    with pytest.raises(StateError, match="under way"):
        state.forecast(trained=live(), period=TONIGHT)
    found = state.forecast(trained=live(), period=TONIGHT, under_way=True)
    walked = built(AS_OF)
    walked.forecast(trained=live(), period=TONIGHT)
    walked.advance(incidents(), later)
    assert_same(walked.forecast(trained=live(), period=TONIGHT, under_way=True), found)
    assert not np.array_equal(found["burglary"], from_scratch(incidents(), AS_OF)["burglary"])


def test_knowledge_of_the_future_never_enters() -> None:
    state, rows = built(), incidents()
    late = rows.known_utc >= AS_OF
    other = rows.take(np.flatnonzero(~late))
    assert late.any()
    assert_same(
        state.forecast(trained=live(), period=TONIGHT),
        built(incidents=other).forecast(trained=live(), period=TONIGHT),
    )


def test_rates_read_from_a_state_equal_those_of_a_walk() -> None:
    state = built()
    start = float(days_since_epoch(TONIGHT.from_utc)[0])
    history = History(GRID, events_of(GRID, incidents().known_before(AS_OF), SHIFTS))
    for day in range(30, 0, -1):
        history.move_to(start - day, start - day)
    history.move_to(start, start)
    slot = int(TONIGHT.slot[0])
    assert np.array_equal(history.rates(slot), state._history.seen_at(start).rates(slot))
    assert np.array_equal(history.totals(), state._history.seen_at(start).totals())


def test_a_state_refuses_to_go_back_and_to_take_other_crime_types() -> None:
    state = built()
    with pytest.raises(StateError, match="cannot go back"):
        state.advance(incidents(), AS_OF - DAY)
    with pytest.raises(StateError, match="other crime types"):
        state.advance(replace(incidents(), categories=("burglary", "arson")), AS_OF + DAY)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"grid": square_grid(300.0)}, "another grid"),
        ({"shifts": SHIFTS[:2]}, "other shifts"),
        ({"categories": ("robbery", "burglary")}, "other crime types"),
        ({"data_hash": "another"}, "edited, deleted or reported late"),
    ],
)
def test_a_state_made_for_something_else_is_refused(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    built(BEGIN + 40 * DAY, data_hash="one").save(tmp_path / "state")
    with pytest.raises(StateError, match=said) as raised:
        ForecastState.load(tmp_path / "state", **wrong)
    assert "Build the state again" in str(raised.value)


def test_a_damaged_short_foreign_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with pytest.raises(StateError, match="cannot be read"):
        ForecastState.load(path)
    built(BEGIN + 40 * DAY).save(path)
    good = path.read_bytes()
    for place in np.linspace(0, len(good) - 1, 80).astype(int).tolist():
        bad = bytearray(good)
        bad[place] ^= 0x55
        path.write_bytes(bytes(bad))
        with pytest.raises(StateError, match="Build the state again"):
            ForecastState.load(path)
    for length in (0, 1, 17, 100, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(StateError, match="Build the state again"):
            ForecastState.load(path)
    path.write_bytes(good.replace(VERSION, b"0000", 1))
    with pytest.raises(StateError, match="another version"):
        ForecastState.load(path)
    np.savez(tmp_path / "other.npz", header=np.frombuffer(b'{"magic": "x"}', dtype=np.uint8))
    with pytest.raises(StateError, match="not a saved forecast state"):
        ForecastState.load(tmp_path / "other.npz")


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    built(BEGIN + 40 * DAY).save(path)
    old = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        built(BEGIN + 50 * DAY).save(path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["state"]


def listening(east_from: np.datetime64) -> IncidentTable:
    """Burglaries are heard in the west always, in the east since a day, in the north never."""
    x, y = GRID.centres()
    middle, top = float(x.mean()), float(np.quantile(y, 0.8))
    west = shapely.box(x.min() - 300, y.min() - 300, middle, top)
    east = shapely.box(middle, y.min() - 300, x.max() + 300, top)
    areas = WatchedArea("burglary", west, BEGIN), WatchedArea("burglary", east, east_from)
    return replace(incidents(), watched=areas)


def test_a_state_knows_where_sensors_reach_and_since_when(tmp_path: Path) -> None:
    rows = listening(AS_OF - np.timedelta64(30, "D"))
    state = built(AS_OF - DAY, incidents=rows)
    state.save(tmp_path / "city.state")
    state = ForecastState.load(tmp_path / "city.state")
    state.advance(rows, AS_OF)
    mine, theirs = state.forecast(trained=live(), period=TONIGHT), from_scratch(rows, AS_OF)
    assert_same(mine, theirs)
    assert (mine["burglary"] == 0).any()
    assert not np.array_equal(mine["burglary"], from_scratch(incidents(), AS_OF)["burglary"])
    heard = alert(900.0, 900.0, AS_OF, 0)
    both = replace(rows, **{
        name: np.concatenate([getattr(rows, name), getattr(heard, name)])
        for name in ("x_m", "y_m", "occurred_utc", "occurred_to_utc", "occurred_local", "known_utc", "category")
    })  # fmt: skip
    after = state.surface_after(heard, trained=live(), period=TONIGHT)
    assert_same(after, {"burglary": from_scratch(both, AS_OF + np.timedelta64(31, "s"))["burglary"]})


def test_a_state_of_other_sensors_is_refused() -> None:
    state = built(AS_OF - DAY, incidents=listening(AS_OF - np.timedelta64(30, "D")))
    with pytest.raises(StateError, match=r"sensors.*Build the state again"):
        state.advance(listening(AS_OF - np.timedelta64(60, "D")), AS_OF)
    assert state.as_of_utc == AS_OF - DAY
