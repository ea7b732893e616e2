"""Layers, census and audit tables are read with little memory, little time and no secrets; what comes back is what was in the file."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from django.conf import settings
from django.utils import translation

from ingestion.places.base import PlacesFile, PlacesProblem
from ingestion.places.packing import packed, unpacked
from ingestion.places.reading import places_from_file
from ingestion.services import layer_geojson, place_files
from ingestion.services.place_files import places_read
from missions_project.lib import confined as lib
from missions_project.lib.confined import TooMuch, confined
from missions_project.lib.errors import MissionsError
from tests.ingestion.test_layers_in_every_format import kml, osm

READER = "tests.agencies.readers"
BOW = shapely.Polygon([(-87.6, 41.8), (-87.5, 41.9), (-87.5, 41.8), (-87.6, 41.9)])
SHAPES = [shapely.box(-87.7, 41.7, -87.6, 41.8), shapely.Point(-87.65, 41.75), BOW, None]
DRIVERS = {"geojson": "GeoJSON", "gpkg": "GPKG", "fgb": "FlatGeobuf"}


def table(shapes: list[Any]) -> geopandas.GeoDataFrame:
    """A column of every kind that a file may have, with holes in it."""
    count = len(shapes)
    columns: dict[str, list[Any]] = {
        "name": ["Südost", "“Loop”", "", None],
        "people": [3_000, -666_666_666, 2**40, 0],
        "share": [0.1, None, float("nan"), 1e-300],
        "open": [True, False, True, False],
        "since": ["2024-05-01T10:00:00", None, "1999-12-31T23:59:59.123", "2024-05-02T00:00:00"],
    }
    frame = geopandas.GeoDataFrame(
        {name: values[:count] for name, values in columns.items()}, geometry=shapes, crs=4326
    )
    frame["since"] = frame["since"].astype("datetime64[ms]")
    frame["small"] = np.array([0.1, 0.2, np.nan, 3e38], dtype=np.float32)[:count]
    frame["day"] = frame["since"].dt.date
    return frame


def written(folder: Path, kind: str) -> Path:
    path = folder / f"places.{kind}"
    if kind == "kml":
        return kml(path)
    if kind == "osm.pbf":
        return osm(path)
    if kind == "csv":
        path.write_text(
            "name;Latitude;Longitude;n\n“Loop”;41.8;-87.6; 1,5 \n;;;\n\nnan;41.7;-87.7;\n", "cp1252"
        )
        return path
    if kind == "zip":
        # dBase knows no instants.
        table(SHAPES[::2]).drop(columns="since").to_file(folder / "a.shp")
        with zipfile.ZipFile(path, "w") as archive:
            for ending in ("shp", "shx", "dbf", "prj", "cpg"):
                archive.write(folder / f"a.{ending}", f"a.{ending}")
        return path
    # FlatGeobuf's index knows no place without a shape.
    options = {"SPATIAL_INDEX": "NO"} if kind == "fgb" else {}
    table(SHAPES).to_file(path, driver=DRIVERS[kind], **options)
    return path


def alike(one: Any, other: Any) -> bool:
    """The same value, of the same type, no number and no instant included."""
    return type(one) is type(other) and (one == other or (one != one and other != other))


def assert_alike(there: PlacesFile, here: PlacesFile) -> None:
    assert there.columns == here.columns
    assert len(there.shapes) == len(here.shapes) > 0
    for one, other in zip(here.shapes, there.shapes, strict=True):
        assert (one is None) == (other is None)
        assert one is None or (one.equals_exact(other, 0) and one.geom_type == other.geom_type)
    assert list(there.values) == list(here.values)
    for name, values in here.values.items():
        assert there.values[name].dtype == values.dtype, name
        for one, other in zip(values, there.values[name], strict=True):
            assert alike(one, other), (name, one, other)
            assert str(one) == str(other)


@pytest.mark.parametrize("kind", ["geojson", "gpkg", "fgb", "kml", "csv", "zip", "osm.pbf"])
def test_what_comes_back_is_what_reading_it_here_gives(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    given = {"osm": "transit"} if kind == "osm.pbf" else {}
    assert_alike(places_read(path, choose=list, **given), places_from_file(path, choose=list, **given))


def test_values_that_json_does_not_know_come_through() -> None:
    odd = [None, np.float64("nan"), float("-inf"), b"\x00\xff", np.int64(7), "\udc80", np.datetime64("NaT")]
    instants = np.array(["2024-05-01", "NaT"] * 4, dtype="datetime64[ms]")[:7]
    shapes = np.array([shapely.Point(1, 2)] * 7, dtype=object)
    columns = {
        "odd": np.array(odd, dtype=object),
        "instants": instants,
        "large": np.full(7, 2**63, np.uint64),
        "texts": np.array(["a", "bc"] * 4)[:7],
    }
    file = unpacked(json.loads(json.dumps(packed(PlacesFile(("a",), shapes, columns)))))
    assert file.values["odd"].tolist()[2:6] == [float("-inf"), b"\x00\xff", 7, "\udc80"]
    assert file.values["odd"][0] is None
    assert np.isnan(file.values["odd"][1])
    assert str(file.values["odd"][6]) == "NaT"
    assert np.array_equal(file.values["instants"], instants, equal_nan=True)
    assert file.values["large"].tolist() == [2**63] * 7
    assert file.values["texts"].tolist() == columns["texts"].tolist()


@pytest.mark.parametrize(
    "column",
    [
        {"type": "|O8", "bytes": "AAAAAAAAAAA="},
        {"type": "V8", "bytes": "AAAAAAAAAAA="},
        {"type": "<f8", "bytes": "AAAA"},
        {"type": "<f8", "bytes": ""},
        {"values": [1, 2]},
        {"values": [{"else": 1}]},
        {},
    ],
)
def test_an_answer_of_another_making_is_not_believed(column: dict[str, Any]) -> None:
    answer = {"columns": ["a"], "shapes": [shapely.to_wkb(shapely.Point(1, 2), hex=True)], "values": {"a": column}}  # fmt: skip
    with pytest.raises((ValueError, KeyError, TypeError)):
        unpacked(answer)


@pytest.mark.parametrize(
    "answer",
    [[], 7, {}, {"columns": 3}, {"problem": "none"}, {"columns": ["a"], "file": {"columns": [], "shapes": ["00ff"], "values": {}}},
     {"columns": ["a"], "file": {"columns": ["a"], "shapes": [None], "values": {"a": {"values": [1]}, "secret": {"values": [2]}}}}],
    ids=str,
)  # fmt: skip
def test_a_reader_that_was_taken_over_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(place_files, "confined", lambda *given, **more: answer)
    (tmp_path / "a.csv").write_text("lat,lon,a\n")
    with pytest.raises(MissionsError, match="takes more than"):
        places_read(tmp_path / "a.csv", choose=list)


def test_only_what_was_chosen_leaves_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def overheard(*given: Any, **more: Any) -> Any:
        answer = confined(*given, **more)
        told.append(json.dumps(answer, ensure_ascii=False))
        return answer

    monkeypatch.setattr(place_files, "confined", overheard)
    for kind in ("geojson", "csv"):
        path = written(tmp_path, kind)
        read = places_read(path, choose=lambda columns: columns[1:2])
        assert list(read.values) == [read.columns[1]]
        assert "Loop" not in "".join(told)
        places_read(path, choose=lambda columns: columns[:1])
        assert "Loop" in told.pop()


def test_a_choice_that_refuses_the_columns_is_the_callers(tmp_path: Path) -> None:
    def refuse(columns: list[str]) -> list[str]:
        raise MissionsError(f"No {columns[0]}.", next_step="leave it out.")

    with pytest.raises(MissionsError, match=r"No name\. Next step: leave it out\."):
        places_read(
            written(tmp_path, "kml").rename(tmp_path / "b.csv"), choose=lambda found: refuse(["name"])
        )


@pytest.mark.parametrize("language", ["en", "es"])
def test_what_is_wrong_with_a_file_is_told_in_the_same_words_and_language(
    tmp_path: Path, language: str
) -> None:
    table(SHAPES[:1]).to_file(tmp_path / "a.gpkg", layer="bars", driver="GPKG")
    table(SHAPES[:1]).to_file(tmp_path / "a.gpkg", layer="stations", driver="GPKG")
    (tmp_path / "b.csv").write_text("lat,lon\n41.8,abc\n")
    (tmp_path / "c.txt").write_text("nothing")
    said = []
    for path in (tmp_path / "a.gpkg", tmp_path / "b.csv", tmp_path / "c.txt", osm(tmp_path / "d.osm.pbf")):
        with translation.override(language):
            with pytest.raises(PlacesProblem) as here:
                places_from_file(path, choose=list)
            with pytest.raises(MissionsError) as there:
                places_read(path, choose=list)
        assert (there.value.message, there.value.next_step) == (here.value.message, here.value.next_step)
        said.append(there.value.message)
    assert ("2 capas" in said[0]) == (language == "es")


def test_a_coordinate_system_that_leads_nowhere_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n443000,4629000\n")
    with pytest.raises(MissionsError, match="cannot be read as a layer"):
        places_read(tmp_path / "a.csv", choose=list, crs='LOCAL_CS["site",UNIT["metre",1]]')


@pytest.mark.parametrize("deed", ["sleeps", "counts", "allocates", "falls", "babbles"])
def test_a_file_that_takes_too_much_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    monkeypatch.setattr(place_files, "READER", READER)
    monkeypatch.setattr(place_files, "COLUMN_SECONDS", 1)
    monkeypatch.setattr(place_files, "MEGABYTES", 1024)
    monkeypatch.setattr(lib, "SPARE_SECONDS", 2)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / deed).write_text("lat,lon\n")
    with pytest.raises(MissionsError, match="takes more than 1 seconds or 1024 MB") as refused:
        layer_geojson(tmp_path / deed)
    assert "cut it to the agency's area" in refused.value.next_step
    assert list((tmp_path / "temporary").iterdir()) == []


def test_an_endless_answer_does_not_fill_the_memory_of_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib, "MOST_ANSWERED", 40)
    with pytest.raises(TooMuch, match="answered with more than"):
        confined(READER, {"path": "tells"}, seconds=5, megabytes=1024)


def test_the_reader_never_opens_the_projects_settings() -> None:
    """``missions_project`` reads the installation's .env as soon as it is imported: every key would be in the reader's memory."""
    program = (
        "import sys, ingestion.places.child, ingestion.places.reading, ingestion.places.packing\n"
        "print([name for name in sys.modules if name.startswith('missions_project')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=settings.BASE_DIR, check=True
    )
    assert done.stdout.strip() == "[]"


def blob(folder: Path, column: str, size: int) -> Path:
    """A GeoPackage with one value of so many bytes."""
    path = folder / f"{column}.gpkg"
    table(SHAPES[:1]).to_file(path, layer="places", driver="GPKG", SPATIAL_INDEX="NO")
    with sqlite3.connect(path) as database:
        if column != "geom":
            database.execute(f"ALTER TABLE places ADD COLUMN {column} BLOB")
        database.execute("DROP TRIGGER IF EXISTS trigger_update_feature_count_places")
        database.execute(f"UPDATE places SET {column} = zeroblob({size})")
    database.close()
    return path


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("property.geojson", '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"a": '
         + "[" * 100_000 + "]" * 100_000 + '}, "geometry": null}]}', "cannot be read as a layer"),
        ("features.geojson", '{"type": "FeatureCollection", "features": ' + "[" * 100_000 + "]" * 100_000 + "}",
         "cannot be read as a layer"),
        ("line.csv", "lat,lon,name\n41.8,-87.6,a\n" + "x" * 90_000_000 + "\n", "field larger than field limit"),
        ("cells.csv", "lat,lon,name\n41.8,-87.6,a\n" + "1," * 45_000_000 + "\n", "line 3: 45000001 cells"),
        ("header.csv", "lat,lon," + "name," * 100_000 + "\n41.8,-87.6\n", "first line is longer than 65,536"),
        ("wide.csv", "lat,lon," + "a," * 1_000 + "\n41.8,-87.6\n", "has 1,003 columns"),
        ("wide.geojson", json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None,
         "properties": {f"c{n}": 1 for n in range(100_000)}}]}), "has 100,000 columns"),
        ("empty.geojson", '{"type": "Feature", "properties": {}, "geometry": ' + '{"type": "GeometryCollection", "geometries": ['
         * 20_000 + "]}" * 20_000 + "}", "cannot be read as a layer"),
    ],
    ids=lambda value: value[:16],
)  # fmt: skip
def test_a_file_made_to_hurt_ends_in_words_with_a_next_step(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MissionsError, match=message) as refused:
        places_read(tmp_path / name, choose=list)
    assert refused.value.next_step


@pytest.mark.parametrize("column", ["secret", "geom"])
def test_a_huge_value_of_a_geopackage_ends_in_words_with_a_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    monkeypatch.setattr(place_files, "MEGABYTES", 384)
    path = blob(tmp_path, column, 120_000_000)
    assert len(places_read(written(tmp_path, "gpkg"), choose=list).shapes) == 4, "384 MB do for a small one"
    with pytest.raises(MissionsError, match=r"takes more than|cannot be read as a layer") as refused:
        places_read(path, choose=list)
    assert refused.value.next_step


def test_finding_the_columns_may_not_take_as_long_as_reading_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single object of a hundred thousand keys takes GDAL a minute."""
    monkeypatch.setattr(place_files, "COLUMN_SECONDS", 2)
    object_of = {"type": "Feature", "properties": {f"c{n}": 1 for n in range(100_000)}, "geometry": None}
    (tmp_path / "a.geojson").write_text(json.dumps(object_of))
    with pytest.raises(MissionsError, match="takes more than 2 seconds") as refused:
        places_read(tmp_path / "a.geojson", choose=list)
    assert refused.value.next_step
