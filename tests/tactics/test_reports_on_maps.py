"""Tables of reports that have a place leave as GeoJSON and GeoPackage, with what they are and whose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely
from django.core.cache import cache, caches
from django.test import Client
from django.urls import reverse

from agencies.models import Agency, Beat, User
from forecasting.models import ModelVersion
from forecasting.selectors import grid_spec
from forecasting.services import grid_build
from patrols.models import MissionPlan
from tactics.engine.trends import EmergingCells
from tactics.reports import trends_places
from tactics.reports.shapes import Column, Table
from tests.factories import make_agency, make_member, make_user
from tests.forecasting.scenes import CELL_SIZE_M, make_incidents
from tests.patrols.scenes import ON, Scene
from tests.patrols.test_dosage_page import plan as plan
from tests.patrols.test_dosage_page import scene as scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
QUERY = f"?from={ON}&to={ON}"


@pytest.fixture
def analyst(scene: Scene, plan: MissionPlan, sign_in: SignIn) -> Client:
    cache.clear()
    return sign_in(make_member(scene.agency, "analyst"))


def address(ending: str, kind: str, table: str, query: str = QUERY) -> str:
    return reverse(f"tactics:table_{ending}", args=["riverton", kind, table]) + query


def geojson(client: Client, kind: str, table: str, query: str = QUERY) -> dict[str, Any]:
    answer = client.get(address("geojson", kind, table, query))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/geo+json"
    found: dict[str, Any] = json.loads(b"".join(answer))
    return found


def geopackage(client: Client, path: Path, kind: str, table: str) -> geopandas.GeoDataFrame:
    answer = client.get(address("gpkg", kind, table))
    assert answer.status_code == 200
    assert f"riverton-{kind}-{table}-{ON}" in answer.headers["Content-Disposition"]
    path.write_bytes(b"".join(answer))
    return geopandas.read_file(path)


def test_cells_leave_as_squares_where_they_lie_with_units_in_their_attributes(
    scene: Scene, plan: MissionPlan, analyst: Client, tmp_path: Path
) -> None:
    found = geojson(analyst, "coverage", "cells")
    assert len(found["features"]) == len(scene.spec)
    by_cell = {int(one["properties"]["cell"]): one for one in found["features"]}
    mission = plan.missions.all()[0]
    own = by_cell[mission.cell_id]
    assert own["properties"]["recommended_minutes"] == mission.dose_minutes * len(mission.visit_starts)
    ring = scene.spec.rings_lonlat(scene.spec.index_of([mission.cell_id]))[0]
    corners = {tuple(point) for point in own["geometry"]["coordinates"][0]}
    for lon, lat in ring[:4].tolist():
        assert min(abs(lon - x) + abs(lat - y) for x, y in corners) < 3e-6
    frame = geopackage(analyst, tmp_path / "cells.gpkg", "coverage", "cells")
    assert len(frame) == len(scene.spec)
    assert frame.crs.to_epsg() == scene.spec.epsg
    assert frame.geometry.area.round(3).unique().tolist() == [scene.spec.cell_size_m**2]
    total = sum(one["properties"]["recommended_minutes"] for one in found["features"])
    assert frame["recommended_minutes"].sum() == pytest.approx(total)


def test_a_file_says_whose_it_is_what_was_asked_the_zone_the_model_and_when(
    scene: Scene, analyst: Client, tmp_path: Path
) -> None:
    versions = ModelVersion.objects.filter(agency=scene.agency).order_by("crime_type__name", "number")
    assert versions
    told = geojson(analyst, "coverage", "beats", QUERY + "&district=S")["metadata"]
    assert told["agency"] == "Riverton PD"
    assert "district S" in told["filters"]
    assert told["time_zone"] == "America/Chicago"
    assert told["generated_at"]
    assert told["model"] == "; ".join(map(str, versions))
    assert told["attributes"]["minutes_per_km2_min_per_km2"]["unit"] == "min/km²"
    geopackage(analyst, tmp_path / "beats.gpkg", "coverage", "beats")
    layer = pyogrio.read_info(tmp_path / "beats.gpkg")
    assert layer["layer_name"] == "beats"
    assert layer["layer_metadata"]["agency"] == "Riverton PD"
    assert layer["layer_metadata"]["time_zone"] == "America/Chicago"
    assert layer["layer_metadata"]["model"] == told["model"]


def test_a_name_that_a_spreadsheet_would_run_is_text_in_files_for_maps(
    scene: Scene, analyst: Client, tmp_path: Path
) -> None:
    for number, beat in enumerate(Beat.objects.filter(agency=scene.agency)):
        Beat.objects.filter(pk=beat.pk).update(code=f"=1+{number}")
    Agency.objects.filter(pk=scene.agency.pk).update(name="=1+1")
    found = geojson(analyst, "coverage", "beats")
    frame = geopackage(analyst, tmp_path / "beats.gpkg", "coverage", "beats")
    codes = {one["properties"]["beat"] for one in found["features"]}
    assert codes == set(frame["beat"])
    assert all(code.startswith("'=1+") for code in codes)
    # Its place is found by the name that it has.
    assert all(one["geometry"] for one in found["features"])
    assert found["metadata"]["agency"] == "'=1+1"


def test_an_emerging_cell_is_its_own_square_and_not_its_whole_beat(
    sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches["reports"].clear()
    agency = make_agency("trendville", cell_size_m=CELL_SIZE_M)
    make_incidents(agency)
    spec = grid_spec(grid_build(agency=agency))
    told = EmergingCells(
        cell=np.array([3, 0]), recent=np.array([9, 8]), expected=np.array([1.0, 1.0]),
        p=np.array([0.01, 0.02]), q=np.array([0.01, 0.02]),
    )  # fmt: skip
    monkeypatch.setattr(trends_places, "emerging_cells", lambda *_args, **_more: told)
    client = sign_in(make_member(agency, "analyst"))
    at = ["trendville", "crime-trends", "emerging"]
    found = json.loads(b"".join(client.get(reverse("tactics:table_geojson", args=at))))["features"]
    assert {int(one["properties"]["cell"]) for one in found} == {int(spec.cells[3]), int(spec.cells[0])}
    for one in found:
        lat, lon = (float(part) for part in one["properties"]["middle"].split(", "))
        square = shapely.from_geojson(json.dumps(one["geometry"]))
        assert square.geom_type == "Polygon"
        assert square.centroid.distance(shapely.Point(lon, lat)) < 3e-5
    beats = Beat.objects.filter(agency=agency).select_related("district")
    of_beat: dict[str | None, str | None] = {beat.code: beat.district.name or beat.district.code for beat in beats}  # fmt: skip
    found_in = [(one["properties"]["district"], one["properties"]["beat"]) for one in found]
    assert found_in == [(of_beat.get(beat), beat) for __, beat in found_in]
    assert any(district for district, __ in found_in)
    path = tmp_path / "emerging.gpkg"
    path.write_bytes(b"".join(client.get(reverse("tactics:table_gpkg", args=at))))
    frame = geopandas.read_file(path)
    assert frame.geometry.area.round(3).unique().tolist() == [CELL_SIZE_M**2]


def test_beats_and_districts_of_any_report_have_their_shapes(
    scene: Scene, analyst: Client, tmp_path: Path
) -> None:
    frame = geopackage(analyst, tmp_path / "beats.gpkg", "shifts", "beats")
    assert set(frame["beat"]) <= set(Beat.objects.filter(agency=scene.agency).values_list("code", flat=True))
    assert frame.geometry.notna().all()
    assert frame.crs.to_epsg() == 4326
    districts = geojson(analyst, "coverage", "districts")["features"]
    assert {one["properties"]["district"] for one in districts} == {"N", "S"}
    assert all(one["geometry"]["type"] == "MultiPolygon" for one in districts)


def test_a_place_that_is_gone_keeps_its_row_without_a_shape(scene: Scene, analyst: Client) -> None:
    analyst.get(reverse("tactics:report", args=["riverton", "shifts"]) + QUERY)
    Beat.objects.filter(agency=scene.agency, code="11").update(code="99")
    found = geojson(analyst, "shifts", "beats")["features"]
    gone = [one for one in found if one["properties"]["beat"] == "11"]
    assert [one["geometry"] for one in gone] == [None]


def test_a_table_without_a_place_has_no_map(analyst: Client) -> None:
    assert analyst.get(address("geojson", "coverage", "weeks")).status_code == 404
    assert analyst.get(address("gpkg", "coverage", "nothing")).status_code == 404
    assert Table("a", "A", (Column("beat", "Beat"), Column("cell", "Cell")), []).place == "cell"
    page = analyst.get(reverse("tactics:report", args=["riverton", "coverage"]) + QUERY).content.decode()
    assert "coverage/cells.gpkg" in page
    assert "coverage/weeks.gpkg" not in page


def test_files_for_maps_are_for_those_who_may_export_and_strangers_find_nothing(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    caches["reports"].clear()
    for ending in ("geojson", "gpkg"):
        here = address(ending, "coverage", "cells")
        assert sign_in(make_user()).get(here).status_code == 404
        assert sign_in(make_member(scene.agency, "supervisor")).get(here).status_code == 403
        assert sign_in(make_member(scene.agency, "auditor")).get(here).status_code == 200


def test_an_empty_table_is_an_empty_layer(analyst: Client, tmp_path: Path) -> None:
    query = "?from=2020-01-01&to=2020-01-02"
    assert geojson(analyst, "shifts", "beats", query)["features"] == []
    answer = analyst.get(address("gpkg", "shifts", "beats", query))
    (tmp_path / "empty.gpkg").write_bytes(b"".join(answer))
    assert pyogrio.read_info(tmp_path / "empty.gpkg")["features"] == 0
