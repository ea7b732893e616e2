"""A backtest with events, weather and people: read strictly, seen only once known, and left out of no fingerprint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.engine.bench.outlook import (
    EventsCalendar,
    WeatherTable,
    events_calendar,
    kind_of_csv,
    surroundings_of,
    weather_table,
)
from forecasting.engine.bench.problems import BenchProblem
from forecasting.engine.bench.run import backtest
from forecasting.engine.classics import CLASSICS
from forecasting.services.backtests import backtest_layers_read
from missions_project.lib.errors import MissionsError
from tests.forecasting import bench_city as bench

LAST_DAY = 6
"""The number of the period at whose start the future begins; the second fit comes after it."""
ORIGIN = pd.Timestamp(bench.TEST_FROM) + pd.Timedelta(days=LAST_DAY)
DAYS = pd.date_range("2020-01-01", "2020-07-10", freq="D")


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    return bench.events_frame(reported=True)


def calendar_frame(seed: int = 3) -> pd.DataFrame:
    """A game every third day in the hot corner, announced between 20 days and one hour before; and parades anywhere."""
    rng = np.random.default_rng(seed)
    begin = DAYS[::3] + pd.Timedelta(hours=17)
    games = pd.DataFrame(
        {
            "from": begin,
            "to": begin + pd.Timedelta(hours=4),
            "kind": "Ball game",
            "announced": begin - pd.to_timedelta(rng.integers(1, 480, len(begin)), unit="h"),
            "lat": bench.HOT[1],
            "lon": bench.HOT[0],
        }
    )
    begin = DAYS[::5] + pd.Timedelta(hours=10)
    parades = games.head(len(begin)).assign(
        **{
            "from": begin,
            "to": begin + pd.Timedelta(hours=6),
            "kind": "parade",
            "lat": np.nan,
            "lon": np.nan,
        },
        announced=begin - pd.to_timedelta(rng.integers(1, 480, len(begin)), unit="h"),
    )
    return pd.concat([games, parades], ignore_index=True)


def weather_frame(seed: int = 4, issued: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "date": DAYS.strftime("%Y-%m-%d"),
            "tmax": rng.normal(15, 6, len(DAYS)),
            "tmin": rng.normal(5, 4, len(DAYS)),
            "prcp": rng.exponential(2.0, len(DAYS)),
            "snow": 0.0,
        }
    )
    return frame.assign(issued=DAYS - pd.Timedelta(hours=9)) if issued else frame


def forecast(events: pd.DataFrame, folder: Path, *frames: tuple[str, pd.DataFrame]) -> np.ndarray:
    values = []
    for name, frame in frames:
        frame.to_csv(folder / f"{name}.csv", index=False)
        values.append(f"{name}={folder / name}.csv")
    seen = backtest_layers_read(values=values)
    out = folder / "out"
    backtest(bench.options(bench.written(events, folder), out), seen.layers, CLASSICS, outlook=seen.outlook)
    return bench.forecast(out)


@pytest.fixture(scope="module")
def unchanged(events: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    frames = ("events", calendar_frame()), ("weather", weather_frame(issued=True))
    return forecast(events, tmp_path_factory.mktemp("unchanged"), *frames)


def test_what_is_announced_or_issued_after_a_period_began_changes_no_bit_of_its_forecast(
    events: pd.DataFrame, unchanged: np.ndarray, tmp_path: Path
) -> None:
    calendar, sky = calendar_frame(), weather_frame(issued=True)
    late = calendar.announced >= ORIGIN
    calendar.loc[late, ["lat", "lon"]] = [bench.SOUTH + 0.004, bench.WEST + 0.004]
    calendar.loc[late, "kind"] = "circus"
    more = calendar.assign(announced=ORIGIN, lat=bench.SOUTH + 0.02).sample(frac=1.0, random_state=1)
    later = sky.issued >= ORIGIN
    sky.loc[later, ["tmax", "tmin", "prcp"]] = [60.0, 50.0, 200.0]
    frames = ("events", pd.concat([more, calendar])), ("weather", sky.sample(frac=1.0, random_state=2))
    found = forecast(events, tmp_path, *frames)
    assert found[: LAST_DAY + 1].tobytes() == unchanged[: LAST_DAY + 1].tobytes()
    # The test would be empty if the change reached no forecast at all.
    assert found[LAST_DAY + 1 :].tobytes() != unchanged[LAST_DAY + 1 :].tobytes()


def test_the_days_own_observation_does_not_leak_without_a_column_that_says_when_it_was_issued(
    events: pd.DataFrame, tmp_path: Path
) -> None:
    found = []
    for number, heat in enumerate((0.0, 40.0)):
        sky = weather_frame()
        today = sky.date >= ORIGIN.strftime("%Y-%m-%d")
        sky.loc[today, ["tmax", "tmin"]] += heat
        (tmp_path / str(number)).mkdir()
        found.append(forecast(events, tmp_path / str(number), ("weather", sky)))
    # Observations of a day are over at midnight, which is when the next day's forecast is issued: not yet known there.
    assert found[0][: LAST_DAY + 2].tobytes() == found[1][: LAST_DAY + 2].tobytes()
    assert found[0][LAST_DAY + 2 :].tobytes() != found[1][LAST_DAY + 2 :].tobytes()


def test_events_and_weather_change_the_forecast_and_the_runs_fingerprint(
    events: pd.DataFrame, unchanged: np.ndarray, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    found = forecast(events, plain)
    assert found.tobytes() != unchanged.tobytes()
    seen = (
        backtest_layers_read(values=[f"weather={tmp_path / 'sky.csv'}"])
        if weather_written(tmp_path)
        else None
    )
    assert seen is not None
    with pytest.raises(BenchProblem, match="other options \\(outlook"):
        backtest(
            bench.options(plain / "events.parquet", plain / "out"),
            seen.layers,
            CLASSICS,
            outlook=seen.outlook,
        )
    report = json.loads((plain / "out" / "league.json").read_text())
    assert report["run"]["facts"]["Events and weather"] == "none"


def weather_written(folder: Path) -> bool:
    weather_frame().to_csv(folder / "sky.csv", index=False)
    return True


def test_the_kind_of_a_file_is_told_by_its_name_or_its_columns(tmp_path: Path) -> None:
    weather_frame().to_csv(tmp_path / "sky.csv", index=False)
    calendar_frame().to_csv(tmp_path / "games.csv", index=False)
    places = pd.DataFrame(
        {"lat": [bench.SOUTH], "lon": [bench.WEST], "kind": ["bar"], "date": ["2020-01-01"]}
    )
    places.to_csv(tmp_path / "bars.csv", index=False)
    kinds = [kind_of_csv(tmp_path / name) for name in ("sky.csv", "games.csv", "bars.csv")]
    assert kinds == ["weather", "events", "places"]
    seen = backtest_layers_read(
        values=[str(tmp_path / name) for name in ("sky.csv", "games.csv", "bars.csv@2020-03-01")]
    )
    assert [type(one) for one in seen.outlook] == [WeatherTable, EventsCalendar]
    assert [(one.slug, str(one.valid_from)) for one in seen.layers] == [("bars", "2020-03-01")]
    census = f"census={bench_census(tmp_path)}:population@2020-02-01"
    (layer,) = backtest_layers_read(values=[census]).layers
    assert (layer.slug, layer.is_census, layer.names) == ("population", True, ("population",))
    with pytest.raises(MissionsError, match="takes no date"):
        backtest_layers_read(values=[f"weather={tmp_path / 'sky.csv'}@2020-01-01"])
    with pytest.raises(MissionsError, match="There is no file"):
        backtest_layers_read(values=["census=nowhere.geojson:population"])


def bench_census(folder: Path) -> Path:
    collection = json.loads(bench.boundary(folder).read_text())
    collection["features"][0]["properties"] = {"Pop2014": 5_000, "Hisp14P": 20.0}
    path = folder / "areas.geojson"
    path.write_text(json.dumps(collection))
    return path


def test_times_kinds_and_places_of_events_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(
        "from,to,kind,announced,lat,lon,attendance\n"
        "2020-05-01 19:05,2020-05-01 22:00,Cubs home game,2020-03-01,41.81,-87.69,38000\n"
        "2020-07-04,2020-07-05,Street fair,2020-06-01 12:00,,,\n"
    )
    found = events_calendar(path, "events")
    assert found.kind == ("cubs_home_game", "street_fair")
    assert [str(one) for one in found.begin] == ["2020-05-01T19:05:00", "2020-07-04T00:00:00"]
    # Until 5 July is until that day is over.
    assert [str(one) for one in found.end] == ["2020-05-01T22:00:00", "2020-07-06T00:00:00"]
    made = surroundings_of([found], 32616)
    assert made is not None
    assert made.happenings is not None
    assert made.happenings.placed.tolist() == [True, False]
    assert made.happenings.attendance[0] == 38_000
    assert surroundings_of([], 32616) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("from,kind\n2020-05-01,fair\n", "no column announced"),
        ("from,announced,kind\n", "holds no row"),
        ("from,announced,kind\nsoon,2020-01-01,fair\n", "row 2, column from: 'soon' is no local time"),
        ("from,announced,kind\n2020-05-01T10:00:00Z,2020-01-01,fair\n", "no local time without a zone"),
        (
            "from,to,announced,kind\n2020-05-02 10:00,2020-05-01 10:00,2020-01-01,fair\n",
            "ends before it begins",
        ),
        ("from,announced,kind,lat,lon\n2020-05-02,2020-01-01,fair,-87.7,410\n", "not latitude and longitude"),
        ("from,announced,kind,suspect name\n2020-05-02,2020-01-01,fair,X\n", "never accepted"),
    ],
)
def test_an_events_file_that_cannot_be_trusted_is_refused_with_the_next_step(
    text: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    path.write_text(text)
    with pytest.raises(BenchProblem, match=reason) as raised:
        events_calendar(path, "events")
    assert raised.value.next_step


def test_weather_without_an_issue_is_known_when_its_day_is_over_and_hours_are_hours(tmp_path: Path) -> None:
    weather_frame().to_csv(tmp_path / "daily.csv", index=False)
    daily = weather_table(tmp_path / "daily.csv", "daily").weather
    assert (daily.issued_utc == daily.valid_from_utc + np.timedelta64(1, "D")).all()
    (tmp_path / "hourly.csv").write_text("hour,temperature,issued\n2020-01-01 05:00,3.5,2020-01-01 01:00\n")
    hourly = weather_table(tmp_path / "hourly.csv", "hourly").weather
    assert str(hourly.valid_to_utc[0] - hourly.valid_from_utc[0]) == "3600 seconds"
    assert (hourly.temperature_c[0], str(hourly.issued_utc[0])) == (3.5, "2020-01-01T01:00:00")
    assert np.isnan(hourly.rain_mm[0])
    (tmp_path / "none.csv").write_text("date,wind\n2020-01-01,3\n")
    with pytest.raises(BenchProblem, match="holds no weather"):
        weather_table(tmp_path / "none.csv", "none")
