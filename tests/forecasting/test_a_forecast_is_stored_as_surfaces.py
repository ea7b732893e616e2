"""Forecasts: surfaces that decode to what was computed, harm with priorities, and no peeking past the instant of issue."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from agencies.models import CrimeType, District, DistrictPriority, Shift
from forecasting import codec
from forecasting.artefacts import artefact_load, artefacts_forget
from forecasting.engine.grid import project
from forecasting.models import ForecastRun, Grid, RiskSurface
from forecasting.selectors import (
    cell_beats,
    context_block,
    expected_by_type,
    grid_spec,
    harm,
    latest_forecast,
    next_shift_instance,
    surface_values,
    why_here,
    why_here_many,
)
from forecasting.selectors.context import amounts_near
from forecasting.services import forecast_run, forecast_run_queue
from ingestion.models import ContextLayer, Incident
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunNotClaimed, RunStatus
from tests.factories import degrees
from tests.forecasting.scenes import HOT_M, Scene


def hot_position(scene: Scene) -> int:
    spec = grid_spec(scene.grid)
    lon, lat = degrees(*HOT_M)
    return int(spec.locate(*project([lon], [lat], spec.epsg))[0])


@given(st.lists(st.floats(0, 1e6, width=32), max_size=60))
def test_a_surface_comes_back_bit_for_bit(values: list[float]) -> None:
    vector = np.array(values, dtype="<f4")
    assert (codec.surface_decode(codec.surface_encode(vector), len(vector)) == vector).all()


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_surface_with_an_impossible_count_is_not_stored(bad: float) -> None:
    with pytest.raises(ValueError, match="negative or not a number"):
        codec.surface_encode(np.array([1.0, bad]))


def test_every_type_has_a_surface_over_the_whole_grid(scene: Scene) -> None:
    expected = expected_by_type(scene.run)
    assert [row.slug for row in expected] == ["robbery", "burglary", "motor-vehicle-theft"]
    for crime_type, values in expected.items():
        surface = RiskSurface.objects.get(run=scene.run, crime_type=crime_type)
        assert values.shape == (scene.grid.n_cells,)
        assert values.dtype == np.float32
        assert float(values.sum(dtype=np.float64)) == pytest.approx(surface.expected_total)
        assert 0.02 < surface.expected_total < 1


def test_the_hot_place_is_the_highest_cell(scene: Scene) -> None:
    assert int(harm(scene.run).argmax()) == hot_position(scene)


def test_harm_is_weight_times_count_and_a_district_priority_changes_it_there_only(scene: Scene) -> None:
    expected = expected_by_type(scene.run)
    plain = sum(row.weight * values.astype(np.float64) for row, values in expected.items())
    np.testing.assert_allclose(harm(scene.run), plain)
    north = District.objects.get(agency=scene.agency, code="N")
    robbery = scene.crime_type("robbery")
    DistrictPriority.objects.create(agency=scene.agency, district=north, crime_type=robbery, multiplier=3)
    inside = np.isin(cell_beats(scene.grid), list(north.beat_set.values_list("pk", flat=True)))
    raised = plain + 2 * robbery.weight * expected[robbery] * inside
    np.testing.assert_allclose(harm(scene.run), raised)
    assert 0 < inside.sum() < len(inside)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"grid_hash": "other"}, "another grid"),
        ({"codec": 9}, "codec 9"),
        ({"dtype": "<f8"}, "<f8"),
        ({"values": b"not a surface"}, "damaged"),
    ],
)
def test_a_surface_that_cannot_be_read_says_so_and_what_to_do(
    scene: Scene, change: dict[str, object], words: str
) -> None:
    surface = RiskSurface.objects.filter(run=scene.run).first()
    assert surface is not None
    for name, value in change.items():
        setattr(surface, name, value)
    with pytest.raises(MissionsError, match=f"{words}.*Next step: forecast"):
        surface_values(surface, scene.grid)


def test_incidents_reported_after_the_issue_do_not_change_a_forecast(scene: Scene) -> None:
    yesterday = (timezone.now() - dt.timedelta(days=3)).date()
    before = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=yesterday))
    feed = Incident.objects.filter(agency=scene.agency)[0].feed
    lon, lat = degrees(3_000, 500)
    late = [
        # Occurred before the shift, reported after it began: an honest forecast could not know.
        Incident(
            agency=scene.agency, feed=feed, external_id=f"late{k}", occurred_from=before.period_from - dt.timedelta(hours=k + 1),
            occurred_to=before.period_from - dt.timedelta(hours=k + 1), reported_at=before.period_from + dt.timedelta(hours=1),
            lon=lon, lat=lat, content_hash=k, crime_type=scene.crime_type(),
        )
        for k in range(30)
    ]  # fmt: skip
    Incident.objects.bulk_create(late)
    again = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=yesterday))
    assert before.as_of == again.as_of == again.period_from
    for crime_type, values in expected_by_type(before).items():
        np.testing.assert_array_equal(values, expected_by_type(again)[crime_type])
    Incident.objects.filter(external_id__startswith="late").update(
        reported_at=before.period_from - dt.timedelta(minutes=1)
    )
    known = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=yesterday))
    assert (expected_by_type(known)[scene.crime_type()] != expected_by_type(before)[scene.crime_type()]).any()


def test_a_forecast_of_a_shift_ahead_is_issued_now(scene: Scene) -> None:
    assert scene.run.as_of <= timezone.now() < scene.run.period_from


def test_the_latest_finished_forecast_counts(scene: Scene) -> None:
    newer = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on))
    ForecastRun.objects.create(
        agency=scene.agency, shift=scene.shift, on=scene.run.on, period_from=newer.period_from,
        period_to=newer.period_to, as_of=newer.as_of, status=RunStatus.FAILED,
    )  # fmt: skip
    assert latest_forecast(scene.agency, scene.shift, scene.run.on) == newer
    assert latest_forecast(scene.agency, scene.shift, scene.run.on + dt.timedelta(days=9)) is None


def test_a_run_is_done_once(scene: Scene) -> None:
    with pytest.raises(RunNotClaimed):
        forecast_run(run=scene.run)


def test_a_type_added_since_the_training_is_left_out_and_named(scene: Scene) -> None:
    CrimeType.objects.create(
        agency=scene.agency, name="Homicide", slug="homicide", nibrs_code="09A", weight=9, letter="H"
    )
    run = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on))
    assert len(expected_by_type(run)) == 3
    assert "Homicide has no model yet" in run.log


@pytest.mark.parametrize("change", ["shift", "grid", "type"])
def test_what_was_changed_since_the_training_asks_for_training(scene: Scene, change: str) -> None:
    if change == "shift":
        Shift.objects.filter(agency=scene.agency, slug="day").update(duration_minutes=300)
    if change == "grid":
        Grid.objects.filter(agency=scene.agency).update(is_active=False)
        Grid.objects.create(
            agency=scene.agency,
            spec=scene.grid.spec,
            hash="other",
            epsg=scene.grid.epsg,
            cell_size_m=400,
            n_cells=scene.grid.n_cells,
        )
    if change == "type":
        CrimeType.objects.filter(agency=scene.agency, slug="robbery").update(is_active=False)
    run = forecast_run_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on)
    with pytest.raises(MissionsError, match="Train now"):
        forecast_run(run=run)


def test_why_here_gives_plain_data_that_agrees_with_the_forecast(scene: Scene) -> None:
    position, burglary = hot_position(scene), scene.crime_type()
    (row,) = why_here(scene.run, [position], burglary)
    values = expected_by_type(scene.run)[burglary]
    assert row["expected"] == pytest.approx(float(values[position]))
    assert row["times_typical"] == pytest.approx(float(values[position] / np.sort(values)[len(values) // 2]))
    assert row["rank"] == 1
    assert row["cell_id"] == int(grid_spec(scene.grid).cells[position])
    assert any("rank 1 of" in sentence for sentence in row["sentences"])
    assert 1 <= len(row["clauses"]) <= 3
    assert 0 < len(row["headline"]) <= 110
    many = why_here_many(scene.run, {burglary: [position, 0], scene.crime_type("robbery"): []})
    assert many[burglary][position]["sentences"] == row["sentences"]
    assert set(many[burglary]) == {position, 0}


def test_the_factors_on_the_page_multiply_to_the_times_that_it_tells(scene: Scene) -> None:
    burglary, robbery = scene.crime_type(), scene.crime_type("robbery")
    places = range(scene.grid.n_cells)
    for rows in why_here_many(scene.run, {burglary: places, robbery: places}).values():
        for row in rows.values():
            shown = sum(bar["value"] for bar in row["bars"])
            # Two things under 0.5 % may be left out: the parts too small to show, and rounding since the forecast.
            assert shown == pytest.approx(math.log(row["times_typical"]), abs=0.011)
            assert sum(row["numbers"]["contributions"].values()) == pytest.approx(
                math.log(row["times_typical"]), abs=1e-3
            )


def test_incidents_corrected_since_the_forecast_are_named_as_a_factor(scene: Scene) -> None:
    position, burglary = hot_position(scene), scene.crime_type()
    Incident.objects.filter(agency=scene.agency, crime_type=burglary, pk__in=_first_half(burglary)).delete()
    ForecastRun.objects.filter(pk=scene.run.pk).update(data_hash="another")
    scene.run.refresh_from_db()
    (row,) = why_here(scene.run, [position], burglary)
    assert any(bar["label"] == "Incidents changed since the forecast" for bar in row["bars"])
    assert sum(bar["value"] for bar in row["bars"]) == pytest.approx(
        math.log(row["times_typical"]), abs=0.011
    )


def _first_half(crime_type: CrimeType) -> list[int]:
    found = list(Incident.objects.filter(crime_type=crime_type).order_by("pk").values_list("pk", flat=True))
    return found[: len(found) // 2]


def test_places_near_a_cell_are_counted_one_by_one(scene: Scene) -> None:
    ContextLayer.objects.create(
        agency=scene.agency, name="Tracks", slug="tracks",
        geojson={"type": "FeatureCollection", "features": [
            {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": [
                list(degrees(HOT_M[0] - 100, HOT_M[1])), list(degrees(HOT_M[0] + 100, HOT_M[1]))]}}]},
    )  # fmt: skip
    spec, position = grid_spec(scene.grid), hot_position(scene)
    block = context_block(scene.grid, as_of=scene.run.as_of)
    x, y = spec.centres()
    bars = [
        project([feature["geometry"]["coordinates"][0]], [feature["geometry"]["coordinates"][1]], spec.epsg)
        for feature in ContextLayer.objects.get(slug="bars").geojson["features"]
    ]
    everywhere = list(range(len(spec)))
    near = amounts_near(block, spec, everywhere, 0)
    for cell in everywhere:
        for row in near[cell]:
            if row.layer == "bars":
                distance = [math.hypot(float(bx[0]) - x[cell], float(by[0]) - y[cell]) for bx, by in bars]
                assert row.amount == sum(one <= row.radius_m for one in distance)
                assert row.unit == "places"
            else:
                column = block.names.index(f"tracks_{150 if row.radius_m < 400 else 400}m")
                assert row.amount == pytest.approx(math.expm1(block.values[cell, column]))  # type: ignore[index]
                assert row.unit == "km"
            assert row.reference_amount == next(
                one.amount for one in near[0] if (one.layer, one.radius_m) == (row.layer, row.radius_m)
            )
    assert max(row.amount for row in near[position] if row.layer == "bars") == 3


def test_places_not_yet_known_at_the_issue_are_not_seen(scene: Scene) -> None:
    ContextLayer.objects.filter(agency=scene.agency).update(
        valid_from=timezone.now().date() + dt.timedelta(days=30)
    )
    run = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on))
    (row,) = why_here(run, [hot_position(scene)], scene.crime_type())
    assert row["numbers"]["context"] == ()


def test_the_next_shift_starts_after_now(scene: Scene) -> None:
    now = dt.datetime(2026, 3, 14, 20, 0, tzinfo=dt.UTC)
    shift, on = next_shift_instance(scene.agency, now)
    assert (shift.slug, on) == ("evening", dt.date(2026, 3, 14))


def test_reading_a_forecast_costs_few_queries(scene: Scene, django_assert_num_queries: object) -> None:
    run = latest_forecast(scene.agency, scene.shift, scene.run.on)
    assert run is not None
    with django_assert_num_queries(1):  # type: ignore[operator]  # pytest-django's fixture is untyped here
        expected_by_type(run)
    with django_assert_num_queries(2):  # type: ignore[operator]
        harm(run)


def test_a_model_file_of_an_older_program_is_refused_with_the_next_step(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing_class(_: object) -> None:
        raise AttributeError("Can't get attribute 'Gone' on <module 'forecasting.engine.models'>")

    artefacts_forget()
    monkeypatch.setattr("forecasting.artefacts.joblib.load", missing_class)
    version = scene.version()
    with pytest.raises(MissionsError, match="another version of this program") as caught:
        artefact_load(name=version.artefact, sha256=version.artefact_hash)
    assert "rain" in caught.value.next_step
