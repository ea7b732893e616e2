"""A backtest's forecast cannot have seen the future: what is not known yet changes no bit of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.engine.bench.ground import Layer
from forecasting.engine.bench.replay import Choices
from tests.forecasting import bench_city as bench

LAST_DAY = 6
"""The number of the period at whose start the future begins in these tests; the second fit comes after it."""
ORIGIN = pd.Timestamp(bench.TEST_FROM) + pd.Timedelta(days=LAST_DAY)


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    return bench.events_frame(reported=True)


@pytest.fixture(scope="module")
def unchanged(events: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    folder = tmp_path_factory.mktemp("unchanged")
    out = folder / "out"
    bench.run(bench.options(bench.written(events, folder), out))
    return bench.forecast(out)


@pytest.fixture(scope="module")
def chosen(events: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Choices:
    """What the time before the test decides."""
    return choices_of(events, tmp_path_factory.mktemp("chosen"))


def choices_of(events: pd.DataFrame, folder: Path) -> Choices:
    """The run is stopped as soon as the baselines are chosen."""

    class Chosen(Exception):
        pass

    def stop(done: int, total: int, label: str) -> None:
        if label.startswith("Fit 1"):
            raise Chosen

    options = bench.options(bench.written(events, folder), folder / "out")
    with pytest.raises(Chosen):
        bench.run(options, progress=stop)
    return Choices.load(folder / "out" / "checkpoint" / "choices.npz")


def test_the_best_baseline_is_not_chosen_on_the_test(
    events: pd.DataFrame, chosen: Choices, tmp_path: Path
) -> None:
    changed, later = events.copy(), events.reported_at >= pd.Timestamp(bench.TEST_FROM)
    # Everything that is known during the test happens in the quiet corner: all other baselines would win there.
    changed.loc[later, "lat"] = bench.SOUTH + 0.9 * bench.SIDE
    changed.loc[later, "lon"] = bench.WEST + 0.9 * bench.SIDE
    found = choices_of(changed, tmp_path)
    assert found.by_log.tolist() == chosen.by_log.tolist()
    assert found.by_area.tolist() == chosen.by_area.tolist()
    assert found.even.tolist() == chosen.even.tolist()
    assert found.events.tolist() == chosen.events.tolist()
    assert found.periods > 20


def known_later(events: pd.DataFrame) -> pd.Series:
    return events.reported_at >= ORIGIN


def perturbed(events: pd.DataFrame) -> pd.DataFrame:
    """Everything that becomes known later happens elsewhere, as something else, partly long ago; rows are shuffled."""
    changed, later = events.copy(), known_later(events)
    changed.loc[later, ["lat", "lon"]] = changed.loc[later, ["lat", "lon"]].to_numpy()[::-1]
    changed.loc[later, "category"] = "robbery"
    changed.loc[later & (changed.index % 2 == 0), "occurred_at"] -= pd.Timedelta(days=100)
    changed.loc[later, "reported_at"] += pd.Timedelta(hours=7)
    return changed.sample(frac=1.0, random_state=3)


def deleted(events: pd.DataFrame) -> pd.DataFrame:
    """Nothing becomes known any more, but for one event that ends the file."""
    kept = events[~known_later(events)]
    return pd.concat([kept, events.loc[[events.occurred_at.idxmax()]]]).drop_duplicates("id")


def added(events: pd.DataFrame) -> pd.DataFrame:
    """Twice as much becomes known, some of it of a new type, long ago, far away, or under an id that exists."""
    more = events[known_later(events)].copy()
    more["id"] = ["X" + name for name in more["id"]]
    more["lat"] += 0.004
    ancient = more.head(20).assign(occurred_at=pd.Timestamp("2015-05-05"), id=[f"A{n}" for n in range(20)])
    other = more.head(20).assign(category="motor_vehicle_theft", id=[f"M{n}" for n in range(20)])
    far = more.head(3).assign(lat=10.0, lon=10.0, id=["F1", "F2", "F3"])
    twins = more.head(20).assign(id=events["id"].head(20).to_numpy())
    return pd.concat([other, far, twins, ancient, more, events])


@pytest.mark.parametrize("change", [perturbed, deleted, added])
def test_what_becomes_known_after_a_period_began_changes_no_bit_of_its_forecast(
    change: object, events: pd.DataFrame, unchanged: np.ndarray, tmp_path: Path
) -> None:
    changed = change(events)  # type: ignore[operator]
    bench.run(bench.options(bench.written(changed, tmp_path), tmp_path / "out"))
    found = bench.forecast(tmp_path / "out")
    assert found.shape == unchanged.shape
    assert found[: LAST_DAY + 1].tobytes() == unchanged[: LAST_DAY + 1].tobytes()
    # The test would be empty if the change reached no forecast at all.
    assert found[LAST_DAY + 1 :].tobytes() != unchanged[LAST_DAY + 1 :].tobytes()


def bars(valid_from: np.datetime64 | None, shift: float = 0.0, digest: str = "a") -> Layer:
    places = [[bench.HOT[0] + shift + 0.0005 * n, bench.HOT[1] - 0.0003 * n] for n in range(20)]
    geometry = {"type": "MultiPoint", "coordinates": places}
    return Layer(
        "bars",
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": geometry}]},
        valid_from,
        digest,
    )


def test_a_layer_is_seen_only_by_models_fitted_on_or_after_the_day_from_which_it_is_valid(
    events: pd.DataFrame, unchanged: np.ndarray, tmp_path: Path
) -> None:
    path = bench.written(events, tmp_path)
    found = []
    for number, shift in enumerate((0.0, 0.008)):
        out = tmp_path / f"out{number}"
        # Between the two fits: the first must not see it, and its later periods neither.
        bench.run(bench.options(path, out), [bars(bench.TEST_FROM + 3, shift)])
        found.append(bench.forecast(out))
    assert found[0][:7].tobytes() == found[1][:7].tobytes() == unchanged[:7].tobytes()
    assert found[0][7:].tobytes() != found[1][7:].tobytes()
    assert found[0][7:].tobytes() != unchanged[7:].tobytes()


def test_a_layer_without_a_date_is_seen_from_the_start(
    events: pd.DataFrame, unchanged: np.ndarray, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    bench.run(bench.options(bench.written(events, tmp_path), out), [bars(None)])
    assert bench.forecast(out)[:7].tobytes() != unchanged[:7].tobytes()
