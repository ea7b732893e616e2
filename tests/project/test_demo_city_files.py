"""Riverton's files: byte-identical from one seed, about 60,000 incidents, dirt at the stated rates, no person anywhere."""

import csv
import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ingestion.engine.privacy import screen_columns
from missions_project.demo.codes import OFFENCE_CODES
from missions_project.demo.files import CityFiles, TrueCity, simulate, write_city
from missions_project.demo.intensity import GUNFIRE
from missions_project.demo.records import DIRT, incident_rows

UNTIL = datetime(2026, 3, 1, 6, tzinfo=UTC)
DAYS = 60


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CityFiles:
    return write_city(tmp_path_factory.mktemp("riverton"), 2026, UNTIL, days=DAYS)


@pytest.fixture(scope="module")
def three_years() -> tuple[int, pd.DataFrame]:
    """True incidents other than gunfire, and the incident file of the full span."""
    world = simulate(seed=2026, until=UNTIL)
    rows = incident_rows(
        np.random.default_rng(3), city=world.city, intensity=world.intensity, history=world.history
    )
    return int((world.history.type_index != GUNFIRE).sum()), rows


def _digest(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_the_same_seed_and_end_give_the_same_bytes(files: CityFiles, tmp_path: Path) -> None:
    again = write_city(tmp_path, 2026, UNTIL, days=DAYS)
    assert _digest(again.folder) == _digest(files.folder)
    assert len(_digest(tmp_path)) == 23


def test_progress_is_told_from_nothing_to_all(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    write_city(tmp_path, 2026, UNTIL, lambda *step: seen.append(step), days=3)
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert (done[0], done[-1], {step[1] for step in seen}) == (0, 10, {10})


def test_three_years_hold_about_sixty_thousand_incidents_that_train_a_model(
    three_years: tuple[int, pd.DataFrame],
) -> None:
    true, rows = three_years
    assert 57_000 < true < 64_000
    last = rows.drop_duplicates("id", keep="last")
    forecast = {c.code for c in OFFENCE_CODES if c.crime_type}
    clean = last[last["code"].isin(forecast) & (last["discovery"] == "reported")]
    # All but those that nobody had reported by the end of the span.
    assert 0.99 * true < len(clean) <= true


def test_dirt_is_there_at_the_stated_rates(three_years: tuple[int, pd.DataFrame]) -> None:
    true, rows = three_years
    n = len(rows)
    lat, lon = pd.to_numeric(rows["lat"]), pd.to_numeric(rows["lon"])
    read = pd.to_datetime(rows["occurred_at"], errors="coerce", format="ISO8601")
    refused = rows["code"].isin([c.code for c in OFFENCE_CODES if not c.crime_type])
    by_officers = (rows["discovery"] == "officer_initiated") & ~refused
    for found, wanted, of in (
        (lat.isna().sum(), DIRT.no_coordinates, n),
        ((lat == 0).sum(), DIRT.at_zero, n),
        ((lat < -90).sum(), DIRT.swapped, n),
        (rows["id"].duplicated().sum(), DIRT.doubled, n),
        (read.isna().sum(), DIRT.bad_date, n),
        (refused.sum(), DIRT.refused, true),
        (by_officers.sum(), DIRT.officer_initiated, true),
    ):
        assert abs(found - wanted * of) < 5 * np.sqrt(wanted * of) + 0.03 * wanted * of
    assert (lon[lat < -90] > 0).all()


def test_a_second_version_of_a_row_is_newer_and_comes_later(three_years: tuple[int, pd.DataFrame]) -> None:
    _, rows = three_years
    doubled = rows[rows["id"].duplicated(keep=False)]
    newest = doubled.groupby("id")["last_updated"].agg(["first", "last"])
    assert (newest["last"] > newest["first"]).all()


def test_reports_come_in_late_but_never_before_the_crime(three_years: tuple[int, pd.DataFrame]) -> None:
    _, rows = three_years
    occurred = pd.to_datetime(rows["occurred_at"], errors="coerce", format="ISO8601")
    lag_h = (pd.to_datetime(rows["reported_at"]) - occurred).dt.total_seconds() / 3_600
    # An hour less than nothing is the autumn night on which the clock is put back.
    assert lag_h.min() >= -1.0
    assert lag_h.median() > 0.5
    assert (lag_h > 7 * 24).mean() > 0.005


def test_no_file_has_a_column_about_a_person(files: CityFiles) -> None:
    for path in (*files.folder.glob("*.csv"), files.incidents):
        header = list(pd.read_csv(path, nrows=0).columns)
        if path.name not in ("codes.csv", "events.csv"):  # names of offences and of concerts
            assert not screen_columns(header), path.name


def test_the_incident_file_has_the_plain_columns_of_the_product(files: CityFiles) -> None:
    with gzip.open(files.incidents, "rt") as stream:
        header = next(csv.reader(stream))
    assert header == (
        "id occurred_at occurred_to reported_at last_updated code description nibrs_code discovery lat lon".split()
    )


def test_gunfire_alerts_lie_in_the_coverage_area_and_calls_are_many(files: CityFiles) -> None:
    alerts = pd.read_csv(files.gunfire)
    assert set(alerts["stage"]) == {"confirmed", "probable", "dismissed"}
    assert (alerts["rounds"] >= 1).all()
    calls = pd.read_csv(files.calls_for_service)
    assert 80_000 < len(calls) * 1_096 / DAYS < 125_000
    assert set(calls["discovery"]) == {"reported", "officer_initiated"}


def test_the_truth_loads_back_as_it_was_written(files: CityFiles) -> None:
    world = simulate(seed=2026, until=UNTIL, days=DAYS)
    loaded = TrueCity.load(files.folder)
    end = world.intensity.hours.end_utc_s
    for crime_type in ("burglary", "gunfire"):
        before = world.true_city().oracle().expected_at_places(crime_type, end - 28_800, end)
        after = loaded.oracle().expected_at_places(crime_type, end - 28_800, end)
        np.testing.assert_array_equal(before, after)


def test_a_folder_without_truth_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Write the city first"):
        TrueCity.load(tmp_path)


def test_a_naive_or_crooked_end_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Pass an aware datetime"):
        write_city(tmp_path, 1, UNTIL.replace(tzinfo=None))
    with pytest.raises(ValueError, match="full hour"):
        write_city(tmp_path, 1, UNTIL.replace(minute=30))
    assert not list(tmp_path.iterdir())
