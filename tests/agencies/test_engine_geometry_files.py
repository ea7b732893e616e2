"""Files of areas: three formats, any coordinate system, and a plain answer for everything that is not one."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from agencies.engine import geometry_files
from agencies.engine.area_guesses import guess_code, guess_district, guess_name
from agencies.engine.area_sets import (
    areas_by_code,
    code_matches,
    largest_overlap,
    overlaps,
    union_without_slivers,
)
from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import areas_from_file

WEST, SOUTH, STEP = -87.70, 41.80, 0.01


def square(column: float, row: float, size: float = 1) -> shapely.Polygon:
    return shapely.box(
        WEST + column * STEP, SOUTH + row * STEP, WEST + (column + size) * STEP, SOUTH + (row + size) * STEP
    )


def frame(shapes: dict[str, Any], **columns: list[Any]) -> geopandas.GeoDataFrame:
    data = {"CODE": list(shapes), **columns}
    return geopandas.GeoDataFrame(data, geometry=list(shapes.values()), crs=4326)


TWO = {"11": square(0, 0), "12": square(1, 0)}
BOW_TIE = shapely.Polygon([(-87.7, 41.8), (-87.69, 41.81), (-87.69, 41.8), (-87.7, 41.81), (-87.7, 41.8)])


def shapefile_zip(folder: Path, table: geopandas.GeoDataFrame, *, without: str = "") -> Path:
    table.to_file(folder / "beats.shp")
    path = folder / "upload"
    with zipfile.ZipFile(path, "w") as archive:
        for part in sorted(folder.glob("beats.*")):
            if part.suffix != without:
                archive.write(part, f"export/{part.name}")
    return path


@pytest.mark.parametrize("epsg", [4326, 3435, 32616])
@pytest.mark.parametrize("kind", ["GeoJSON", "Shapefile", "GeoPackage"])
def test_the_same_areas_come_out_of_every_format_and_coordinate_system(
    tmp_path: Path, kind: str, epsg: int
) -> None:
    table = frame(TWO).to_crs(epsg)
    path = tmp_path / "no-suffix"
    if kind == "Shapefile":
        path = shapefile_zip(tmp_path, table)
    else:
        suffix = {"GeoJSON": "geojson", "GeoPackage": "gpkg"}[kind]
        table.to_file(tmp_path / f"x.{suffix}", driver={"GeoJSON": "GeoJSON", "GeoPackage": "GPKG"}[kind])
        (tmp_path / f"x.{suffix}").rename(path)
    file = areas_from_file(path)
    assert file.kind == kind
    assert [area.properties["CODE"] for area in file.areas] == ["11", "12"]
    for area, wanted in zip(file.areas, TWO.values(), strict=True):
        assert not area.fault
        assert shapely.symmetric_difference(area.shape, wanted).area < 1e-4 * wanted.area


def test_a_shapefile_without_prj_is_refused_until_the_code_is_given(tmp_path: Path) -> None:
    path = shapefile_zip(tmp_path, frame(TWO).to_crs(3435), without=".prj")
    with pytest.raises(GeometryProblem, match="does not say its coordinate system"):
        areas_from_file(path)
    assert areas_from_file(path, crs="EPSG:3435").areas[0].shape.bounds[0] == pytest.approx(WEST, abs=1e-6)
    with pytest.raises(GeometryProblem, match="is not a coordinate system"):
        areas_from_file(path, crs="EPSG:1")
    # A wrong code is told from the coordinates.
    assert "wrong coordinate system" in areas_from_file(path, crs="EPSG:4326").areas[0].fault


def test_the_first_layer_of_polygons_is_taken_or_the_named_one(tmp_path: Path) -> None:
    path = tmp_path / "x.gpkg"
    points = geopandas.GeoDataFrame({"CODE": ["p"]}, geometry=[shapely.Point(WEST, SOUTH)], crs=4326)
    points.to_file(path, layer="stations", driver="GPKG")
    frame(TWO).to_file(path, layer="beats", driver="GPKG")
    frame({"N": square(5, 5)}).to_file(path, layer="districts", driver="GPKG")
    assert areas_from_file(path).layer == "beats"
    assert areas_from_file(path, layer="districts").areas[0].properties["CODE"] == "N"
    with pytest.raises(
        GeometryProblem, match=r"no layer of polygons “stations”\. Layers of polygons: beats, districts"
    ):
        areas_from_file(path, layer="stations")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty"),
        (b"code,name\n11,x\n", "not GeoJSON, a zipped Shapefile or a GeoPackage"),
        (b"\x00\x01\x02", "not GeoJSON"),
        (b"{not json", "cannot be read"),
        (b'{"type": "FeatureCollection", "features": []}', "holds no areas|cannot be read"),
        (b"PK\x03\x04 but not a zip", "cannot be unpacked"),
        (b"SQLite format 3\x00" + b"\x00" * 200, "cannot be read"),
    ],
)
def test_what_is_no_file_of_areas_is_told_plainly(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    with pytest.raises(GeometryProblem, match=message):
        areas_from_file(path)


def test_a_zip_that_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for suffix in ("shp", "shx", "dbf"):
            archive.writestr(f"x.{suffix}", b"\0" * 3_000_000)
    monkeypatch.setattr(geometry_files, "MAX_UNPACKED_BYTES", 5_000_000)
    with pytest.raises(GeometryProblem, match="unpacks to more than"):
        areas_from_file(path)


def test_a_zip_with_two_shapefiles_or_a_missing_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.shp", b"")
        archive.writestr("b.shp", b"")
    with pytest.raises(GeometryProblem, match=r"exactly one \.shp file; found: a\.shp, b\.shp"):
        areas_from_file(path)
    with pytest.raises(GeometryProblem, match=r"lacks its \.dbf part"):
        areas_from_file(shapefile_zip(tmp_path, frame(TWO), without=".dbf"))


def write(tmp_path: Path, table: geopandas.GeoDataFrame) -> Path:
    path = tmp_path / "x.geojson"
    table.to_file(path, driver="GeoJSON")
    return path


def test_faulty_rows_are_named_and_repaired_only_when_asked(tmp_path: Path) -> None:
    path = write(
        tmp_path, frame({"11": BOW_TIE, "12": shapely.Point(WEST, SOUTH), "13": None, "14": square(3, 3)})
    )
    file = areas_from_file(path)
    assert [bool(area.fault) for area in file.areas] == [True, True, True, False]
    found = areas_by_code(file, code_property="CODE")
    assert all(problem.blocks for problem in found.problems)
    assert [problem.message for problem in found.problems[1:]] == [
        "Row 2 (12) is a Point, not an area. Mend or remove it in the file.",
        "Row 3 (13) has no geometry. Mend or remove it in the file.",
    ]
    assert "crosses itself: Self-intersection" in found.problems[0].message
    repaired = areas_by_code(file, code_property="CODE", repair=True)
    assert "repaired" in repaired.problems[0].message
    assert not repaired.problems[0].blocks
    assert [area.code for area in repaired.areas] == ["11", "14"]
    assert repaired.areas[0].shape.is_valid


def test_rows_with_the_same_code_become_one_area_and_this_is_said(tmp_path: Path) -> None:
    table = frame({"a": square(0, 0), "b": square(4, 0), "c": square(8, 0)}, NUM=[31, 31, 2])
    found = areas_by_code(areas_from_file(write(tmp_path, table)), code_property="NUM")
    assert [(area.code, len(area.shape.geoms), area.rows) for area in found.areas] == [
        ("31", 2, (1, 2)),
        ("2", 1, (3,)),
    ]
    assert [p.message for p in found.problems] == [
        "Code 31 stands in rows 1, 2: they become one area of 2 rows."
    ]


def test_a_missing_property_or_code_stops(tmp_path: Path) -> None:
    file = areas_from_file(write(tmp_path, frame(TWO, NUM=[None, "x" * 21])))
    assert (
        "has no property “BEAT” for the code. It has: CODE, NUM"
        in areas_by_code(file, code_property="BEAT").problems[0].message
    )
    messages = [p.message for p in areas_by_code(file, code_property="NUM").problems]
    assert "Row 1 has no NUM" in messages[0]
    assert "longer than 20 characters" in messages[1]


def test_overlaps_and_largest_parts_are_found(tmp_path: Path) -> None:
    table = frame({"11": square(0, 0), "12": square(0.5, 0), "13": square(1.4999, 0)})
    found = areas_by_code(areas_from_file(write(tmp_path, table)), code_property="CODE")
    assert [p.message[:18] for p in overlaps(found.areas)] == ["11 and 12 overlap "]
    containers = [square(0, 0), square(1, 0), square(9, 9)]
    assert list(
        largest_overlap([square(0.2, 0), square(0.8, 0), square(20, 20), square(1, 0)], containers)
    ) == [0, 1, -1, 1]
    # Touching along a line is no overlap.
    assert list(largest_overlap([square(2, 0)], [square(1, 0)])) == [-1]


def test_a_boundary_from_beats_has_no_hairline_holes() -> None:
    gap = 1e-6  # about ten centimetres
    left = shapely.box(WEST, SOUTH, WEST + STEP, SOUTH + STEP)
    right = shapely.box(WEST + STEP + gap, SOUTH, WEST + 2 * STEP, SOUTH + STEP)
    union = union_without_slivers([left, right])
    assert len(union.geoms) == 1
    assert union.area == pytest.approx(2 * STEP * STEP, rel=1e-3)


def test_codes_match_through_leading_zeros_only_where_one_fits() -> None:
    assert code_matches(["06", "6", "10", "7"], ["6", "10", "007", "07"]) == {"06": "6", "6": "6", "10": "10"}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_putting_together_by_code_loses_no_area(numbers: list[int]) -> None:
    shapes = [shapely.MultiPolygon([square(2 * i, 0)]) for i in range(len(numbers))]
    areas = tuple(
        geometry_files.FileArea(i, {"N": number}, shape)
        for i, (number, shape) in enumerate(zip(numbers, shapes, strict=True), 1)
    )
    file = geometry_files.AreaFile("GeoJSON", "x", ("x",), "WGS 84", ("N",), areas)
    found = areas_by_code(file, code_property="N")
    assert sorted(row for area in found.areas for row in area.rows) == list(range(1, len(numbers) + 1))
    assert sum(area.shape.area for area in found.areas) == pytest.approx(len(numbers) * STEP * STEP)
    assert {area.code for area in found.areas} == {str(number) for number in numbers}


def test_guesses_for_chicagos_columns(shared_data: Path) -> None:
    beats = areas_from_file(shared_data / "chicago" / "beats.geojson")
    assert (guess_code(beats, "beats"), guess_district(beats, "BEAT_NUM")) == ("BEAT_NUM", "DISTRICT")
    districts = areas_from_file(shared_data / "chicago" / "districts.geojson")
    assert (guess_code(districts, "districts"), guess_name(districts, "DIST_NUM")) == (
        "DIST_NUM",
        "DIST_LABEL",
    )


def test_a_byte_order_mark_is_no_other_format(tmp_path: Path) -> None:
    path = tmp_path / "bom"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(frame(TWO).to_geo_dict()).encode())
    assert len(areas_from_file(path).areas) == 2


def test_a_corner_that_is_no_number_is_told_of_its_area(tmp_path: Path) -> None:
    """It is in no bounds: those take the corners that are numbers."""
    path = tmp_path / "areas.gpkg"
    corners = [(WEST, 41.8), (WEST + 0.1, 41.8), (float("nan"), 41.9), (WEST, 41.9)]
    frame({"11": shapely.Polygon(corners), "12": TWO["12"]}).to_file(path, driver="GPKG")
    first, second = areas_from_file(path).areas
    assert "not longitude and latitude" in first.fault
    assert not second.fault


def test_a_geopackage_with_a_name_that_is_no_text_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "areas.gpkg"
    frame(TWO).to_file(path, driver="GPKG")
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE VIEW placeholder AS SELECT 1")
        database.commit()
    path.write_bytes(path.read_bytes().replace(b"placeholder", b"place\x94older"))
    with pytest.raises(GeometryProblem, match="holds a view"):
        areas_from_file(path)


def test_a_geopackage_whose_error_is_no_text_is_told_in_words(tmp_path: Path) -> None:
    """SQLite names the damaged table in its message, as it stands in the file."""
    path = tmp_path / "areas.gpkg"
    frame(TWO).to_file(path, driver="GPKG")
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE placeholder (word TEXT)")
        database.commit()
    damaged = path.read_bytes().replace(
        b"TABLE placeholder (word TEXT)", b"TABLE place\xed\x94\xedder ((ord TEXT)"
    )
    path.write_bytes(damaged.replace(b"placeholder", b"place\xed\x94\xedder"))
    with pytest.raises(GeometryProblem, match="damaged"):
        areas_from_file(path)
