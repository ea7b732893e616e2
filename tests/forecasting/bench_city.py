"""A small made-up city as an events file, for the backtest bench: a hot corner, evenings, half a year."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.engine.bench.contest import Makers
from forecasting.engine.bench.ground import Layer
from forecasting.engine.bench.run import Finished, Options, backtest
from forecasting.engine.classics import CLASSICS
from missions_project.lib.progress import Progress, no_progress

BEGIN = pd.Timestamp("2020-01-01")
TEST_FROM, TEST_TO = np.datetime64("2020-06-20"), np.datetime64("2020-07-04")
WEST, SOUTH, SIDE = -87.70, 41.80, 0.03
HOT = (WEST + 0.3 * SIDE, SOUTH + 0.3 * SIDE)
QUICK = ("prospective_hotspot", "etas", "log_linear")
"""Models that are fitted in no time; the last one's forecast is written."""


def events_frame(n: int = 900, days: int = 186, seed: int = 5, reported: bool = False) -> pd.DataFrame:
    """Incidents of which half fall around one corner, mostly in the evening; the rest anywhere, any time."""
    rng = np.random.default_rng(seed)
    hot = rng.random(n) < 0.5
    second = np.where(hot, rng.normal(19.5 * 3600, 4_000, n).clip(0, 86_399), rng.uniform(0, 86_399, n))
    at = BEGIN + pd.to_timedelta(rng.integers(0, days, n) * 86_400 + second.astype(int), unit="s")
    frame = pd.DataFrame(
        {
            "id": [f"E{number}" for number in range(n)],
            "occurred_at": at,
            "category": rng.choice(["burglary", "robbery"], n, p=[0.7, 0.3]),
            "lat": np.where(hot, rng.normal(HOT[1], 0.002, n), SOUTH + SIDE * rng.random(n)),
            "lon": np.where(hot, rng.normal(HOT[0], 0.002, n), WEST + SIDE * rng.random(n)),
        }
    )
    if reported:
        frame["reported_at"] = frame.occurred_at + pd.to_timedelta(rng.exponential(4.0, n), unit="D").round(
            "s"
        )
    return frame.sort_values("occurred_at", ignore_index=True)


def written(frame: pd.DataFrame, folder: Path, name: str = "events.parquet") -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return path


def boundary(folder: Path) -> Path:
    """A boundary with a notch and a hole, so that edge cells and outside events exist."""
    east, north = WEST + SIDE, SOUTH + SIDE
    outline = [
        [WEST, SOUTH],
        [east, SOUTH],
        [east, north - 0.004],
        [east - 0.005, north],
        [WEST, north],
        [WEST, SOUTH],
    ]
    x, y = WEST + 0.7 * SIDE, SOUTH + 0.6 * SIDE
    hole = [[x, y], [x, y + 0.009], [x + 0.007, y + 0.01], [x + 0.007, y], [x, y]]
    area = {"type": "Polygon", "coordinates": [outline, hole]}
    path = folder / "boundary.geojson"
    path.write_text(
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [{"type": "Feature", "properties": {}, "geometry": area}],
            }
        )
    )
    return path


def options(events: Path, out: Path, **changed: object) -> Options:
    chosen: dict[str, object] = {
        "events": events,
        "out": out,
        "test_from": TEST_FROM,
        "test_to": TEST_TO,
        "horizon": "day",
        "cell_size_m": 200.0,
        "models": QUICK,
        "categories": ("burglary",),
        "jobs": 1,
        "refit_weeks": 1,
    }
    return Options(**{**chosen, **changed})  # type: ignore[arg-type]


def run(
    chosen: Options,
    layers: list[Layer] | None = None,
    progress: Progress = no_progress,
    classics: Makers = CLASSICS,
) -> Finished:
    return backtest(chosen, layers or [], classics, progress)


def forecast(out: Path, category: str = "burglary") -> np.ndarray:
    with np.load(out / f"{category}.npz") as stored:
        return np.asarray(stored["expected"])
