"""Census figures at the door: what a forecast may read comes in, everything else is refused by name."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from ingestion.audit.models import AuditArea, AuditTable
from ingestion.engine.census import judge_columns
from ingestion.models import CensusArea
from ingestion.services import census_import
from missions_project.lib.errors import MissionsError
from tests.factories import make_member, rectangle

CHICAGO_REFUSED = ("Wht14P", "Blk14P", "Hisp14P", "NoHS14", "HSGrad14", "ClgGrad14", "PerCInc14")


def areas_file(path: Path, *rows: dict) -> Path:
    features = [
        {
            "type": "Feature",
            "geometry": rectangle(0, 2_000.0 * k, 4_000, 2_000.0 * (k + 1)),
            "properties": row,
        }
        for k, row in enumerate(rows)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize(
    ("column", "figure"),
    [
        ("B01003_001E", "population"),
        ("Pop2014", "population"),
        ("P1_001N", "population"),
        ("Households", "households"),
        ("B11001_001E", "households"),
        ("B25001_001E", "housing_units"),
        ("B25002_003E", "vacant_units"),
        ("H1_003N", "vacant_units"),
        ("median_age", "median_age"),
        ("B01002_001E", "median_age"),
    ],
)
def test_an_allowed_column_is_known_by_its_name_or_its_table(column, figure):
    assert judge_columns([column]).figures == {figure: (column,)}


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        *((f"B01001{letter}_001E", "race_or_ethnicity") for letter in "ABCDEFGHI"),
        ("B02001_003E", "race_or_ethnicity"),
        ("P1_003N", "race_or_ethnicity"),
        ("B15003_022E", "education"),
        ("B19013_001E", "income"),
        ("B25003_002E", "tenure"),
        ("S1701_C01_001E", "income"),
        ("B11001_002E", "relationship"),
        ("DP05_0001E", "not_on_census_list"),
        ("Wht14P", "race_or_ethnicity"),
        ("owner_occupied_units", "tenure"),
        ("crime_rate", "not_on_census_list"),
    ],
)
def test_any_other_column_is_refused_with_its_rule(column, rule):
    (refused,) = judge_columns(["GEOID", "population", column]).refused
    assert (refused.column, refused.rule) == (column, rule)
    assert "audit store" in refused.message


def test_keys_age_groups_and_margins_of_error_are_neither_kept_nor_refused():
    verdict = judge_columns(["GEOID", "Under18P", "Over65P", "B01003_001M", "ComAreaID", "B01001_002E"])
    assert not verdict.refused
    assert not verdict.figures


def test_areas_are_stored_with_their_figures_and_a_later_file_of_the_same_day_replaces_them(agency, tmp_path):
    path = areas_file(
        tmp_path / "a.geojson",
        {"NAME": "South", "population": 3_000, "households": 900, "Vacant units": 40, "median_age": 31.5},
        {
            "NAME": "North",
            "population": 500,
            "households": None,
            "Vacant units": -666666666,
            "median_age": 40,
        },
    )
    for _ in range(2):
        done = census_import(agency=agency, path=path, valid_from=date(2016, 12, 8))
    assert done.figures == ("population", "households", "vacant_units", "median_age")
    north, south = CensusArea.objects.order_by("name")
    assert (south.population, south.households, south.vacant_units, south.median_age) == (
        3_000,
        900,
        40,
        31.5,
    )
    assert (north.population, north.households, north.vacant_units) == (500, None, None), (
        "no estimate is no figure"
    )
    assert north.housing_units is None


def test_a_file_with_refused_columns_is_refused_whole_and_names_the_next_step(agency, tmp_path):
    path = areas_file(tmp_path / "a.geojson", {"population": 3_000, "pct_black": 4.0, "median_income": 9})
    with pytest.raises(
        CommandError, match=r"pct_black \(race_or_ethnicity\), median_income \(income\)"
    ) as refused:
        call_command("import_census", str(path), agency="riverton", valid_from="2016-12-08")
    assert "--columns population" in str(refused.value)
    assert not CensusArea.objects.exists()


def test_population_alone_comes_in_and_the_rest_is_never_read(agency, tmp_path):
    path = areas_file(tmp_path / "a.geojson", {"population": 3_000, "pct_black": 4.0, "NAME": "South"})
    out = StringIO()
    call_command(
        "import_census",
        str(path),
        agency="riverton",
        valid_from="2016-12-08",
        columns="population",
        stdout=out,
    )
    assert "Never read: pct_black" in out.getvalue()
    assert CensusArea.objects.get().population == 3_000


@pytest.mark.parametrize("wanted", ["pct_black", "B19013_001E"])
def test_a_refused_column_cannot_be_asked_for_by_name(agency, tmp_path, wanted):
    path = areas_file(tmp_path / "a.geojson", {"population": 3_000, "pct_black": 4.0})
    with pytest.raises(MissionsError, match=wanted):
        census_import(agency=agency, path=path, valid_from=date(2016, 1, 1), columns=[wanted])
    assert not CensusArea.objects.exists()


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([{"population": 1, "Pop2014": 2}], [], "2 columns of population"),
        ([{"population": "many"}], [], "not a number"),
        ([{"GEOID": "1"}], [], "holds none of population"),
        ([{"population": 1}], ["households"], "no column of households"),
        ([{"population": 1}], ["dwarfs"], "audit store|no column dwarfs"),
        ([{"population": None}], [], "no area with an outline and a figure"),
    ],
)
def test_a_file_that_does_not_say_enough_is_refused_with_the_next_step(
    agency, tmp_path, rows, columns, message
):
    path = areas_file(tmp_path / "a.geojson", *rows)
    with pytest.raises(MissionsError, match=message) as refused:
        census_import(agency=agency, path=path, valid_from=date(2016, 1, 1), columns=columns)
    assert refused.value.next_step
    assert not CensusArea.objects.exists()


def test_chicagos_table_is_refused_for_modelling_taken_for_its_population_and_whole_by_the_audit_store(
    agency, shared_data
):
    path = str(shared_data / "chicago" / "community_areas_acs2014.geojson")
    given = {"agency": "riverton", "valid_from": "2015-12-03", "stdout": StringIO()}
    with pytest.raises(CommandError) as refused:
        call_command("import_census", path, **given)
    assert all(column in str(refused.value) for column in CHICAGO_REFUSED)
    assert not CensusArea.objects.exists()
    call_command("import_census", path, columns="population", **given)
    assert CensusArea.objects.count() == 77
    assert sum(CensusArea.objects.values_list("population", flat=True)) == pytest.approx(
        2_712_608, abs=60_000
    )
    call_command("import_audit_table", path, name="ACS 2014", **given)
    assert set(CHICAGO_REFUSED) <= set(AuditTable.objects.get().columns)
    assert AuditArea.objects.filter(name="DOUGLAS").get().values["Blk14P"] == pytest.approx(72.0793)


def upload(client, model: str, path: Path, **fields: object):
    file = SimpleUploadedFile(path.name, path.read_bytes())
    return client.post(
        reverse(f"admin:{model}_add"), {"valid_from": "2016-12-08", "file": file, **fields}, follow=True
    )


def test_the_admin_takes_a_census_file_and_shows_why_it_refuses_another(agency, owner, sign_in, tmp_path):
    client = sign_in(owner)
    bad = areas_file(tmp_path / "bad.geojson", {"population": 3_000, "pct_black": 4.0})
    page = upload(client, "ingestion_censusarea", bad, agency=agency.pk)
    assert "pct_black (race_or_ethnicity)" in page.content.decode()
    assert not CensusArea.objects.exists()
    page = upload(client, "ingestion_censusarea", bad, agency=agency.pk, columns=["population"])
    assert page.status_code == 200
    assert CensusArea.objects.get().agency == agency
    area = CensusArea.objects.get()
    assert client.get(reverse("admin:ingestion_censusarea_change", args=[area.pk])).status_code == 200


def test_another_agencys_areas_and_tables_do_not_exist(agency, owner, stranger, colleague, sign_in, tmp_path):
    path = areas_file(tmp_path / "a.geojson", {"population": 3_000, "pct_black": 4.0})
    client = sign_in(owner)
    upload(client, "ingestion_audit_audittable", path, agency=agency.pk, name="ACS")
    upload(client, "ingestion_censusarea", path, agency=agency.pk, columns=["population"])
    table, area = AuditTable.objects.get(), CensusArea.objects.get()
    assert table.areas.get().values == {"population": 3_000.0, "pct_black": 4.0}
    for person, status in ((owner, 200), (stranger, 302), (colleague, 302), (None, 302)):
        client = sign_in(person)
        for model, row in (("ingestion_audit_audittable", table), ("ingestion_censusarea", area)):
            assert client.get(reverse(f"admin:{model}_change", args=[row.pk])).status_code == status
    listing = sign_in(stranger).get(reverse("admin:ingestion_audit_audittable_changelist")).content.decode()
    assert "ACS" not in listing


def test_the_audit_store_takes_figures_of_areas_and_no_columns_about_single_persons(agency, tmp_path):
    path = areas_file(
        tmp_path / "a.geojson", {"pct_black": 4.0, "suspect_name": "J. Roe", "dob": "1980-01-01"}
    )
    with pytest.raises(CommandError, match=r"suspect_name \(person\), dob \(date_of_birth\)"):
        call_command("import_audit_table", str(path), agency="riverton", name="x", valid_from="2016-01-01")
    assert not AuditTable.objects.exists()


def test_auditors_and_administrators_see_which_tables_are_there_and_nobody_else(
    agency, owner, stranger, colleague, sign_in, tmp_path
):
    path = areas_file(tmp_path / "a.geojson", {"pct_black": 4.0})
    call_command("import_audit_table", str(path), agency="riverton", name="ACS", valid_from="2016-01-01")
    auditor = make_member(agency, "auditor")
    url = f"/{agency.slug}/data/audit-store/"
    for person, status in ((auditor, 200), (owner, 200), (colleague, 403), (stranger, 404), (None, 302)):
        answer = sign_in(person).get(url)
        assert answer.status_code == status
        assert ("pct_black" in answer.content.decode()) == (status == 200)
