"""``manage.py backtest``: no database, one folder, goes on after a kill, and does not mix two runs."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from forecasting.engine.bench.problems import BenchProblem
from tests.forecasting import bench_city as bench
from tests.project.sources import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of both types through the command itself, in a process whose database cannot be reached."""
    made = tmp_path_factory.mktemp("command")
    frame = bench.events_frame(reported=True)
    frame.loc[frame.index[:7], "category"] = "narcotics"
    frame["discovery"] = ["officer_initiated" if number in (20, 21) else "" for number in range(len(frame))]
    events = bench.written(frame, made, "events.csv.gz")
    (made / "bars.csv").write_text(f"lat,lon\n{bench.HOT[1]},{bench.HOT[0]}\n{bench.SOUTH},{bench.WEST}\n")
    words = [sys.executable, "manage.py", "backtest", str(events), "--out", str(made / "out")]
    words += ["--test-from", str(bench.TEST_FROM), "--test-to", str(bench.TEST_TO), "--horizon", "day"]
    words += [
        "--cell-size-m",
        "250",
        "--boundary",
        str(bench.boundary(made)),
        "--layers",
        str(made / "bars.csv"),
    ]
    words += ["--layers", f"{bench.boundary(made)}@2020-06-01", "--refit-weeks", "0", "--jobs", "2"]
    environment = {
        **os.environ,
        "DATABASE_URL": "postgres://nobody:none@127.0.0.1:1/none",
        "DJANGO_SETTINGS_MODULE": "missions_project.settings.test",
    }
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made / "said.txt").write_text(done.stdout)
    return made


def test_it_needs_no_database_and_writes_everything(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "burglary.npz",
        "grid.json",
        "league.csv",
        "league.json",
        "report.html",
        "robbery.npz",
        "run.json",
    ]
    said = (folder / "said.txt").read_text()
    assert "Blend of the learned" in said
    assert "written" in said


def test_the_forecast_has_the_scorers_format(folder: Path) -> None:
    grid = json.loads((folder / "out" / "grid.json").read_text())
    with np.load(folder / "out" / "robbery.npz") as stored:
        cells, expected = stored["cells"], stored["expected"]
        begin, end = stored["period_from"], stored["period_to"]
    assert cells.dtype == np.int64
    assert cells.max() < grid["n_rows"] * grid["n_cols"]
    assert expected.dtype == np.float32
    assert expected.shape == (14, len(cells))
    assert (expected >= 0).all()
    assert begin.dtype == end.dtype == np.dtype("datetime64[s]")
    assert (end - begin == np.timedelta64(1, "D")).all()
    assert begin[0] == bench.TEST_FROM


def test_the_league_holds_every_model_with_its_figures(folder: Path) -> None:
    with (folder / "out" / "league.csv").open() as file:
        rows = list(csv.DictReader(file))
    models = {row["model"] for row in rows if row["category"] == "burglary"}
    assert models == {
        *("all_history_counts", "decayed_counts", "kernel_density", "counts_and_kernel"),
        *("prospective_hotspot", "etas", "risk_terrain"),
        *("log_linear", "boosting", "mixture", "boosted_mixture", "blend"),
    }
    for row in rows:
        if row["area"] == "10%":
            assert (
                0 <= float(row["hit_rate_low"]) <= float(row["hit_rate"]) <= float(row["hit_rate_high"]) <= 1
            )
            assert float(row["pai"]) == pytest.approx(10 * float(row["hit_rate"]), rel=0.05)
        assert np.isfinite(float(row["log_skill"]))
        assert float(row["calibration_low"]) <= float(row["calibration"]) <= float(row["calibration_high"])
    blend = [row for row in rows if row["is_written"] == "1"]
    assert {row["model"] for row in blend} == {"blend"}
    assert float(blend[0]["fit_seconds"]) > 0
    best = {row["category"]: row for row in rows if row["is_best_baseline"] == "1"}
    assert set(best) == {"burglary", "robbery"}
    assert all(float(row["log_skill"]) == 0 and row["is_baseline"] == "1" for row in best.values())


def test_the_report_needs_nothing_else_and_says_what_was_left_out(folder: Path) -> None:
    report = (folder / "out" / "report.html").read_text()
    sources = re.findall(r'(?:src|href)\s*=\s*"([^"]{0,40})', report)
    assert len(sources) == 8
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "<script" not in report
    for said in (
        "category “narcotics”",
        "7 rows",
        "enforcement bias",
        "discovery = officer_initiated",
        "2 rows",
        "outside every cell",
        "bars, boundary (valid from 2020-06-01)",
        "at least a quarter inside",
        "spread evenly",
        "Best baseline before the test, by log score",
    ):
        assert said in report, said


def test_the_hull_stands_in_for_a_boundary_and_the_report_says_so(tmp_path: Path) -> None:
    bench.run(bench.options(bench.written(bench.events_frame(), tmp_path), tmp_path / "out", refit_weeks=0))
    assert "the convex hull of the events before the test" in (tmp_path / "out" / "report.html").read_text()


class Killed(Exception):
    """The power went off."""


def test_a_killed_run_goes_on_where_it_stopped_and_ends_alike(tmp_path: Path) -> None:
    events = bench.written(bench.events_frame(), tmp_path)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    bench.run(bench.options(events, whole, categories=()))
    steps: list[str] = []

    def until_second_fit(done: int, total: int, label: str) -> None:
        steps.append(label)
        if label.startswith("Fit 2 of 2"):
            raise Killed

    with pytest.raises(Killed):
        bench.run(bench.options(events, broken, categories=()), progress=until_second_fit)
    assert not (broken / "burglary.npz").exists()
    steps.clear()
    # Other workers, the same result.
    bench.run(
        bench.options(events, broken, categories=(), jobs=2),
        progress=lambda done, total, label: steps.append(label),
    )
    assert not any("Before the test" in label or "Fit 1" in label for label in steps)
    for name in ("burglary", "robbery"):
        assert bench.forecast(broken, name).tobytes() == bench.forecast(whole, name).tobytes()
    assert league_without_seconds(broken) == league_without_seconds(whole)
    assert bench.run(bench.options(events, broken, categories=())).before


def league_without_seconds(out: Path) -> list[dict[str, str]]:
    with (out / "league.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name in [name for name in row if "_seconds" in name]:
            del row[name]
    return rows


def test_a_run_with_other_options_or_events_does_not_mix(tmp_path: Path) -> None:
    events = bench.written(bench.events_frame(), tmp_path)
    out = tmp_path / "out"

    def stop(done: int, total: int, label: str) -> None:
        if label.startswith("Before the test"):
            raise Killed

    with pytest.raises(Killed):
        bench.run(bench.options(events, out), progress=stop)
    with pytest.raises(BenchProblem, match=r"other options .seed: 0 there, 7 now.*give another --out"):
        bench.run(bench.options(events, out, seed=7))
    other = bench.written(bench.events_frame(seed=9), tmp_path, "other.parquet")
    with pytest.raises(BenchProblem, match="events: "):
        bench.run(bench.options(other, out))


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    events = bench.written(bench.events_frame(), tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(BenchProblem, match="not empty and holds no backtest"):
        bench.run(bench.options(events, tmp_path / "mine"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_type_with_few_events_is_forecast_by_the_best_plain_count(tmp_path: Path) -> None:
    frame = bench.events_frame()
    rare = frame.index[frame.index % 30 == 0]
    frame.loc[rare, "category"] = "homicide"
    chosen = bench.options(
        bench.written(frame, tmp_path), tmp_path / "out", categories=("homicide",), models=("log_linear",), refit_weeks=0
    )  # fmt: skip
    (league,) = bench.run(chosen).leagues
    assert league.written.stood_in_fits == 1
    assert league.written.log_skill.value == 0
    assert "too few crimes to learn from" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"--test-from": "yesterday"}, "not a date"),
        ({"--layers": "missing.geojson"}, "There is no file missing.geojson"),
        ({"--offence": "assault"}, "write NAME=CODE"),
        ({"--jobs": "0"}, "less than one"),
        ({}, "There is no file missing.parquet"),
    ],
)
def test_the_command_says_plainly_what_is_wrong(words: dict[str, str], said: str, tmp_path: Path) -> None:
    typed = {"--test-from": "2020-06-20", "--test-to": "2020-07-04", "--horizon": "day"}
    typed |= {"--out": str(tmp_path / "out"), **words}
    with pytest.raises(CommandError, match=said):
        call_command("backtest", "missing.parquet", *(part for pair in typed.items() for part in pair))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("offenders.csv", "lat,lon,offender_name\n41.8,-87.6,X\n", "places, not people"),
        ("places.csv", "x_feet,y_feet\n1,2\n", "no columns lat and lon"),
        ("empty.csv", "lat,lon\n,\n", "no usable place"),
    ],
)
def test_a_layer_about_persons_or_without_places_is_refused(
    name: str, content: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises((CommandError, BenchProblem), match=said):
        call_command(
            *("backtest", "missing.parquet", "--test-from", "2020-06-20", "--test-to", "2020-07-04"),
            *("--horizon", "day", "--out", str(tmp_path / "out"), "--layers", str(tmp_path / name)),
        )
