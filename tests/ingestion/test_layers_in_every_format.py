"""Context layers come in every format that cities hand out, in any coordinate system, without a word about persons."""

from __future__ import annotations

import json
import zipfile
from io import StringIO
from pathlib import Path

import geopandas
import pyogrio
import pytest
import shapely
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from agencies.engine import geometry_files
from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import areas_from_file
from ingestion.engine.osm import OSM_CHOICES
from ingestion.models import ContextLayer
from ingestion.places import base
from ingestion.places import degrees as degrees_of
from ingestion.places.base import PlacesProblem
from ingestion.places.reading import places_from_file
from ingestion.services import layer_geojson, place_files
from missions_project.lib.errors import MissionsError
from tests.factories import degrees
from tests.ingestion.osm_file import OsmFile

X, Y = 443_000.0, 4_629_000.0
PLACE = (-87.687, 41.811)


def frame(crs: str = "EPSG:32616") -> geopandas.GeoDataFrame:
    places = geopandas.GeoDataFrame(
        {"name": ["The Anchor"], "kind": ["bar"], "owner": ["J. Roe"]},
        geometry=[shapely.Point(X, Y)],
        crs="EPSG:32616",
    )
    return places.to_crs(crs)


def kml(path: Path, placemarks: str = "", head: str = "") -> Path:
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"{placemarks or '<Placemark><name>The Anchor</name><Point><coordinates>-87.687,41.811,0</coordinates></Point></Placemark>'}"
        "</Document></kml>"
    )
    return path


def osm(path: Path) -> Path:
    town = OsmFile()
    at = degrees
    town.node(at(500, 500), amenity="bar", name="The Anchor")
    town.node(at(600, 500), amenity="bench")
    town.node(at(700, 500), highway="bus_stop", name="Elm & 1st", operator="J. Roe")
    town.node(at(750, 500), shop="alcohol")
    town.way([at(900, 900), at(1_000, 900), at(1_000, 1_000), at(900, 900)], amenity="school", name="P.S. 1")
    town.way([at(2_000, 900), at(2_300, 900), at(2_300, 1_000), at(2_000, 900)], landuse="brownfield")
    town.way([at(0, 0), at(1_000, 0), at(2_000, 50)], highway="residential", name="Elm Street")
    town.way([at(0, 100), at(1_000, 100)], highway="footway")
    return town.write(path)


def only(path: Path, **given: str) -> dict:
    (feature,) = layer_geojson(path, **given)["features"]
    return feature


@pytest.mark.parametrize("ending", ["geojson", "gpkg", "fgb", "kml", "csv", "zip"])
def test_the_same_place_comes_out_of_every_format(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    if ending == "kml":
        kml(path)
    elif ending == "csv":
        path.write_text("name,Latitude,Longitude,owner,kind\nThe Anchor,41.811,-87.687,J. Roe,bar\n")
    elif ending == "zip":
        frame().to_file(tmp_path / "a.shp")
        with zipfile.ZipFile(path, "w") as archive:
            for part in tmp_path.glob("a.[sdp][hbr]*"):
                archive.write(part, part.name)
    else:
        frame("EPSG:4326" if ending == "geojson" else "EPSG:32616").to_file(path)
    feature = only(path)
    assert feature["geometry"]["coordinates"] == pytest.approx(PLACE, abs=0.001)
    assert feature["properties"]["name"] == "The Anchor"
    assert set(feature["properties"]) <= {"name", "kind"}, "an owner belongs to nobody's map"
    assert "Roe" not in json.dumps(feature)


@pytest.mark.parametrize(
    ("choice", "kinds", "names"),
    [
        ("bars", ["Point"], ["The Anchor"]),
        ("liquor-stores", ["Point"], [None]),
        ("transit", ["Point"], ["Elm & 1st"]),
        ("schools", ["Point"], ["P.S. 1"]),
        ("vacant-parcels", ["MultiPolygon"], [None]),
        ("streets", ["LineString"], ["Elm Street"]),
    ],
)
def test_an_openstreetmap_extract_gives_what_was_asked_for_and_nothing_else(tmp_path, choice, kinds, names):
    found = layer_geojson(osm(tmp_path / "town.osm.pbf"), osm=choice)["features"]
    assert [one["geometry"]["type"] for one in found] == kinds
    assert [one["properties"].get("name") for one in found] == names
    assert "Roe" not in json.dumps(found)


def test_the_school_lies_where_its_grounds_are(tmp_path):
    lon, lat = only(osm(tmp_path / "town.osm.pbf"), osm="schools")["geometry"]["coordinates"]
    west, south = degrees(900, 900)
    east, north = degrees(1_000, 1_000)
    assert west < lon < east
    assert south < lat < north


def test_an_extract_asks_what_to_take_from_it(tmp_path):
    with pytest.raises(MissionsError, match="everything that is on the map") as refused:
        layer_geojson(osm(tmp_path / "town.osm.pbf"))
    assert all(choice in refused.value.next_step for choice in OSM_CHOICES)


def test_an_extract_without_such_places_is_no_empty_layer(tmp_path):
    town = OsmFile()
    town.node(degrees(1, 1), amenity="bench")
    with pytest.raises(MissionsError, match="holds no places"):
        layer_geojson(town.write(tmp_path / "a.osm.pbf"), osm="bars")


def test_a_damaged_extract_is_refused(tmp_path):
    path = osm(tmp_path / "town.osm.pbf")
    path.write_bytes(path.read_bytes()[:-40] + b"\x00" * 20)
    with pytest.raises(MissionsError, match=r"cannot be read as a layer|holds no places"):
        layer_geojson(path, osm="bars")


def test_a_gdal_without_the_driver_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(geometry_files.pyogrio, "list_drivers", lambda **given: {"GPKG": "r"})
    path = osm(tmp_path / "town.osm.pbf")
    with pytest.raises(PlacesProblem, match="driver OSM is missing") as refused:
        places_from_file(path, choose=list, osm="bars")
    assert "GeoPackage" in str(refused.value)


def test_this_installations_gdal_reads_all_formats():
    drivers = pyogrio.list_drivers(read=True)
    for names in geometry_files._DRIVERS.values():
        assert any(name in drivers for name in names)


def test_a_file_without_a_coordinate_system_is_refused_unless_it_is_given(tmp_path):
    frame().to_file(tmp_path / "a.shp")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for ending in ("shp", "shx", "dbf"):
            archive.write(tmp_path / f"a.{ending}", f"a.{ending}")
    with pytest.raises(MissionsError, match="does not say in which coordinate system") as refused:
        layer_geojson(tmp_path / "a.zip")
    assert "EPSG" in refused.value.next_step
    given = only(tmp_path / "a.zip", crs="EPSG:32616")
    assert given["geometry"]["coordinates"] == pytest.approx(PLACE, abs=0.001)
    with pytest.raises(MissionsError, match="is not a coordinate system"):
        layer_geojson(tmp_path / "a.zip", crs="EPSG:999999")


def test_a_geopackage_with_several_layers_is_asked_for_one(tmp_path):
    frame().to_file(tmp_path / "a.gpkg", layer="bars", driver="GPKG")
    other = frame()
    other["name"] = "Elm Station"
    other.to_file(tmp_path / "a.gpkg", layer="stations", driver="GPKG")
    with pytest.raises(MissionsError, match="holds 2 layers: bars, stations") as refused:
        layer_geojson(tmp_path / "a.gpkg")
    assert "--file-layer" in refused.value.next_step
    assert only(tmp_path / "a.gpkg", file_layer="stations")["properties"]["name"] == "Elm Station"
    with pytest.raises(MissionsError, match="cannot be read as a layer"):
        layer_geojson(tmp_path / "a.gpkg", file_layer="nowhere")


def test_csv_in_metres_needs_its_coordinate_system(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"x;y;Name\n{X};{Y};The Anchor\n;;nowhere\n")
    with pytest.raises(MissionsError, match="in which coordinate system its x and y are"):
        layer_geojson(path)
    assert only(path, crs="EPSG:32616")["geometry"]["coordinates"] == pytest.approx(PLACE, abs=0.001)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lat,lon\n41.8,-87.6\n41.8,abc\n", "line 3: lon is 'abc', not a number"),
        ("lat,lon,name\n41.8,-87.6\n", "line 2: 2 cells where the header has 3"),
        ("lat,lon\n41.8,-987.6\n", "not longitude and latitude"),
        ("lat,lon\n,\n", "holds no places"),
        ("lat,lon,victim_name\n41.8,-87.6,J. Roe\n", r"victim_name \(person\)"),
        ("street,town\n1 Elm,Riverton\n", "cannot be read as a layer"),
        ("", "cannot be read as a layer"),
    ],
)
def test_a_bad_table_of_points_is_refused_with_the_line(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(MissionsError, match=message) as refused:
        layer_geojson(tmp_path / "a.csv")
    assert refused.value.next_step


@pytest.mark.parametrize("head", ['<!DOCTYPE kml [<!ENTITY a SYSTEM "secret.txt">]>', "<!DOCTYPE kml>"])
def test_a_kml_that_declares_entities_is_not_opened(tmp_path, head):
    with pytest.raises(MissionsError):
        layer_geojson(kml(tmp_path / "a.kml", head=head))
    path = kml(tmp_path / "b.kml")
    path.write_text(path.read_text() + "<!-- <!ENTITY x 'y'> -->")
    with pytest.raises(MissionsError, match="entities"):
        layer_geojson(path)


def test_too_many_places_and_too_large_a_file_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "MAX_FEATURES", 2)
    monkeypatch.setattr(degrees_of, "MAX_VERTICES", 1)
    path = tmp_path / "a.csv"
    path.write_text("lat,lon\n" + "41.8,-87.6\n" * 2)
    with pytest.raises(PlacesProblem, match="have 2 points; at most 1 are read"):
        places_from_file(path, choose=list)
    path.write_text("lat,lon\n" + "41.8,-87.6\n" * 3)
    with pytest.raises(PlacesProblem, match="more than 2 places"):
        places_from_file(path, choose=list)
    monkeypatch.setattr(place_files, "MAX_FILE_BYTES", 10)
    with pytest.raises(MissionsError, match="larger than"):
        layer_geojson(path)


def test_districts_are_still_no_openstreetmap_extract(tmp_path):
    for path in (osm(tmp_path / "town.osm.pbf"), kml(tmp_path / "a.kml")):
        with pytest.raises(GeometryProblem, match="not GeoJSON"):
            areas_from_file(path)


def test_the_command_loads_an_extract_with_its_date(agency, tmp_path):
    path = osm(tmp_path / "town.osm.pbf")
    out = StringIO()
    call_command(
        "import_layer",
        str(path),
        agency="riverton",
        name="Bars",
        osm="bars",
        valid_from="2024-05-01",
        stdout=out,
    )
    layer = ContextLayer.objects.get()
    assert (layer.feature_count, str(layer.valid_from)) == (1, "2024-05-01")
    assert "1 places" in out.getvalue()


def test_the_admin_loads_an_extract_and_asks_what_to_take(agency, owner, sign_in, tmp_path):
    client = sign_in(owner)
    path = osm(tmp_path / "town.osm.pbf")
    given = {"agency": agency.pk, "name": "Bars", "slug": "bars", "kind": "risk", "valid_from": "2024-05-01"}

    def send(**more: str):
        file = SimpleUploadedFile(path.name, path.read_bytes())
        return client.post(reverse("admin:ingestion_contextlayer_add"), {**given, "file": file, **more})

    assert "say what to take from it" in send().content.decode()
    assert not ContextLayer.objects.exists()
    assert send(osm="bars").status_code == 302
    assert ContextLayer.objects.get().feature_count == 1
