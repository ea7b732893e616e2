"""Files made to fill the memory, to run for ever, or to be written elsewhere: refused, in words, within the limits."""

from __future__ import annotations

import bz2
import gzip
import io
import sqlite3
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import geopandas
import pytest
import shapely

from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import areas_from_file
from ingestion.services import layer_geojson
from ingestion.sources.base import SourceError
from ingestion.sources.containers import MEGABYTE, Limits, opened
from ingestion.sources.excel_file import ExcelFile, ExcelFileParameters
from missions_project.lib.errors import MissionsError

ZEROS = 45_000_000
LIMITS = Limits(max_bytes=200 * MEGABYTE, max_ratio=200)
SQUARE = shapely.box(-87.7, 41.8, -87.6, 41.9)


def areas(folder: Path) -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame({"code": ["11"]}, geometry=[SQUARE], crs=4326)


def shapefile(
    folder: Path, names: Callable[[str], str] = str, method: int = zipfile.ZIP_DEFLATED, **parts: bytes
) -> Path:
    """A zipped Shapefile of one square, some of its parts replaced."""
    areas(folder).to_file(folder / "a.shp")
    path = folder / "upload.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for part in ("shp", "shx", "dbf", "prj"):
            archive.writestr(names(f"a.{part}"), parts.get(part, (folder / f"a.{part}").read_bytes()))
    return path


def read_all(path: Path, limits: Limits) -> None:
    with opened(path, limits) as (stream, _):
        while stream.read(MEGABYTE):
            pass


def peak_of(do: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        do()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_method_unpacks_without_bound_is_refused_by_every_reader(
    tmp_path: Path, method: int
) -> None:
    def refused() -> None:
        path = shapefile(tmp_path, method=method, shp=bytes(ZEROS))
        assert path.stat().st_size < 20_000
        with pytest.raises(GeometryProblem, match="method that is not read"):
            areas_from_file(path)
        with pytest.raises(MissionsError, match="method that is not read"):
            layer_geojson(path, file_name="a.zip")

    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w", method) as archive:
        archive.writestr("a.csv", bytes(ZEROS))
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", method) as archive:
        archive.writestr("xl/workbook.xml", bytes(ZEROS))
    refused()

    def read_both() -> None:
        with pytest.raises(SourceError, match="not Deflate"), opened(tmp_path / "a.csv.zip", LIMITS):
            pass
        with pytest.raises(SourceError, match="Excel does not write"):
            ExcelFile(tmp_path / "a.xlsx", ExcelFileParameters())

    assert peak_of(read_both) < ZEROS // 10


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_packed_table_is_unpacked_in_pieces_and_stopped_at_its_limits(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "bomb.csv"
    path.write_bytes(pack(bytes(ZEROS)) * 3)

    def read() -> None:
        with pytest.raises(SourceError, match="times its size"):
            read_all(path, LIMITS)
        with pytest.raises(SourceError, match="larger than 1 MB"):
            read_all(path, Limits(MEGABYTE, 2**40))

    assert peak_of(read) < 20 * MEGABYTE


def test_a_deflated_zip_is_counted_while_it_unpacks_whatever_size_it_declares(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(ZEROS * 2))
    path = tmp_path / "a.zip"
    path.write_bytes(inner.getvalue())
    with pytest.raises(SourceError, match="times its size"):
        read_all(path, LIMITS)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW endless AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        "SELECT c.x AS fid, a.geom FROM c, areas a",
        "CREATE VIRTUAL TABLE endless USING fts5(geom)",
    ],
)
def test_a_geopackage_with_a_query_or_a_program_in_it_is_not_opened(tmp_path: Path, statement: str) -> None:
    """GDAL counts a layer's rows when it opens it: a view that never ends would keep the page's process for ever."""
    path = tmp_path / "areas.gpkg"
    areas(tmp_path).to_file(path, layer="areas", driver="GPKG")
    assert len(areas_from_file(path).areas) == 1
    with sqlite3.connect(path) as database:
        database.execute(statement)
        for table in ("gpkg_contents", "gpkg_geometry_columns"):
            database.execute(f"UPDATE {table} SET table_name = 'endless'")
    database.close()
    with pytest.raises(GeometryProblem, match="cannot be read: it holds a vi"):
        areas_from_file(path)
    with pytest.raises(MissionsError, match="it holds a vi"):
        layer_geojson(path, file_name="a.gpkg")


def test_a_damaged_geopackage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "areas.gpkg"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 4000)
    with pytest.raises(GeometryProblem, match="damaged"):
        areas_from_file(path)


@pytest.mark.parametrize("where", ["../../../../tmp/x/{}", "/etc/{}", "x\\..\\..\\{}", "a/../../{}"])
def test_names_within_an_archive_lead_nowhere(tmp_path: Path, where: str) -> None:
    below = tmp_path / "below"
    below.mkdir()
    path = shapefile(below, names=where.format)
    before = set(tmp_path.rglob("*"))
    assert len(areas_from_file(path).areas) == 1
    assert set(tmp_path.rglob("*")) == before
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr(where.format("t.csv"), "id,when\n1,2\n")
    with opened(tmp_path / "t.zip", LIMITS) as (stream, _):
        assert stream.read() == b"id,when\n1,2\n"


def _with(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(
    ("part", "at", "new"),
    [
        ("shp", 144, b"\xff\xff\xff\x7f" * 2),
        ("shp", 104, b"\x7f\xff\xff\xff"),
        ("shp", 32, b"\x1f\x00\x00\x00"),
        ("shx", 24, b"\x7f\xff\xff\xff"),
        ("shx", 100, b"\x7f\xff\xff\xff\x7f\xff\xff\xff"),
        ("dbf", 4, b"\xff\xff\xff\x7f"),
        ("dbf", 8, b"\xff\xff\xff\xff"),
        ("prj", 0, b"\x00" * 40),
    ],
)
def test_a_shapefile_that_lies_about_its_counts_is_refused_or_read_as_what_is_there(
    tmp_path: Path, part: str, at: int, new: bytes
) -> None:
    areas(tmp_path).to_file(tmp_path / "a.shp")
    path = shapefile(tmp_path, **{part: _with((tmp_path / f"a.{part}").read_bytes(), at, new)})
    told, found = "", 0
    try:
        found = len(areas_from_file(path).areas)
    except GeometryProblem as problem:
        told = str(problem)
    assert str(tmp_path) not in told
    assert told or found == 1


def test_a_picture_with_a_script_is_no_upload(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    with pytest.raises(GeometryProblem, match="not GeoJSON"):
        areas_from_file(path)
    with pytest.raises(MissionsError, match="cannot be read as a layer"):
        layer_geojson(path, file_name="a.svg")
