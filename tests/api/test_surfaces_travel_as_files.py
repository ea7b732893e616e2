"""A forecast's surfaces as GeoJSON, Cloud-Optimised GeoTIFF and NumPy: the same numbers in the same places."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from django.contrib.gis.gdal import GDALRaster
from django.http import HttpResponse

from agencies.models import Agency, CrimeType
from forecasting.risk_page import Surface, surface_or_404
from tests.api.scenes import ApiScene, make_api_scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> ApiScene:
    return make_api_scene()


def file(scene: ApiScene, name: str, **headers: str) -> HttpResponse:
    return scene.get("read key", f"forecasts/{scene.scene.run.pk}/surfaces/{name}", **headers)


def surface(scene: ApiScene, slug: str) -> Surface:
    return surface_or_404(scene.agency, scene.scene.run.pk, slug)


@pytest.mark.parametrize("slug", ["harm", "robbery"])
def test_the_geotiff_holds_each_cell_where_it_lies(scene: ApiScene, slug: str, tmp_path: Path) -> None:
    answer = file(scene, f"{slug}.tif")
    assert answer["Content-Type"] == "image/tiff"
    (tmp_path / "surface.tif").write_bytes(answer.content)
    raster = GDALRaster(str(tmp_path / "surface.tif"))
    expected = surface(scene, slug)
    spec = expected.spec
    assert (raster.width, raster.height, raster.srid) == (spec.n_cols, spec.n_rows, spec.epsg)
    assert (raster.scale.x, raster.scale.y) == (spec.cell_size_m, -spec.cell_size_m)
    assert (raster.origin.x, raster.origin.y) == (spec.x0_m, spec.y0_m + spec.n_rows * spec.cell_size_m)
    data = raster.bands[0].data()
    assert data.dtype == np.float32
    x_m, y_m = spec.centres()
    rows = ((raster.origin.y - y_m) / spec.cell_size_m).astype(int)
    cols = ((x_m - raster.origin.x) / spec.cell_size_m).astype(int)
    assert np.array_equal(data[rows, cols], expected.values.astype(np.float32))
    assert np.isnan(data).sum() == data.size - len(spec)
    assert raster.metadata["DEFAULT"]["data_hash"] == scene.scene.run.data_hash


def test_the_geotiff_is_cloud_optimised(scene: ApiScene) -> None:
    """GDAL's own mark for a file that can be read from afar in pieces: tiles, and the index before the pixels."""
    data = file(scene, "harm.tif").content
    assert b"LAYOUT=IFDS_BEFORE_DATA" in data[:400]
    (first,) = struct.unpack("<I", data[4:8])
    entries = struct.unpack("<H", data[first : first + 2])[0]
    tags = {struct.unpack("<H", data[first + 2 + 12 * n : first + 4 + 12 * n])[0] for n in range(entries)}
    assert {322, 323, 324, 325} <= tags, "tile width, length, offsets and byte counts"


def test_the_numpy_table_needs_no_pickle_and_knows_its_cells(scene: ApiScene) -> None:
    table = np.load(io.BytesIO(file(scene, "robbery.npy").content), allow_pickle=False)
    expected = surface(scene, "robbery")
    assert np.array_equal(table["value"], expected.values.astype(np.float32))
    assert np.array_equal(table["cell_id"], expected.spec.cells)
    assert np.array_equal(table["x_m"], expected.spec.centres()[0])
    assert np.allclose(table["lon"], expected.spec.centres_lonlat()[0])


@pytest.mark.parametrize("slug", ["harm", "robbery"])
def test_the_numpy_answer_says_beside_the_table_what_the_geotiff_says_in_itself(
    scene: ApiScene, slug: str, tmp_path: Path
) -> None:
    Agency.objects.filter(pk=scene.agency.pk).update(name="Ribera del Río,\r\nX-Evil: 1")
    answer = file(scene, f"{slug}.npy")
    assert answer["X-Missions-Facts"].isascii()
    assert "X-Evil" not in answer
    told = json.loads(answer["X-Missions-Facts"])
    assert told["agency"] == "Ribera del Río,\r\nX-Evil: 1"
    (tmp_path / "surface.tif").write_bytes(file(scene, f"{slug}.tif").content)
    written = GDALRaster(str(tmp_path / "surface.tif")).metadata["DEFAULT"]
    for name in ("surface", "shift", "time_zone", "model", "data_hash"):
        assert told[name] == written[name], name
    assert told["generated_at"]


def test_the_geojson_has_a_square_for_each_cell(scene: ApiScene) -> None:
    answer = file(scene, "harm.geojson")
    assert answer["Content-Type"] == "application/geo+json"
    told = json.loads(b"".join(answer.streaming_content))
    expected = surface(scene, "harm")
    assert [feature["id"] for feature in told["features"]] == expected.spec.cells.tolist()
    values = [feature["properties"]["harm"] for feature in told["features"]]
    assert np.allclose(values, expected.values, rtol=1e-5)


@pytest.mark.parametrize("ending", ["tif", "npy", "geojson"])
def test_a_surface_that_is_there_already_is_304_until_its_weights_change(
    scene: ApiScene, ending: str
) -> None:
    first = file(scene, f"harm.{ending}")
    assert file(scene, f"harm.{ending}", **{"if-none-match": first["ETag"]}).status_code == 304
    CrimeType.objects.filter(slug="robbery").update(weight=9)
    assert file(scene, f"harm.{ending}", **{"if-none-match": first["ETag"]}).status_code == 200
    assert file(scene, f"homicide.{ending}").status_code == 404


def test_the_highest_cells_come_first_and_can_be_a_beats(scene: ApiScene) -> None:
    told = scene.get("read key", f"forecasts/{scene.scene.run.pk}/cells/?top=7").json()
    expected = surface(scene, "harm")
    assert [row["cell_id"] for row in told["results"]] == expected.spec.cells[expected.order()[:7]].tolist()
    assert [row["rank"] for row in told["results"]] == list(range(1, 8))
    assert told["total"] == pytest.approx(expected.values.sum(), rel=1e-5)
    of_beat = scene.get(
        "read key", f"forecasts/{scene.scene.run.pk}/cells/?top=500&beat=11&surface=robbery"
    ).json()
    assert {row["beat"] for row in of_beat["results"]} == {"11"}
    assert len(of_beat["results"]) > 30
    ring = of_beat["results"][0]["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert len(ring) == 5


def test_only_the_newest_forecast_of_a_shift_is_listed(scene: ApiScene) -> None:
    from tests.patrols.scenes import make_forecast

    newer = make_forecast(scene.agency, scene.scene.grid, scene.scene.shift, scene.plan.on)
    listed = scene.get("read key", "forecasts/").json()["results"]
    assert [row["id"] for row in listed] == [newer.pk]
    assert [row["crime_type"] for row in listed[0]["surfaces"]] == [
        "robbery",
        "burglary",
        "motor-vehicle-theft",
    ]
    # The older one is still there for the plan that was drawn from it.
    assert scene.get("read key", f"forecasts/{scene.scene.run.pk}/").json()["cells"] == len(scene.scene.spec)
