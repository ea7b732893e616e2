"""What passes over an agency's city reaches its models: announced events, foreseen weather, who lives where. No more."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.utils import timezone

from agencies.models import Agency, Shift
from forecasting.engine.happenings import Happenings
from forecasting.engine.periods import Periods
from forecasting.engine.surroundings import NOTHING
from forecasting.models import ModelVersion
from forecasting.selectors import context_block, expected_by_type, why_here
from forecasting.selectors.forecasts import model_artefact
from forecasting.selectors.surroundings import census_columns, happenings, surroundings_known, weather
from forecasting.services import (
    forecast_run,
    forecast_run_queue,
    grid_build,
    training_run_execute,
    training_run_queue,
)
from ingestion.models import CensusArea, Feed, ScheduledEvent, WeatherHour
from tests.factories import SIDE_M, degrees, make_agency, rectangle
from tests.forecasting.scenes import CELL_SIZE_M, DAYS, HOT_M, last_midnight, make_incidents

UTC = dt.UTC
EPSG = 32616


def event(agency: Agency, starts: dt.datetime, **fields) -> ScheduledEvent:
    given = {"name": "Derby", "kind": "home-game", "ends_at": starts + dt.timedelta(hours=3)}
    return ScheduledEvent.objects.create(agency=agency, starts_at=starts, **(given | fields))


def hours_of(agency: Agency, feed: Feed, first: dt.datetime, figures: list[float], **fields) -> None:
    for number, rain in enumerate(figures):
        start = first + dt.timedelta(hours=number)
        given = {
            "issued_at": start + dt.timedelta(hours=1),
            "temperature_c": 10.0 + number,
            "precipitation_mm": rain,
        }
        WeatherHour.objects.create(agency=agency, feed=feed, valid_at=start, **(given | fields))


@pytest.fixture
def sky(agency) -> Feed:
    return Feed.objects.create(
        agency=agency, name="Sky", slug="sky", record_kind="weather", kind="weather_csv"
    )


def test_an_event_is_known_from_its_announcement_until_it_is_called_off(agency):
    starts = dt.datetime(2024, 5, 10, 19, tzinfo=UTC)
    announced, off = starts - dt.timedelta(days=30), starts - dt.timedelta(days=2)
    lon, lat = degrees(*HOT_M)
    event(agency, starts, announced_at=announced, cancelled_at=off, lon=lon, lat=lat, attendance=20_000)

    def known(before: dt.datetime) -> int:
        return len(happenings(agency, epsg=EPSG, before=before))

    assert (known(announced), known(announced + dt.timedelta(seconds=1))) == (0, 1)
    second = np.timedelta64(1, "s")
    shift = np.array([starts.replace(tzinfo=None)], dtype="datetime64[s]")
    periods = Periods(shift, shift + 8 * 3600 * second, shift, np.zeros(1, dtype=np.int16))

    def reckoned(table: Happenings, issued: dt.datetime) -> bool:
        at = np.array([issued.replace(tzinfo=None)], dtype="datetime64[s]")
        return bool(table.on(periods, at).sum() > 0)

    later = happenings(agency, epsg=EPSG, before=starts + dt.timedelta(days=400))
    assert reckoned(later, off - dt.timedelta(days=1)), (
        "a test of the day before the calling off sees what was seen then"
    )
    assert reckoned(later, off)
    assert not reckoned(later, off + dt.timedelta(seconds=1))
    assert not reckoned(later, announced)
    # What was known at that very time is the same, read then or read from today's table.
    then = happenings(agency, epsg=EPSG, before=off)
    cut = later.known_before(np.datetime64(off.replace(tzinfo=None), "s"))
    assert np.isnat(then.off_utc).all()
    assert np.isnat(cut.off_utc).all()
    (found,) = [happenings(agency, epsg=EPSG, before=off)]
    assert (found.kinds, found.attendance.tolist()) == (("home_game",), [20_000.0])
    assert np.isfinite(found.x_m).all()


def test_another_agencys_events_weather_and_people_are_not_ours(agency, sky):
    other = make_agency("lakeside")
    now = dt.datetime(2024, 5, 10, tzinfo=UTC)
    event(agency, now, announced_at=now - dt.timedelta(days=9))
    hours_of(agency, sky, now - dt.timedelta(days=2), [1.0] * 24)
    CensusArea.objects.create(
        agency=agency,
        geometry=rectangle(0, 0, SIDE_M, SIDE_M),
        population=9,
        valid_from="2020-01-01",
        source="x",
    )
    assert surroundings_known(agency, epsg=EPSG, before=now).surroundings is not None
    assert surroundings_known(other, epsg=EPSG, before=now).surroundings is None
    assert census_columns(agency, grid_build(agency=agency), as_of=now)
    assert census_columns(other, grid_build(agency=other), as_of=now) == {}


def test_a_training_tells_at_most_so_many_kinds_of_events_apart(agency):
    starts = dt.datetime(2024, 5, 10, tzinfo=UTC)
    for number, kind in enumerate(["game", "game", "market", "market", "talk"]):
        event(
            agency, starts + dt.timedelta(days=number), kind=kind, announced_at=starts - dt.timedelta(days=9)
        )
    found = happenings(agency, epsg=EPSG, before=starts, kinds_at_most=2)
    assert (found.kinds, len(found)) == (("game", "market"), 4)


def test_hours_become_the_agencys_days_each_as_it_was_known_after_every_issue(agency, sky):
    midnight = dt.datetime(2024, 5, 10, 5, tzinfo=UTC)
    issued = midnight - dt.timedelta(hours=12)
    hours_of(agency, sky, midnight, [0.5] * 24, issued_at=issued, is_forecast=True)
    hours_of(agency, sky, midnight, [2.0] * 6)
    before = weather(agency, before=midnight)
    assert before.valid_from_utc.tolist() == [midnight.replace(tzinfo=None)]
    assert before.rain_mm.tolist() == [12.0]
    assert before.temperature_c.tolist() == [pytest.approx(21.5)]
    later = weather(agency, before=midnight + dt.timedelta(hours=7))
    assert later.rain_mm.tolist()[0] == 12.0
    assert later.rain_mm.tolist()[-1] == 6 * 2.0 + 18 * 0.5, "six hours as measured, the rest as foreseen"
    assert len(weather(agency, before=issued)) == 0


def test_too_few_hours_are_no_day_and_a_whole_day_is_passed_on(agency, sky):
    midnight = dt.datetime(2024, 5, 10, 5, tzinfo=UTC)
    hours_of(agency, sky, midnight, [1.0] * 17)
    assert len(weather(agency, before=midnight + dt.timedelta(days=2))) == 0
    day = midnight + dt.timedelta(days=1)
    WeatherHour.objects.create(
        agency=agency,
        feed=sky,
        valid_at=day,
        length_hours=24,
        issued_at=day + dt.timedelta(days=1),
        snow_cm=3.0,
    )
    found = weather(agency, before=day + dt.timedelta(days=2))
    assert found.snow_mm.tolist() == [30.0]
    assert np.isnan(found.rain_mm).all()


def test_the_newest_census_that_was_published_is_used_and_people_are_conserved(agency):
    grid = grid_build(agency=agency)
    for year, people in ((2010, 1_000.0), (2020, 4_000.0)):
        CensusArea.objects.create(
            agency=agency,
            geometry=rectangle(500, 500, 3_500, 3_500),
            population=people,
            valid_from=dt.date(year, 6, 1),
            source="x",
        )

    def total(year: int) -> float:
        found = census_columns(agency, grid, as_of=dt.datetime(year, 7, 1, tzinfo=UTC))
        assert set(found) <= {"census_people"}, "nobody counted empty homes"
        return float(np.expm1(found["census_people"].astype(float)).sum()) if found else 0.0

    assert total(2009) == 0.0
    assert total(2012) == pytest.approx(1_000.0, rel=0.01)
    assert total(2024) == pytest.approx(4_000.0, rel=0.01)


def test_people_are_columns_of_the_context_and_missing_ones_are_unknown(agency):
    grid = grid_build(agency=agency)
    now = dt.datetime(2024, 5, 10, tzinfo=UTC)
    without = context_block(grid, as_of=now)
    assert without.names == ()
    CensusArea.objects.create(
        agency=agency,
        geometry=rectangle(0, 0, SIDE_M, SIDE_M),
        population=900,
        vacant_units=30,
        valid_from="2020-01-01",
        source="x",
    )
    block = context_block(grid, as_of=now)
    assert block.names == ("census_people", "census_vacant_units")
    assert block.labels["census_people"] == "People living here"
    assert block.digest != without.digest
    CensusArea.objects.all().delete()
    gone = context_block(grid, as_of=now, names=block.names)
    assert np.isnan(gone.values).all()


def train_and_forecast(agency: Agency):
    grid_build(agency=agency)
    training = training_run_execute(run=training_run_queue(agency=agency, seed=11))
    shift = Shift.objects.get(agency=agency, slug="evening")
    on = (timezone.now() + dt.timedelta(days=1)).date()
    run = forecast_run(run=forecast_run_queue(agency=agency, shift=shift, on=on))
    return training, run


def surfaces(run) -> dict[str, np.ndarray]:
    return {crime_type.slug: values for crime_type, values in expected_by_type(run).items()}


@pytest.mark.slow
def test_a_city_with_games_weather_and_people_learns_from_them_and_one_without_is_as_before(db):
    plain = make_agency("plainville", cell_size_m=CELL_SIZE_M)
    make_incidents(plain)
    rich = make_agency("riverton", cell_size_m=CELL_SIZE_M)
    make_incidents(rich)
    lon, lat = degrees(*HOT_M)
    end = last_midnight()
    sky = Feed.objects.create(agency=rich, name="Sky", slug="sky", record_kind="weather", kind="weather_csv")
    for day in range(DAYS + 2):
        start = end - dt.timedelta(days=day - 2)
        if day % 3 == 0:
            event(rich, start.replace(hour=23), announced_at=start - dt.timedelta(days=40), lon=lon, lat=lat)
        WeatherHour.objects.create(
            agency=rich, feed=sky, valid_at=start.replace(hour=5), length_hours=24, precipitation_mm=float(day % 4),
            issued_at=start - dt.timedelta(hours=20), temperature_c=10.0 + day % 7, is_forecast=True,
        )  # fmt: skip
    half = SIDE_M / 2
    for number, people in enumerate((5_000.0, 200.0)):
        CensusArea.objects.create(
            agency=rich,
            geometry=rectangle(half * number, 0, half * (number + 1), SIDE_M),
            population=people,
            valid_from="2020-01-01",
            source="x",
        )
    plain_training, plain_run = train_and_forecast(plain)
    rich_training, rich_run = train_and_forecast(rich)
    assert "surroundings" not in plain_training.config_snapshot
    assert "surroundings" not in plain_run.config_snapshot
    told = rich_training.config_snapshot
    assert told["surroundings"]["kinds"] == ["home_game"]
    assert told["context"]["columns"] == ["census_people"]
    assert rich_run.config_snapshot["surroundings"]["events"] >= 20
    for version in ModelVersion.objects.live().filter(agency=rich):
        names = model_artefact(version).trained.model.shape.names
        assert names.level[0] == "event:home_game"
        assert "weather:warmth" in names.level
    for version in ModelVersion.objects.live().filter(agency=plain):
        assert model_artefact(version).trained.model.shape.names == NOTHING

    # A second run of the same city, and the explanation of it, see the same.
    shift = Shift.objects.get(agency=rich, slug="evening")
    again = forecast_run(run=forecast_run_queue(agency=rich, shift=shift, on=rich_run.on))
    for slug, values in surfaces(rich_run).items():
        assert np.isfinite(values).all()
        assert np.allclose(values, surfaces(again)[slug])
    crime_type = next(iter(expected_by_type(rich_run)))
    (told_why,) = why_here(rich_run, [0], crime_type)
    assert told_why["sentences"]

    # Events and weather that vanish are nothing on, not an error, and the fingerprint of the data tells.
    ScheduledEvent.objects.all().delete()
    WeatherHour.objects.all().delete()
    bare = forecast_run(run=forecast_run_queue(agency=rich, shift=shift, on=rich_run.on))
    assert bare.data_hash != rich_run.data_hash
    assert all(np.isfinite(values).all() for values in surfaces(bare).values())
