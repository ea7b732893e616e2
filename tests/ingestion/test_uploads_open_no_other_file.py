"""GDAL knows formats that are recipes: whoever uploads one must not read the server's own files with it."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from pathlib import Path

import pytest

from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import areas_from_file
from ingestion.services import layer_geojson
from missions_project.lib.errors import MissionsError


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE people (username TEXT, password TEXT)")
        database.execute("INSERT INTO people VALUES ('operator', 'pbkdf2-secret')")
    database.close()
    return path


def virtual_layer(secret: Path) -> bytes:
    """An OGR virtual layer that asks the server for rows of a database that lies beside it."""
    return f"""<OGRVRTDataSource><OGRVRTLayer name="x">
      <SrcDataSource relativeToVRT="0">{secret}</SrcDataSource>
      <SrcSQL>SELECT username AS name, password AS kind, -87.6 AS lon, 41.8 AS lat FROM people</SrcSQL>
      <GeometryType>wkbPoint</GeometryType><LayerSRS>WGS84</LayerSRS>
      <GeometryField encoding="PointFromColumns" x="lon" y="lat"/></OGRVRTLayer></OGRVRTDataSource>""".encode()


def streamed_recipe(secret: Path) -> bytes:
    command = (
        f'gdal vector pipeline ! read {secret} ! sql "SELECT username AS name FROM people" --dialect SQLITE'
    )
    return json.dumps({"type": "gdal_streamed_alg", "command_line": command}).encode()


def zipped(content: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for suffix in ("shp", "shx", "dbf"):
            archive.writestr(f"a.{suffix}", content)
    return path.read_bytes()


@pytest.mark.parametrize("recipe", [virtual_layer, streamed_recipe])
@pytest.mark.parametrize("is_zipped", [False, True])
def test_a_recipe_that_names_a_file_of_the_server_is_refused(recipe, is_zipped, secret, tmp_path):
    content = recipe(secret)
    path = tmp_path / "upload"
    path.write_bytes(zipped(content, tmp_path / "inner.zip") if is_zipped else content)
    with pytest.raises(MissionsError, match="cannot be read as a layer") as layer:
        layer_geojson(path, file_name="bars.geojson")
    with pytest.raises(GeometryProblem) as areas:
        areas_from_file(path)
    for error in (layer.value, areas.value):
        assert "pbkdf2" not in str(error)
        assert "operator" not in str(error)
        assert "OGR" not in str(error), "GDAL has opened it"
