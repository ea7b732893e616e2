"""A mapping says which column means what; a wrong one is refused with every fault named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.engine.mapping import FIELDS, FeedMapping, MappingError
from ingestion.engine.profiles import (
    HUNCHLAB_EVENTS,
    PLAIN,
    PROFILES,
    SOCRATA_CITY,
    match_profile,
    profile_of,
)
from ingestion.engine.rejections import REJECTION_CODES, Rejection, excerpt
from ingestion.engine.suggest import guess_mapping

PORTAL_HEADER = (
    "ID,Case Number,Date,IUCR,Primary Type,Description,Location Description,Arrest,Domestic,Beat,District,"
    "Community Area,FBI Code,X Coordinate,Y Coordinate,Latitude,Longitude"
).split(",")
HUNCHLAB_HEADER = (
    "datasource,id,class,datetimefrom,datetimeto,report_time,pointx,pointy,address,last_updated".split(",")
)
GOOD = PLAIN.mapping


def faults(mapping: FeedMapping) -> dict[str, str]:
    return {problem.setting: problem.message for problem in mapping.problems()}


@pytest.mark.parametrize(
    ("header", "profile"),
    [
        (PORTAL_HEADER, SOCRATA_CITY),
        (HUNCHLAB_HEADER, HUNCHLAB_EVENTS),
        (["id", "occurred_at", "code", "lat", "lon"], PLAIN),
    ],
)
def test_known_headers_find_their_profile_and_it_is_valid(header: list[str], profile: object) -> None:
    found = match_profile(header)
    assert found is profile
    assert found is not None
    found.mapping_for(header).validate(header)


def test_profiles_read_what_they_must_and_nothing_else() -> None:
    portal = SOCRATA_CITY.mapping_for([*PORTAL_HEADER, "Updated On"])
    assert not {"Arrest", "Domestic", "Case Number", "Beat"} & set(portal.column_names)
    assert portal.columns["last_updated"] == "Updated On"
    assert "reported_at" not in portal.columns
    hunchlab = HUNCHLAB_EVENTS.mapping_for(HUNCHLAB_HEADER)
    assert "address" not in hunchlab.column_names
    assert hunchlab.code_separator == "|"
    assert match_profile(["a", "b"]) is None
    assert [profile_of(profile.key) for profile in PROFILES] == list(PROFILES)


def test_a_mapping_survives_json() -> None:
    mapping = HUNCHLAB_EVENTS.mapping_for(HUNCHLAB_HEADER).replaced(
        crs=2272, ignored_codes=("X",), constants={"discovery": "reported"}
    )
    assert FeedMapping.from_json(mapping.to_json()) == mapping


@pytest.mark.parametrize(
    "data",
    [
        {"colums": {}},
        {"columns": []},
        {"crs": "4326"},
        {"crs": True},
        {"ignored_codes": "X"},
        {"date_format": 3},
    ],
)
def test_stored_data_of_another_shape_is_named(data: dict[str, object]) -> None:
    with pytest.raises(MappingError, match=next(iter(data))):
        FeedMapping.from_json(data)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "nonsense"]), st.sampled_from(["a", "b", "race", ""]), max_size=6
    )
)
def test_any_mapping_is_judged_without_an_exception(columns: dict[str, str]) -> None:
    mapping = FeedMapping(columns=columns)
    assert all(problem.message for problem in mapping.problems(["a", "b"]))


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"columns": {**GOOD.columns, "external_id": ""}}, "external_id"),
        ({"columns": {k: v for k, v in GOOD.columns.items() if k != "occurred_from"}}, "occurred_from"),
        ({"columns": {k: v for k, v in GOOD.columns.items() if k != "code"}}, "code"),
        ({"columns": {k: v for k, v in GOOD.columns.items() if k != "lat"}}, "lon"),
        ({"columns": {**GOOD.columns, "x": "x", "y": "y"}}, "lon"),
        ({"columns": {**GOOD.columns, "lat": "lon"}}, "lat"),
        ({"columns": {**GOOD.columns, "colour": "c"}}, "colour"),
        ({"columns": {**GOOD.columns, "description": "Victim Race"}}, "Victim Race"),
        ({"constants": {"external_id": "1"}}, "external_id"),
        ({"constants": {"occurred_to": "now"}}, "occurred_to"),
        ({"constants": {"discovery": "rumour"}}, "discovery"),
        ({"date_format": "%H:%M"}, "date_format"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"delimiter": "x"}, "delimiter"),
        ({"encoding": "klingon"}, "encoding"),
        ({"record_kind": "rumours"}, "record_kind"),
        ({"discovery_values": {"a": "b"}}, "discovery_values"),
    ],
)
def test_each_fault_of_a_mapping_is_named(changes: dict[str, object], setting: str) -> None:
    assert setting in faults(GOOD.replaced(**changes))


def test_a_coordinate_system_that_does_not_exist_is_named() -> None:
    columns = {k: v for k, v in GOOD.columns.items() if k not in ("lon", "lat")} | {"x": "px", "y": "py"}
    assert faults(GOOD.replaced(columns=columns, crs=3435)) == {}
    assert "EPSG" in faults(GOOD.replaced(columns=columns, crs=999_999))["crs"]


def test_a_column_that_the_file_lacks_is_named() -> None:
    with pytest.raises(MappingError, match="occurred_at"):
        GOOD.validate(["id", "code", "lat", "lon"])


def test_an_unknown_header_gets_a_guess_without_columns_about_persons() -> None:
    header = [
        "incident_number",
        "crime_type",
        "occurred_date",
        "reported_date",
        "victim_race",
        "X",
        "Y",
        "narrative",
    ]
    row = dict(zip(header, ["1", "BURG", "31/12/2020 10:00", "", "w", "-87.1", "41.2", "x"], strict=True))
    guess = guess_mapping(header, [row])
    assert guess.mapping.columns == {
        "external_id": "incident_number",
        "code": "crime_type",
        "occurred_from": "occurred_date",
        "reported_at": "reported_date",
        "x": "X",
        "y": "Y",
    }
    assert guess.mapping.date_format == "%d/%m/%Y %H:%M"
    assert guess.mapping.problems(header) == []


def test_a_guess_says_what_it_does_not_know() -> None:
    header = ["id", "offense code", "date", "x", "y"]
    row = dict(zip(header, ["1", "B", "01/02/2020", "1180000", "1870000"], strict=True))
    notes = " ".join(guess_mapping(header, [row]).notes)
    assert "exchanged" in notes
    assert "EPSG" in notes
    assert "not mapped" in " ".join(guess_mapping(["foo", "bar"], []).notes)


def test_every_rejection_code_has_a_meaning_and_a_next_step() -> None:
    for code, entry in REJECTION_CODES.items():
        assert code == entry.code
        assert len(entry.code) <= 40
        assert entry.remedy.endswith(".")
        assert entry.meaning in Rejection(code, "lon", "x").message


def test_an_excerpt_can_be_stored_anywhere_and_says_when_it_is_one() -> None:
    assert excerpt("a\x00b") == "a\u2400b"
    excerpt("caf\udce9").encode("utf-8")
    assert excerpt("x" * 500).endswith("(500 characters)")
