"""What an administrator uploads is read with little memory, little time and no secrets, and never takes the web server along."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pytest
import shapely

from agencies import area_files
from agencies.area_files import areas_read
from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import areas_from_file
from missions_project.lib import confined as lib
from missions_project.lib.confined import TooMuch, confined

READER = "tests.agencies.readers"


def written(folder: Path, kind: str) -> Path:
    """A good square, one that crosses itself, and one row without a shape."""
    bow = shapely.Polygon([(-87.6, 41.8), (-87.5, 41.9), (-87.5, 41.8), (-87.6, 41.9)])
    shapes = [shapely.box(-87.7, 41.7, -87.6, 41.8), bow, None]
    facts = {"code": ["11", "12", None], "size": [1.0, 2.5, None], "name": ["Südost", "“Loop”", ""]}
    frame = geopandas.GeoDataFrame(facts, geometry=shapes, crs=4326)
    if kind == "zip":
        frame.to_file(folder / "areas.shp.zip", driver="ESRI Shapefile")
        return folder / "areas.shp.zip"
    frame.to_file(folder / f"areas.{kind}", driver={"geojson": "GeoJSON", "gpkg": "GPKG"}[kind])
    return folder / f"areas.{kind}"


@pytest.mark.parametrize("kind", ["geojson", "gpkg", "zip"])
def test_what_comes_back_is_what_reading_it_here_gives(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    here, there = areas_from_file(path), areas_read(path)
    assert (there.kind, there.layer, there.layers, there.crs, there.columns) == (
        here.kind, here.layer, here.layers, here.crs, here.columns,
    )  # fmt: skip
    assert len(there.areas) == len(here.areas) == 3
    assert [bool(area.fault) for area in here.areas] == [False, True, True]
    for ours, theirs in zip(here.areas, there.areas, strict=True):
        assert (theirs.row, theirs.properties, theirs.fault) == (ours.row, ours.properties, ours.fault)
        for one, other in ((ours.shape, theirs.shape), (ours.repaired, theirs.repaired)):
            assert (one is None) == (other is None)
            assert one is None or (one.equals_exact(other, 0) and one.geom_type == other.geom_type)


def test_what_is_wrong_with_a_file_is_told_in_the_same_words(tmp_path: Path) -> None:
    path = tmp_path / "areas.geojson"
    path.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(GeometryProblem) as here:
        areas_from_file(path)
    with pytest.raises(GeometryProblem) as there:
        areas_read(path)
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize(
    "deed", ["sleeps", "counts", "allocates", "falls", "babbles", "hangs up", "chatters"]
)
def test_a_file_that_takes_too_much_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    monkeypatch.setattr(area_files, "READER", READER)
    monkeypatch.setattr(area_files, "SECONDS", 1)
    monkeypatch.setattr(area_files, "MEGABYTES", 1024)
    monkeypatch.setattr(lib, "SPARE_SECONDS", 2)
    monkeypatch.setattr(lib.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(GeometryProblem, match="takes more than 1 seconds or 1024 MB"):
        areas_read(tmp_path / deed)
    lib.close_waiting()
    assert list(tmp_path.iterdir()) == []


def test_a_reader_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "nobody may read this")
    monkeypatch.setenv("DATABASE_URL", "postgres://missions:this@localhost/missions")
    told = confined(READER, {"path": "tells"}, seconds=5, megabytes=1024)
    assert "this" not in str(told["environment"])
    assert told["folder"].split("/")[-1].startswith("confined-")
    assert not Path(told["folder"]).exists()


def test_a_reader_that_is_not_there_is_no_answer() -> None:
    with pytest.raises(TooMuch):
        confined("tests.agencies.nothing", {}, seconds=5, megabytes=1024)
