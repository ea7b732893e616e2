"""Columns about persons, and census columns that must not steer patrols, are refused by name and rule."""

import json
from pathlib import Path

import pytest

from ingestion.engine.privacy import screen_census_columns, screen_columns
from ingestion.engine.profiles import PROFILES

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ("Victim Race", "race_or_ethnicity"),
        ("ethnicity", "race_or_ethnicity"),
        ("SuspectName", "person"),
        ("victim_age", "person"),
        ("first_name", "person_name"),
        ("LastName", "person_name"),
        ("Name", "person_name"),
        ("DOB", "date_of_birth"),
        ("date_of_birth", "date_of_birth"),
        ("Sex", "sex_or_gender"),
        ("Phone Number", "contact"),
        ("e-mail", "contact"),
        ("SSN", "identity_number"),
        ("LicensePlate", "vehicle_plate"),
        ("VIN", "vehicle_plate"),
        ("home_address", "address"),
        ("address", "address"),
        ("Narrative", "narrative"),
        ("Officer Notes", "narrative"),
        ("parolee_list", "person_list"),
        ("Arrest", "arrest"),
        ("Domestic", "relationship"),
        ("Median Income", "income"),
        ("education level", "education"),
        ("owner_occupied", "tenure"),
        # One word of capitals, numbered, or shortened, as records systems export them.
        ("VICTIMNAME", "person"),
        ("SUSPECTRACE", "person"),
        ("victim1_nm", "person"),
        ("LNAME", "person_name"),
        ("F_NAME", "person_name"),
        ("LAST_NM", "person_name"),
        ("OFFICERNAME", "person_name"),
        ("DATEOFBIRTH", "date_of_birth"),
        ("PHONE1", "contact"),
        ("PHONENUMBER", "contact"),
        ("SSNUM", "identity_number"),
        ("PLATENUMBER", "vehicle_plate"),
        ("BLOCKADDRESS", "address"),
    ],
)
def test_a_column_about_persons_is_named_with_its_rule(column: str, rule: str) -> None:
    violations = screen_columns(["ID", column])
    assert [violation.column for violation in violations] == [column]
    assert violations[0].rule == rule or rule in {"tenure", "date_of_birth"}
    assert violations[0].rule in violations[0].message


@pytest.mark.parametrize(
    "column",
    ["ID", "Case Number", "IUCR", "FBI Code", "Primary Type", "Date", "Updated On", "Latitude", "X Coordinate", "Beat", "datasource",
     "class", "pointx", "report_time", "Call Type", "officer_initiated", "Location Description", "discovery", "Reported Date",
     "Offense Name", "NIBRS Code", "Filename", "Trace Number", "Premises", "Vicinity", "Nature Name", "Zone Nm", "Microphone Id"],
)  # fmt: skip
def test_a_column_about_the_event_passes(column: str) -> None:
    assert screen_columns([column]) == []


def test_no_ready_made_profile_reads_a_column_about_persons() -> None:
    for profile in PROFILES:
        assert screen_columns([*profile.mapping.column_names, *profile.optional_columns.values()]) == []


@pytest.mark.parametrize(
    "column",
    ["GEOID", "population", "Total Population", "households", "housing_units", "vacant_units", "vacancy_rate", "median_age", "B01003_001E",
     "B25001_001E", "B11001_001E", "geometry"],
)  # fmt: skip
def test_census_columns_of_the_allow_list_pass(column: str) -> None:
    assert screen_census_columns([column]) == []


@pytest.mark.parametrize(
    "column",
    ["B01001A_001E", "B01001I_002E", "white", "pct_black", "hispanic", "median_income", "B19013_001E", "poverty_rate",
     "bachelor_degree", "owner_occupied", "renter_share", "per_capita_income", "unemployment", "households_in_poverty", "favourite_colour"],
)  # fmt: skip
def test_every_other_census_column_is_refused_by_name(column: str) -> None:
    assert [violation.column for violation in screen_census_columns([column])] == [column]


def test_a_real_census_file_is_refused_with_its_columns_named() -> None:
    path = SHARED / "chicago" / "community_areas_acs2014.geojson"
    if not path.exists():
        pytest.skip("the public data are not beside this checkout (../shared/data)")
    columns = list(json.loads(path.read_text())["features"][0]["properties"])
    refused = {violation.column for violation in screen_census_columns(columns)}
    assert refused == {"Wht14P", "Blk14P", "Hisp14P", "NoHS14", "HSGrad14", "ClgGrad14", "PerCInc14"}
    assert screen_census_columns(["ComAreaID", "Pop2014"]) == []
