"""The bench takes events as cities hand them out, and says what is wrong with a file and what to do."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.engine.bench import files
from forecasting.engine.bench.coverage import coverage_of_events
from forecasting.engine.bench.events import BY_OFFICERS, NO_PLACE, NO_TIME, REPEATED, events_read
from forecasting.engine.bench.ground import layer_from_csv
from forecasting.engine.bench.offences import categories_choose, screen, without_refused
from forecasting.engine.bench.problems import BenchProblem
from tests.forecasting import bench_city as bench

HEADER = "id,occurred_at,category,lat,lon"


def text(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "events.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def frame() -> pd.DataFrame:
    return bench.events_frame(n=60, reported=True)


@pytest.mark.parametrize("name", ["events.parquet", "events.csv", "events.csv.gz"])
def test_csv_and_parquet_hold_the_same_events(name: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    found = events_read(bench.written(frame, tmp_path, name))
    by_known = frame.sort_values(["reported_at", "occurred_at"])
    assert len(found) == 60
    assert found.names == ("burglary", "robbery")
    assert np.array_equal(found.known, by_known.reported_at.to_numpy().astype("datetime64[s]"))
    assert np.allclose(found.lon, by_known.lon, rtol=0, atol=1e-9)
    assert not found.dropped


def test_a_gzipped_parquet_is_told_by_its_content(frame: pd.DataFrame, tmp_path: Path) -> None:
    plain = bench.written(frame, tmp_path)
    packed = tmp_path / "strange.name"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert len(events_read(packed)) == 60


def test_rows_that_cannot_be_used_are_left_out_and_counted(tmp_path: Path) -> None:
    found = events_read(
        text(
            tmp_path,
            "1,2020-01-02 10:00:00,burglary,41.8,-87.6,,",
            "1,2020-01-01 10:00:00,burglary,41.8,-87.6,,",
            "2,2020-01-03,burglary,0,0,,",
            "3,2020-01-03,burglary,,,,",
            "4,,burglary,41.8,-87.6,,",
            "5,2020-01-04 08:00,burglary,41.8,-87.6,officer_initiated,",
            "6,2020-01-05T08:00:00,burglary,41.8,-87.6,reported,2020-01-04",
            header=f"{HEADER},discovery,reported_at",
        )
    )
    assert found.dropped == {BY_OFFICERS: 1, NO_TIME: 1, NO_PLACE: 2, REPEATED: 1}
    # Of the two rows with one id the earlier stays; a report before the event counts from the event on.
    assert list(found.occurred.astype(str)) == ["2020-01-01T10:00:00", "2020-01-05T08:00:00"]
    assert np.array_equal(found.known, found.occurred)


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        ([], HEADER, "a header and no rows"),
        (["1,2020-01-01,41.8,-87.6"], "id,when,lat,lon", "no column occurred_at, category.*rename or add"),
        (["1;2020-01-01;burglary;41.8;-87.6"], HEADER.replace(",", ";"), "separate the fields with commas"),
        (["1,2020-01-01,burglary,41.8,-87.6", "2,01/31/20 5pm,burglary,41.8,-87.6"], HEADER, "Row 2, column occurred_at: “01/31/20 5pm”"),
        (["1,2020-01-01T10:00:00Z,burglary,41.8,-87.6"], HEADER, "carries a time zone.*without a zone"),
        (["1,2020-01-01,burglary,41.8N,-87.6"], HEADER, "Row 1, column lat: “41.8N” is not a number"),
        (["1,2020-01-01,burglary,-122.6,45.5", "2,2020-01-01,burglary,-122.7,45.5"], HEADER, "look swapped.*swap the two"),
        (["1,2020-01-01,burglary,1902345.2,1176543.1"], HEADER, "Row 1, column lat.*not on the globe.*converted"),
        (["1,2020-01-01,burglary,0,0"], HEADER, "No row of events.csv can be used: 1 × no place"),
        (["1,2020-01-01,burglary,41.8,-87.6,surplus"], HEADER, "as many fields as the header"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_with_the_next_step(
    rows: list[str], header: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BenchProblem, match=said) as caught:
        events_read(text(tmp_path, *rows, header=header))
    assert "Next step" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"PK\x03\x04 zip", "neither CSV nor Parquet"), (b"PAR1 cut", "as Parquet"), (b"\x1f\x8bbroken", "cannot be unpacked")]
)  # fmt: skip
def test_a_foreign_file_is_told_apart(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "events.bin"
    path.write_bytes(content)
    with pytest.raises(BenchProblem, match=said):
        events_read(path)


def test_a_parquet_with_a_time_zone_is_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["occurred_at"] = frame.occurred_at.dt.tz_localize("America/Chicago")
    with pytest.raises(BenchProblem, match="time zone"):
        events_read(bench.written(frame, tmp_path))


def test_refused_offences_are_named_with_their_rule_and_never_forecast(tmp_path: Path) -> None:
    events = events_read(
        text(
            tmp_path,
            "1,2020-01-01,burglary,41.8,-87.6",
            "2,2020-01-02,NARCOTICS,41.8,-87.6",
            "3,2020-01-03,assault,41.8,-87.6",
        )
    )
    chosen, screened = categories_choose(events, (), {})
    assert chosen == ("burglary",)
    assert "enforcement bias" in screened.refused["NARCOTICS"]
    kept, refused = without_refused(events, screened)
    assert (len(kept), refused) == (1, {"NARCOTICS": 1, "assault": 1})
    with pytest.raises(BenchProblem, match=r"NARCOTICS.*may not be forecast"):
        categories_choose(events, ("NARCOTICS",), {})
    with pytest.raises(BenchProblem, match="has no category arson"):
        categories_choose(events, ("arson",), {})


def test_a_name_that_says_too_little_can_be_declared_but_a_refused_one_cannot() -> None:
    assert screen(("assault",), {}).allowed == ()
    assert screen(("assault",), {"assault": "13A"}).allowed == ("assault",)
    assert screen(("narcotics",), {"narcotics": "13A"}).allowed == ()
    assert screen(("220", "MULTIPLE GUNSHOTS", "motor_vehicle_theft"), {}).refused == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"test_from": np.datetime64("2019-01-01")}, "run from 2020-01-0.*the test begins on 2019"),
        ({"test_from": np.datetime64("2022-01-01"), "test_to": np.datetime64("2022-02-01")}, "choose --test-from inside"),
        ({"test_to": np.datetime64("2020-09-01")}, "its end would look free of crime"),
        ({"test_from": np.datetime64("2020-01-03"), "horizon": "week"}, "to learn from lie before the test"),
        ({"test_to": bench.TEST_FROM}, "ends .* before it begins"),
        ({"horizon": "month"}, "Months begin on the first"),
        ({"cell_size_m": 0.0}, "not a positive length"),
        ({"cell_size_m": float("inf")}, "not a positive length"),
        ({"cell_size_m": float("nan")}, "not a positive length"),
        ({"refit_weeks": 10**20}, "fit anew every"),
        ({"models": ("magic",)}, "Unknown model magic"),
        ({"models": ("risk_terrain",)}, "add --layers"),
        ({"shift_hours": 7, "horizon": "shift"}, "do not fill a day"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_the_file_are_refused_before_anything_is_written(
    change: dict[str, object], said: str, tmp_path: Path
) -> None:
    chosen = bench.options(bench.written(bench.events_frame(), tmp_path), tmp_path / "out", **change)
    with pytest.raises(BenchProblem, match=said):
        bench.run(chosen)
    assert not (tmp_path / "out").exists()


def test_dates_without_times_cannot_be_forecast_by_shift(tmp_path: Path) -> None:
    frame = bench.events_frame()
    frame["occurred_at"] = frame.occurred_at.dt.normalize()
    with pytest.raises(BenchProblem, match="dates and no times"):
        bench.run(bench.options(bench.written(frame, tmp_path), tmp_path / "out", horizon="shift"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "There is no file"),
        (lambda path: path.write_text("{broken"), "cannot be read as a boundary"),
        (lambda path: path.write_text('{"type": "FeatureCollection", "features": []}'), "no area|cannot be read"),
        (lambda path: path.write_text(path.read_text().replace("-87.", "-17.")), "lie inside the boundary"),
    ],
)  # fmt: skip
def test_a_boundary_that_does_not_fit_is_refused(
    spoil: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    boundary = bench.boundary(tmp_path)
    spoil(boundary)
    events = bench.written(bench.events_frame(), tmp_path)
    with pytest.raises(BenchProblem, match=said):
        bench.run(bench.options(events, tmp_path / "out", boundary=boundary))


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "..",
        "a\0b",
        "a\nburglary",
        "x" * 200,
        "é" * 101,
        "=cmd()",
        "+burglary",
        "-burglary",
        "@SUM(A1)",
    ],
)
def test_a_category_that_cannot_name_a_file_or_would_run_in_a_spreadsheet_is_refused(
    name: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame["category"] = name
    events = events_read(bench.written(frame, tmp_path))
    with pytest.raises(BenchProblem, match=r"cannot be the name of a file.*rename it"):
        categories_choose(events, (), {name: "13A"})


def test_a_file_made_to_fill_the_memory_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"{number},2020-01-01,burglary,41.8,-87.6\n" for number in range(20_000))
    bomb = tmp_path / "events.csv.gz"
    bomb.write_bytes(gzip.compress((HEADER + "\n" + rows + " " * 3_000_000).encode()))
    monkeypatch.setattr(files, "RATIO_FREE_BYTES", 1_000_000)
    monkeypatch.setattr(files, "MAX_RATIO", 20)
    with pytest.raises(BenchProblem, match="more than 20 times its size"):
        events_read(bomb)
    with pytest.raises(BenchProblem, match="more than 20 times its size"):
        layer_from_csv(bomb, "bars", None)
    monkeypatch.setattr(files, "MAX_BYTES", 1_000_000)
    plain = text(tmp_path, rows + " " * 1_000_000)
    with pytest.raises(BenchProblem, match="larger than"):
        events_read(plain)


def test_a_damaged_layer_is_told_from_a_good_one(tmp_path: Path) -> None:
    damaged = tmp_path / "bars.csv.gz"
    damaged.write_bytes(gzip.compress(b"lat,lon\n41.8,-87.6\n")[:-9])
    with pytest.raises(BenchProblem, match="cannot be unpacked"):
        layer_from_csv(damaged, "bars", None)


def test_a_coverage_that_reaches_no_cell_is_refused(tmp_path: Path) -> None:
    coverage = bench.boundary(tmp_path)
    coverage.write_text(coverage.read_text().replace("-87.", "-17."))
    events = bench.written(bench.events_frame(), tmp_path)
    with pytest.raises(BenchProblem, match="no cell"):
        bench.run(bench.options(events, tmp_path / "out", coverage=coverage))
    assert not (tmp_path / "out").exists()


def test_a_coverage_column_speaks_of_those_categories_only_whose_events_it_names(tmp_path: Path) -> None:
    frame = bench.events_frame()
    frame["coverage"] = np.where(frame.category == "robbery", "north", "")
    events = events_read(bench.written(frame, tmp_path))
    found = coverage_of_events(events, 32616, bench.TEST_FROM, ("burglary", "robbery"))
    assert {area.category for area in found} == {"robbery"}
