"""The bench's figures, from the float32 arrays as written, are those of the scorer that knows nothing of the project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecasting.engine.bench.ground import boundary_read, grid_from_boundary
from forecasting.engine.bench.run import Finished
from tests.forecasting import bench_city as bench
from tests.project.sources import ROOT

SHARED = next((parent / "shared" for parent in ROOT.parents if (parent / "shared" / "bench").is_dir()), None)
pytestmark = pytest.mark.skipif(
    SHARED is None, reason="the independent scorer (shared/bench/score.py) is absent"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("scored")
    bench.written(bench.events_frame(n=1_200, reported=True), made)
    bench.boundary(made)
    return made


def scored(folder: Path, model: str, *, boundary: bool = True) -> tuple[Finished, dict[str, Any]]:
    """The bench's league with this model's forecast written, and what the scorer says of the folder."""
    assert SHARED is not None
    out = folder / f"{model}{boundary}"
    outline = folder / "boundary.geojson" if boundary else None
    events = folder / "events.parquet"
    done = bench.run(
        bench.options(
            events,
            out,
            models=(model,),
            boundary=outline,
            horizon="shift",
            categories=("burglary", "robbery"),
            test_to=bench.TEST_FROM + 10,
        )
    )
    words = [
        sys.executable,
        str(SHARED / "bench" / "score.py"),
        "--events",
        str(events),
        "--forecast",
        str(out),
    ]
    words += ["--json", str(out / "score.json"), "--boot", "20"]
    words += ["--boundary", str(outline)] if outline else []
    subprocess.run(words, check=True, capture_output=True, text=True)
    return done, json.loads((out / "score.json").read_text())


@pytest.fixture(scope="module")
def linear(folder: Path) -> tuple[Finished, dict[str, Any]]:
    return scored(folder, "log_linear")


def check_agreement(done: Finished, scores: dict[str, Any]) -> None:
    assert {league.category for league in done.leagues} == set(scores)
    for league in done.leagues:
        theirs, ours = scores[league.category], league.written
        assert theirs["cells"] == league.cells
        assert theirs["periods"] == league.periods
        assert theirs["events"] == league.events
        assert theirs["outside_cells"] == league.outside_cells
        assert ours.calibration.value == pytest.approx(theirs["calibration"], abs=1e-9)
        assert len(ours.areas) == len(theirs["areas"])
        for one in ours.areas:
            name = one.area if "mi" in one.area else f"{float(one.area[:-1]):.1f}%"
            figures = theirs["areas"][name]
            assert one.hit_rate.value == pytest.approx(figures["hit_rate"], abs=1e-9)
            assert one.pai.value == pytest.approx(figures["pai"], abs=1e-9)
            assert one.pei_star.value == pytest.approx(figures["pei_star"], abs=1e-9)


def test_hit_rate_pai_pei_and_calibration_agree_with_a_boundary(
    linear: tuple[Finished, dict[str, Any]],
) -> None:
    check_agreement(*linear)
    assert any(league.outside_cells for league in linear[0].leagues), (
        "no event outside: the test shows too little"
    )


def test_they_agree_without_a_boundary(folder: Path) -> None:
    check_agreement(*scored(folder, "prospective_hotspot", boundary=False))


def test_the_difference_of_two_models_log_likelihoods_agrees(
    folder: Path, linear: tuple[Finished, dict[str, Any]]
) -> None:
    # The scorer compares each with a baseline of its own: in the difference of two it cancels.
    done, scores = scored(folder, "etas")
    for league, other in zip(linear[0].leagues, done.leagues, strict=True):
        ours = league.model("log_linear").log_skill.value - other.model("etas").log_skill.value
        theirs = [found[league.category]["log_skill_nats_per_event"][0] for found in (linear[1], scores)]
        assert ours == pytest.approx(theirs[0] - theirs[1], abs=1e-9)


@pytest.mark.parametrize(("city", "cell_size_m"), [("chicago", 150.0), ("portland", 76.2)])
def test_the_cells_of_a_real_boundary_are_the_scorers(
    city: str, cell_size_m: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SHARED is not None
    path = SHARED / "data" / city / "districts.geojson"
    if not path.exists():
        pytest.skip(f"the public boundary of {city} is absent")
    monkeypatch.syspath_prepend(str(SHARED / "bench"))
    import score  # type: ignore[import-not-found]

    area = boundary_read(path)
    places = pd.DataFrame({"lon": [area.representative_point().x], "lat": [area.representative_point().y]})
    grid = grid_from_boundary(area, places, cell_size_m)  # type: ignore[arg-type]
    sizes = {
        name: getattr(grid, name) for name in ("epsg", "x0_m", "y0_m", "cell_size_m", "n_rows", "n_cols")
    }
    assert np.array_equal(score.jurisdiction(str(path), sizes), grid.cells)
