"""From incidents to a live model and a forecast: honest about the future, calibrated, never NaN."""

import json
import pickle
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from forecasting.engine.candidates import BASELINES
from forecasting.engine.periods import Periods, counts_per_period
from forecasting.engine.train import TrainedType, explain, forecast, forecast_many, train
from ingestion.engine.tables import IncidentTable
from tests.forecasting.engine_city import SHIFTS, city, shift_instances, square_grid

DAYS = 170
TEST_DAYS = 30
GRID = square_grid(400.0)
TARGETS = ("burglary", "robbery")
AS_OF = shift_instances(DAYS - TEST_DAYS).to_utc[-1]
TONIGHT = shift_instances(DAYS).take([(DAYS - TEST_DAYS) * 3 + 2])


def context_layer() -> np.ndarray:
    x, y = GRID.centres()
    bars = np.exp(-((x - 1_500) ** 2 + (y - 1_500) ** 2) / (2 * 500.0**2))
    noise = np.random.default_rng(9).random(len(GRID))
    return np.column_stack([bars, noise]).astype(np.float32)


@cache
def incidents(delay_days: float = 0.5) -> IncidentTable:
    return city(np.random.default_rng(42), n=4_500, days=DAYS, delay_days=delay_days)


def given(table: IncidentTable, **more: Any) -> dict[str, Any]:
    return {"grid": GRID, "incidents": table, "shifts": SHIFTS, "as_of_utc": AS_OF, **more}


def fitted(table: IncidentTable, **more: Any) -> dict[str, TrainedType]:
    known = {"targets": TARGETS, "periods": shift_instances(DAYS), "rng": np.random.default_rng(1)}
    return train(**given(table, **(known | more)))


@cache
def live() -> dict[str, TrainedType]:
    return fitted(incidents())


@cache
def live_with_context() -> dict[str, TrainedType]:
    return fitted(incidents(), context=context_layer(), context_names=("bars", "noise"))


def tampered(table: IncidentTable, kind: str) -> IncidentTable:
    """Change everything that could not be known at AS_OF."""
    late = table.known_utc >= AS_OF
    if kind == "deleted":
        return table.take(np.flatnonzero(~late))
    x_m = np.where(late, 5_900.0, table.x_m)
    table = replace(table, x_m=x_m, category=np.where(late, 0, table.category).astype(np.int16))
    extra = city(np.random.default_rng(7), n=500, days=DAYS)
    known = np.maximum(extra.occurred_utc, AS_OF)  # happened long ago, reported only later: not known either
    columns = {
        name: np.concatenate([getattr(table, name), getattr(replace(extra, known_utc=known), name)])
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
    return IncidentTable(
        **{name: column[rows] for name, column in columns.items()}, categories=table.categories
    )


@pytest.mark.parametrize("kind", ["deleted", "moved and added"])
def test_what_becomes_known_after_the_origin_changes_no_bit_of_the_forecast(kind: str) -> None:
    other = tampered(incidents(), kind)
    again = fitted(other)
    mine = forecast(trained=live(), period=TONIGHT, **given(incidents()))
    theirs = forecast(trained=again, period=TONIGHT, **given(other))
    for slug in TARGETS:
        assert np.array_equal(mine[slug], theirs[slug])
        assert live()[slug].champion == again[slug].champion


def test_the_number_of_workers_and_the_order_of_rows_change_nothing() -> None:
    shuffled = incidents().take(np.random.default_rng(0).permutation(len(incidents())))
    order = np.argsort(shuffled.occurred_utc, kind="stable")
    again = fitted(shuffled.take(order), workers=1)
    for slug, surface in forecast(trained=again, period=TONIGHT, **given(incidents())).items():
        assert np.array_equal(surface, forecast(trained=live(), period=TONIGHT, **given(incidents()))[slug])


def test_expected_counts_match_what_happens_in_the_following_weeks() -> None:
    after = shift_instances(DAYS, DAYS - TEST_DAYS)
    surfaces = forecast_many(trained=live(), grid=GRID, incidents=incidents(), periods=after, shifts=SHIFTS)
    happened = counts_per_period(incidents(), after, TARGETS)
    for column, slug in enumerate(TARGETS):
        expected = np.array([one[slug].sum() for one in surfaces])
        for slot in range(len(SHIFTS)):
            mine = after.slot == slot
            assert expected[mine].sum() == pytest.approx(happened[mine, column].sum(), rel=0.35)
        assert expected.sum() == pytest.approx(happened[:, column].sum(), rel=0.15)
        for row in live()[slug].league:
            assert row.calibration.value == pytest.approx(1.0, abs=0.2)


def test_the_forecast_finds_the_hot_corner_in_the_evening() -> None:
    surface = forecast(trained=live(), period=TONIGHT, **given(incidents()))["burglary"]
    assert surface.dtype == np.float32
    assert surface.shape == (len(GRID),)
    x, y = GRID.centres()
    best = np.argsort(-surface)[:4]
    assert (np.hypot(x[best] - 1_500, y[best] - 1_500) < 600).all()


def test_a_model_survives_storage_and_its_record_is_plain_json() -> None:
    again = pickle.loads(pickle.dumps(live()))
    one = forecast(trained=again, period=TONIGHT, **given(incidents()))
    other = forecast(trained=live(), period=TONIGHT, **given(incidents()))
    assert all(np.array_equal(one[slug], other[slug]) for slug in TARGETS)
    record = json.loads(json.dumps(live()["burglary"].summary(), allow_nan=False))
    assert record["champion"] == live()["burglary"].champion
    names = {row["name"] for row in record["league"]}
    assert names >= {*BASELINES, "log_linear", "boosting", "mixture", "boosted_mixture", "blend"}


@pytest.mark.parametrize("n_rare", [1, 30])
def test_rare_types_get_a_smooth_baseline_and_never_nan(n_rare: int) -> None:
    table = incidents()
    rare = np.flatnonzero(table.category == 1)
    keep = np.sort(
        np.concatenate([np.flatnonzero(table.category == 0), rare[:: len(rare) // max(n_rare, 1)][:n_rare]])
    )
    trained = fitted(table.take(keep))
    robbery = trained["robbery"]
    assert robbery.champion in BASELINES
    assert not robbery.beats_baseline
    surface = forecast(trained=trained, period=TONIGHT, **given(table.take(keep)))["robbery"]
    assert np.isfinite(surface).all()
    assert (surface >= 0).all()
    assert surface.sum() <= max(1.0, n_rare / 10)
    json.dumps(robbery.summary(), allow_nan=False)


def test_no_incident_at_all_gives_a_flat_surface_of_almost_nothing() -> None:
    nothing = incidents().take(np.arange(0))
    trained = fitted(nothing)
    for surface in forecast(trained=trained, period=TONIGHT, **given(nothing)).values():
        assert np.isfinite(surface).all()
        assert surface.max() - surface.min() < 1e-6
        assert surface.sum() < 0.5


def test_sources_that_are_no_target_help_without_being_forecast() -> None:
    table = city(np.random.default_rng(4), 1_500, DAYS, categories=("burglary", "calls"))
    trained = fitted(table, targets=("burglary",))
    assert list(trained) == ["burglary"]
    assert any(name.startswith("calls:") for name in trained["burglary"].model.shape.layout.names)


def test_context_is_used_and_explained() -> None:
    extra = {"context": context_layer(), "context_names": ("bars", "noise")}
    trained = live_with_context()
    surface = forecast(trained=trained, period=TONIGHT, **given(incidents(), **extra))["burglary"]
    x, y = GRID.centres()
    assert np.hypot(x - 1_500, y - 1_500)[np.argmax(surface)] < 600
    rate = trained["burglary"].model.shape.context_rate
    assert rate is not None
    assert np.corrcoef(rate.rates[1], context_layer()[:, 0])[0, 1] > 0.8
    cells = np.argsort(-surface)[:3]
    told = explain(
        trained=trained, period=TONIGHT, cells=cells, target="burglary", **given(incidents(), **extra)
    )
    assert [one.context[0].name for one in told] == ["bars"] * 3
    assert told[0].context[0].value == pytest.approx(float(context_layer()[cells[0], 0]))


def test_a_model_is_not_used_where_it_was_not_trained() -> None:
    with pytest.raises(ValueError, match="225 cells, the grid has"):
        forecast(trained=live(), period=TONIGHT, **given(incidents()) | {"grid": square_grid(500.0)})
    renamed = replace(incidents(), categories=("burglary", "gunfire"))
    with pytest.raises(ValueError, match="other crime types"):
        forecast(trained=live(), period=TONIGHT, **given(renamed))
    with pytest.raises(ValueError, match="one shift instance"):
        forecast(trained=live(), period=shift_instances(3), **given(incidents()))


def test_training_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="Import older incidents"):
        fitted(incidents(), periods=shift_instances(1))
    with pytest.raises(ValueError, match="arson"):
        fitted(incidents(), targets=("arson",))
    with pytest.raises(ValueError, match=r"Context has shape"):
        fitted(incidents(), context=np.zeros((3, 1), np.float32), context_names=("bars",))


def test_overlapping_shifts_are_trained_each_on_its_own_incidents() -> None:
    from forecasting.engine.periods import ShiftWindow

    shifts = (ShiftWindow("day", 480, 480), ShiftWindow("power", 840, 480))
    start = np.sort(
        np.concatenate([shift_instances(DAYS).from_utc[1::3], shift_instances(DAYS).from_utc[1::3] + 21_600])
    )
    periods = Periods(
        start, start + np.timedelta64(8, "h"), start, (np.arange(len(start)) % 2).astype(np.int16)
    )
    trained = fitted(incidents(), shifts=shifts, periods=periods)
    tonight = [periods.take([280 + slot]) for slot in (0, 1)]
    day, power = (
        forecast(trained=trained, period=one, **given(incidents()) | {"shifts": shifts})["burglary"].sum()
        for one in tonight
    )
    assert power > 1.5 * day  # the hot corner is an evening affair
