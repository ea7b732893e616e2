"""The first rows of a real city's export, through the command, in the ready-made profile."""

from __future__ import annotations

import gzip
import json
from io import StringIO
from itertools import islice

import pytest
import shapely
import shapely.geometry
from django.core.management import call_command

from agencies.engine.geometry import geojson_from_polygon
from agencies.models import Agency, CrimeType
from ingestion.models import ImportRun, Incident
from ingestion.selectors import incident_table
from ingestion.services.tally import CLASSES

ROWS = 20_000
TYPES = (
    ("Homicide", "09A"),
    ("Assault", "13A"),
    ("Robbery", "120"),
    ("Burglary", "220"),
    ("Theft", "23H"),
    ("Car theft", "240"),
)


@pytest.fixture
def chicago(db, shared_data) -> Agency:
    shapes = json.loads((shared_data / "chicago" / "districts.geojson").read_text())["features"]
    area = shapely.union_all([shapely.make_valid(shapely.geometry.shape(f["geometry"])) for f in shapes])
    agency = Agency.objects.create(
        slug="chicago", name="Chicago", time_zone="America/Chicago", boundary=geojson_from_polygon(area)
    )
    for name, code in TYPES:
        CrimeType.objects.create(
            agency=agency, name=name, slug=name.lower().replace(" ", "-"), nibrs_code=code, letter=name[0]
        )
    return agency


def test_a_portal_export_imports_out_of_the_box_and_again_without_a_change(chicago, shared_data, tmp_path):
    path = tmp_path / "portal.csv"
    with gzip.open(shared_data / "chicago" / "portal_2017.csv.gz", "rt") as whole:
        path.write_text("".join(islice(whole, ROWS + 1)))
    arguments = {"agency": "chicago", "feed": "portal", "create_feed": True, "profile": "socrata"}
    for _ in range(2):
        call_command("import_incidents", str(path), **arguments, stdout=StringIO(), stderr=StringIO())
    first, second = ImportRun.objects.order_by("pk")
    for run in (first, second):
        assert run.counts["received"] == ROWS == sum(run.counts[name] for name in CLASSES)
    assert first.counts["inserted"] == second.counts["unchanged"] == Incident.objects.count() > 7_000
    assert second.counts["inserted"] == second.counts["updated"] == 0
    assert set(first.rejections) <= {"missing_coordinates", "outside_boundary"}
    assert first.counts["quarantined"] < 0.02 * ROWS
    assert {"drugs", "simple_assault", "vandalism", "sex_offences"} <= set(first.refusals)
    table = incident_table(chicago, epsg=32616)
    assert len(table) == first.counts["inserted"]
    assert set(table.categories) == {name.lower().replace(" ", "-") for name, _ in TYPES}
