"""The risk map's answers: the picture lies where the cells lie, files hold the surface, unchanged things answer 304."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from agencies.models import Agency, Beat, User
from forecasting.engine.grid import GridSpec
from forecasting.models import ForecastRun, ModelVersion
from forecasting.overlay import class_limits, legend_rows, mercator_frame, overlay_png
from forecasting.selectors import expected_by_type, grid_spec, harm
from ingestion.models import ContextLayer
from missions_project.lib.runs import RunStatus
from tests.factories import degrees, rectangle
from tests.forecasting.scenes import HOT_M, Scene

SignIn = Callable[[User | None], Client]


def url(scene: Scene, name: str, slug: str = "burglary") -> str:
    return reverse(f"forecasting:{name}", args=[scene.agency.slug, scene.run.pk, slug])


def streamed(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def pixel_of(spec: GridSpec, lon: float, lat: float) -> tuple[int, int]:
    """Where Leaflet shows this place in a picture with these bounds: linear in longitude and in Mercator's y."""
    frame = mercator_frame(spec)
    height, width = frame.cell.shape
    y = lambda degree: math.log(math.tan(math.pi / 4 + math.radians(degree) / 2))  # noqa: E731 - the textbook formula
    row = (y(frame.north) - y(lat)) / (y(frame.north) - y(frame.south)) * height
    return int(row), int((lon - frame.west) / (frame.east - frame.west) * width)


def test_a_hot_cell_lies_under_the_brightest_pixel_of_the_picture(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    response = sign_in(analyst).get(url(scene, "risk_png"))
    image = Image.open(io.BytesIO(response.content))
    assert response["Content-Type"] == "image/png"
    row, column = pixel_of(grid_spec(scene.grid), *degrees(*HOT_M))
    values = expected_by_type(scene.run)[scene.crime_type()]
    assert image.getpixel((column, row)) == len(class_limits(values))
    assert image.convert("RGBA").getpixel((column, row))[3] > 200


def test_every_cell_centre_lies_on_its_own_pixel_and_zero_is_clear() -> None:
    spec = GridSpec(32616, 440_000.0, 4_630_000.0, 150.0, 90, 60, np.arange(0, 5400, 3))
    frame = mercator_frame(spec)
    lon, lat = spec.centres_lonlat()
    for position in range(0, len(spec), 37):
        assert frame.cell[pixel_of(spec, lon[position], lat[position])] == position
    values = np.zeros(len(spec))
    values[[5, 900]] = [0.2, 0.4]
    image = Image.open(io.BytesIO(overlay_png(spec, values))).convert("RGBA")
    alpha = np.asarray(image)[:, :, 3]
    assert set(np.unique(frame.cell[alpha > 0])) == {5, 900}
    assert len(legend_rows(values)) == len(class_limits(values)) == 2
    assert legend_rows(np.zeros(3)) == []


@pytest.mark.parametrize(
    "name",
    [
        "risk_png",
        "layer_boundary",
        "layer_beats",
        "layer_districts",
        "layer_context",
        "layer_incidents",
        "svg",
    ],
)
def test_what_has_not_changed_answers_304(scene: Scene, analyst: User, sign_in: SignIn, name: str) -> None:
    address = {
        "risk_png": url(scene, "risk_png"),
        "svg": reverse("forecasting:model_svg", args=[scene.agency.slug, "burglary", 1]),
        "layer_context": reverse("forecasting:layer_context", args=[scene.agency.slug, "bars"]),
        "layer_incidents": reverse("forecasting:layer_incidents", args=[scene.agency.slug])
        + f"?run={scene.run.pk}",
    }.get(name) or reverse(f"forecasting:{name}", args=[scene.agency.slug])
    client = sign_in(analyst)
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert "private" in first["Cache-Control"]


def test_a_redrawn_beat_and_a_new_weight_change_the_tags(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    beats = reverse("forecasting:layer_beats", args=[scene.agency.slug])
    before = [client.get(address)["ETag"] for address in (beats, url(scene, "risk_png", "harm"))]
    Beat.objects.filter(agency=scene.agency, code="11").update(geometry=rectangle(0, 0, 900, 900))
    scene.agency.crimetype_set.filter(slug="robbery").update(weight=7)
    after = [client.get(address)["ETag"] for address in (beats, url(scene, "risk_png", "harm"))]
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_the_csv_holds_the_surface_and_says_what_it_is(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    Agency.objects.filter(pk=scene.agency.pk).update(name="=cmd|' /C calc'!A0")
    Beat.objects.filter(agency=scene.agency, code="22").update(code="=1+1")
    text = streamed(sign_in(analyst).get(url(scene, "risk_csv")))
    comments = [line for line in text.splitlines() if line.startswith("#")]
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert [int(row["cell_id"]) for row in rows] == grid_spec(scene.grid).cells.tolist()
    stored = expected_by_type(scene.run)[scene.crime_type()]
    np.testing.assert_allclose([float(row["expected"]) for row in rows], stored, rtol=1e-5)
    said = "\n".join(comments)
    for words in (
        "Evening",
        "America/Chicago",
        str(scene.version()),
        "Generated at",
        scene.run.data_hash,
        "'=cmd",
    ):
        assert words in said
    assert not any(value.startswith("=") for row in rows for value in row.values())
    assert "'=1+1" in {row["beat"] for row in rows}


def test_the_harm_csv_holds_every_type_beside_it(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    text = streamed(sign_in(analyst).get(url(scene, "risk_csv", "harm")))
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    np.testing.assert_allclose([float(row["harm"]) for row in rows], harm(scene.run), rtol=1e-5)
    assert {"expected_robbery", "expected_burglary", "expected_motor-vehicle-theft"} <= set(rows[0])


def test_the_geojson_holds_the_cells_where_they_lie(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    data = json.loads(streamed(sign_in(analyst).get(url(scene, "risk_geojson"))))
    spec = grid_spec(scene.grid)
    assert len(data["features"]) == len(spec)
    assert data["metadata"]["model"] == str(scene.version())
    lon, lat = spec.centres_lonlat()
    for position in (0, 60, len(spec) - 1):
        feature = data["features"][position]
        ring = np.array(feature["geometry"]["coordinates"][0])
        np.testing.assert_allclose(ring[:4].mean(axis=0), [lon[position], lat[position]], atol=2e-6)
        assert feature["id"] == spec.cells[position]


def test_top_cells_come_highest_first_with_their_squares(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    data = sign_in(analyst).get(url(scene, "risk_top")).json()
    values = [feature["properties"]["value"] for feature in data["features"]]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(float(expected_by_type(scene.run)[scene.crime_type()].max()))


def test_a_click_tells_counts_and_reasons_and_outside_says_so(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    lon, lat = degrees(*HOT_M)
    page = client.get(url(scene, "risk_cell"), {"lon": lon, "lat": lat}).content.decode()
    assert "rank 1 of" in page
    assert "Why here: Burglary" in page
    assert "Robbery" in page
    assert "a year here" in page
    assert "the factors multiply" in page
    assert "outside the grid" in client.get(url(scene, "risk_cell"), {"lon": 0, "lat": 0}).content.decode()
    for bad in ({}, {"lon": "x", "lat": "1"}, {"cell": "x"}, {"cell": "9" * 30}):
        assert client.get(url(scene, "risk_cell"), bad).status_code == 404


def test_the_page_shows_the_newest_forecast_where_the_current_shift_has_none(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    page = sign_in(analyst).get(reverse("forecasting:risk", args=[scene.agency.slug]))
    assert page.context["run"] == scene.run
    assert page.context["slug"] == "harm"
    assert "Top cells" in page.content.decode()


def test_an_unforecast_shift_says_why_and_offers_to_forecast(
    scene: Scene, analyst: User, sign_in: SignIn, django_capture_on_commit_callbacks: Any
) -> None:
    client = sign_in(analyst)
    day = scene.run.on + dt.timedelta(days=1)
    address = reverse("forecasting:risk", args=[scene.agency.slug])
    page = client.get(address, {"shift": "night", "date": day.isoformat()}).content.decode()
    assert "has not been forecast yet" in page
    assert "Forecast this shift" in page
    with django_capture_on_commit_callbacks(execute=True):
        client.post(
            reverse("forecasting:risk_forecast", args=[scene.agency.slug]),
            {"shift": "night", "date": day.isoformat()},
        )
    assert "Top cells" in client.get(address, {"shift": "night", "date": day.isoformat()}).content.decode()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        ("failed", "The last try failed: no disk"),
        ("queued", "being made"),
        ("untrained", "No model has been trained"),
    ],
)
def test_an_empty_map_says_why(
    scene: Scene, analyst: User, sign_in: SignIn, prepare: str, words: str
) -> None:
    if prepare == "untrained":
        ForecastRun.objects.all().delete()
        ModelVersion.objects.all().delete()
    else:
        ForecastRun.objects.filter(pk=scene.run.pk).update(status=prepare, error="no disk")
    page = sign_in(analyst).get(
        reverse("forecasting:risk", args=[scene.agency.slug]),
        {"shift": "evening", "date": scene.run.on.isoformat()},
    )
    assert words in page.content.decode()


def test_the_page_of_a_shift_that_does_not_exist_or_a_bad_date_is_no_error(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    address = reverse("forecasting:risk", args=[scene.agency.slug])
    assert client.get(address, {"shift": "nope"}).status_code == 200
    assert client.get(address, {"date": "2026-13-45"}).status_code == 404
    assert client.get(address, {"type": "nope"}).status_code == 404


def test_incidents_of_28_days_before_the_forecast_are_points_of_that_type(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    address = reverse("forecasting:layer_incidents", args=[scene.agency.slug])
    data = client.get(address, {"run": scene.run.pk, "type": "burglary"}).json()
    since = scene.run.as_of - dt.timedelta(days=28)
    rows = scene.agency.incident_set.filter(
        crime_type__slug="burglary", occurred_from__gte=since, occurred_from__lt=scene.run.as_of
    )
    assert len(data["features"]) == rows.count() > 0
    assert {feature["properties"]["type"] for feature in data["features"]} == {"burglary"}


def test_the_model_card_says_plainly_what_is_live(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    client = sign_in(analyst)
    address = reverse("forecasting:model", args=[scene.agency.slug, "burglary"])
    ModelVersion.objects.filter(pk=scene.version().pk).update(beats_baseline=False, is_baseline=True)
    page = client.get(address).content.decode()
    assert "Nothing beats the baseline: the baseline is" in page
    assert scene.version().artefact_hash in page
    ModelVersion.objects.filter(pk=scene.version().pk).update(beats_baseline=True)
    assert "it beat the best plain count" in client.get(address).content.decode()
    chart = client.get(reverse("forecasting:model_svg", args=[scene.agency.slug, "burglary", 1]))
    assert chart.content.startswith(b"<?xml")
    assert client.get(f"{address}?v=99").status_code == 404


@pytest.mark.parametrize(
    ("name", "at_most"), [("risk", 24), ("risk_png", 8), ("layer_index", 8), ("layer_beats", 6)]
)
def test_pages_cost_few_queries(
    scene: Scene, analyst: User, sign_in: SignIn, django_assert_max_num_queries: Any, name: str, at_most: int
) -> None:
    client = sign_in(analyst)
    address = (
        url(scene, name) if name == "risk_png" else reverse(f"forecasting:{name}", args=[scene.agency.slug])
    )
    with django_assert_max_num_queries(at_most):
        assert client.get(address).status_code == 200


def test_a_failed_run_is_not_shown_as_a_forecast(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    ForecastRun.objects.filter(pk=scene.run.pk).update(status=RunStatus.FAILED)
    assert sign_in(analyst).get(url(scene, "risk_png")).status_code == 404


def test_the_sensors_reach_is_a_layer_that_starts_switched_on(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    ContextLayer.objects.create(
        agency=scene.agency,
        name="Gunfire sensors",
        slug="sensors",
        kind=ContextLayer.Kind.COVERAGE,
        geojson={"type": "FeatureCollection", "features": []},
    )
    client = sign_in(analyst)
    rows = client.get(reverse("forecasting:layer_index", args=[scene.agency.slug])).json()["layers"]
    (row,) = [row for row in rows if row["kind"] == "coverage"]
    assert row["on"]
    assert client.get(row["url"]).status_code == 200
