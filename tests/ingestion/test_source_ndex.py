"""Incident reports in XML become one row an offence; nothing about persons is ever held, and no trick of XML works."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.suggest import suggest_mapping
from ingestion.models import Feed, Incident, QuarantinedRow
from ingestion.sources import NdexFile, SourceError, source_from
from tests.ingestion.files import good_row, run_import
from tests.ingestion.reports import ENVELOPE, write_xml

MAPPING = FeedMapping(
    columns={
        "external_id": "OffenseID",
        "nibrs_code": "NIBRSCode",
        "occurred_from": "OccurredFrom",
        "lon": "Longitude",
        "lat": "Latitude",
    }
)
PERSONS = ("Victor", "Victimson", "Narcissa", "Cassandra", "Addressee", "Arno", "1999-09-09")


def opened(path: Path, mapping: FeedMapping | None = None, **params: Any) -> NdexFile:
    return source_from("ndex_xml_file", params).open(path, mapping=mapping)


def incident(tmp_path: Path, inside: str, outside: str = "") -> list[dict[str, str]]:
    """The rows of one report with this inside its incident."""
    text = ENVELOPE.format(
        "<ndexia:IncidentReport><ndexia:Incident><nc:ActivityIdentification><nc:IdentificationID>25-1"
        f"</nc:IdentificationID></nc:ActivityIdentification>{inside}</ndexia:Incident>{outside}</ndexia:IncidentReport>"
    )
    path = tmp_path / "a.xml"
    path.write_text(text)
    return opened(path).sample()


def offence(inside: str) -> str:
    return f"<ndexia:Offense>{inside}</ndexia:Offense>"


def place(name: str, lat: Any, lon: Any, key: str = "") -> str:
    return (
        f'<nc:{name} s:id="{key}"><nc:LocationTwoDimensionalGeographicCoordinate>'
        f"<nc:GeographicCoordinateLatitude><nc:LatitudeDegreeValue>{lat}</nc:LatitudeDegreeValue></nc:GeographicCoordinateLatitude>"
        f"<nc:GeographicCoordinateLongitude><nc:LongitudeDegreeValue>{lon}</nc:LongitudeDegreeValue>"
        f"</nc:GeographicCoordinateLongitude></nc:LocationTwoDimensionalGeographicCoordinate></nc:{name}>"
    )


def test_the_usual_report_is_read_and_its_columns_are_guessed(tmp_path):
    reader = opened(write_xml(tmp_path / "a.xml", [good_row(1)]))
    (row,) = reader.sample()
    known = good_row(1)
    assert row["IncidentID"] == "R00001"
    assert row["OffenseID"] == "R00001-220"
    assert row["NIBRSCode"] == "220"
    assert row["OccurredFrom"] == known["occurred_at"]
    assert (row["Latitude"], row["Longitude"]) == (str(known["lat"]), str(known["lon"]))
    guessed = suggest_mapping(reader.header, reader.sample(), "incidents").columns
    assert guessed["nibrs_code"] == "NIBRSCode"
    assert guessed["occurred_from"] == "OccurredFrom"
    assert (guessed["lon"], guessed["lat"]) == ("Longitude", "Latitude")


def test_each_offence_is_a_row_with_an_identifier_that_survives_reordering(tmp_path):
    codes = ["220", "13A"]
    for order in (codes, codes[::-1]):
        rows = incident(
            tmp_path, "".join(offence(f"<ndexia:OffenseCode>{c}</ndexia:OffenseCode>") for c in order)
        )
        assert {row["OffenseID"]: row["NIBRSCode"] for row in rows} == {"25-1-220": "220", "25-1-13A": "13A"}
    numbered = offence(
        "<ndexia:OffenseSequenceID>7</ndexia:OffenseSequenceID><x:OffenseCode>B1</x:OffenseCode>"
    )
    (row,) = incident(tmp_path, numbered.replace("x:", "j:"))
    assert (row["OffenseID"], row["OffenseCode"], row["NIBRSCode"]) == ("25-1-7", "B1", "")


def test_an_incident_without_offences_is_one_row(tmp_path):
    (row,) = incident(tmp_path, "<nc:ActivityDate><nc:Date>2025-03-09</nc:Date></nc:ActivityDate>")
    assert (row["OffenseID"], row["OccurredFrom"], row["OffenseCode"]) == ("25-1", "2025-03-09", "")


def test_ranges_reports_and_updates_have_columns(tmp_path):
    (row,) = incident(
        tmp_path,
        "<nc:ActivityDateRange><nc:StartDate><nc:DateTime>2025-03-09T01:00:00-06:00</nc:DateTime></nc:StartDate>"
        "<nc:EndDate><nc:DateTime>2025-03-09T05:00:00-05:00</nc:DateTime></nc:EndDate></nc:ActivityDateRange>"
        "<j:IncidentReportedDate><nc:DateTime>2025-03-10T00:00:00Z</nc:DateTime></j:IncidentReportedDate>"
        "<nc:LastUpdatedDate><nc:Date>2025-03-11</nc:Date></nc:LastUpdatedDate>",
    )
    assert row["OccurredFrom"] == "2025-03-09T01:00:00-06:00"
    assert row["OccurredTo"] == "2025-03-09T05:00:00-05:00"
    assert row["ReportedAt"] == "2025-03-10T00:00:00Z"
    assert row["LastUpdated"] == "2025-03-11"


def test_degrees_minutes_and_seconds_become_degrees(tmp_path):
    minutes = "<nc:LongitudeDegreeValue>-87</nc:LongitudeDegreeValue><nc:LongitudeMinuteValue>37</nc:LongitudeMinuteValue>"
    seconds = "<nc:LongitudeSecondValue>30</nc:LongitudeSecondValue>"
    (row,) = incident(tmp_path, f"<nc:IncidentLocation>{minutes}{seconds}</nc:IncidentLocation>")
    assert row["Longitude"] == "-87.625"
    (row,) = incident(tmp_path, "<nc:Location><gml:pos xmlns:gml='g'>41.8 -87.6</gml:pos></nc:Location>")
    assert (row["Latitude"], row["Longitude"]) == ("41.8", "-87.6")


def test_of_several_places_the_one_tied_to_the_incident_counts_and_homes_never_do(tmp_path):
    both = place("Location", 41.1, -87.1, "HOME") + place("Location", 41.2, -87.2, "SCENE")
    home = (
        '<nc:PersonResidenceAssociation><nc:LocationReference s:ref="HOME"/></nc:PersonResidenceAssociation>'
    )
    scene = (
        '<j:OffenseLocationAssociation><nc:LocationReference s:ref="SCENE"/></j:OffenseLocationAssociation>'
    )
    for ties in (home, scene, home + scene):
        (row,) = incident(tmp_path, "", both + ties)
        assert (row["Latitude"], row["Longitude"]) == ("41.2", "-87.2")
    (row,) = incident(tmp_path, "", place("Location", 41.1, -87.1, "HOME") + home)
    assert row["Latitude"] == ""


def test_two_places_of_which_none_is_tied_keep_the_row_aside(tmp_path):
    incident(tmp_path, place("Location", 41.1, -87.1) + place("Location", 41.2, -87.2))
    (chunk,) = _chunks(tmp_path)
    assert [(r.rejection.code, r.rejection.field) for r in chunk.rejections] == [("repeated_field", "lon")]


def _chunks(tmp_path: Path) -> list[Any]:
    mapping = MAPPING.replaced(columns={**MAPPING.columns, "occurred_from": "IncidentID"})
    return list(opened(tmp_path / "a.xml", mapping).chunks(mapping))


def test_a_notice_of_deletion_is_kept_aside_and_not_imported(tmp_path):
    incident(tmp_path, "<lexs:DataItemPublishInstruction>DELETE</lexs:DataItemPublishInstruction>")
    (chunk,) = _chunks(tmp_path)
    assert [r.rejection.code for r in chunk.rejections] == ["deletion_notice"]


def test_nothing_about_persons_is_a_column_or_reaches_sample_facts_quarantine_or_log(
    agency, tmp_path, caplog
):
    rows = [good_row(n) for n in range(30)]
    rows[3] |= {"lat": "", "lon": ""}
    path = write_xml(tmp_path / "a.xml", rows)
    reader = opened(path)
    seen = f"{reader.header}{reader.sample()}{reader.survey()}"
    feed = Feed.objects.create(
        agency=agency, slug="x", name="X", kind="ndex_xml_file", mapping=MAPPING.to_json()
    )
    run = run_import(feed, path)
    seen += f"{run.log}{run.counts}{run.config_snapshot}{caplog.text}"
    seen += str(list(QuarantinedRow.objects.values())) + str(list(Incident.objects.values()))
    assert Incident.objects.count() == 29
    assert [word for word in PERSONS if word in seen] == []
    assert not any("Person" in column or "Address" in column or "Text" in column for column in reader.header)


BOMB = '<!DOCTYPE a [<!ENTITY b "{}"><!ENTITY c "&b;&b;&b;">]>'.format("x" * 100)


@pytest.mark.parametrize(
    "head",
    [
        BOMB,
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://example.org/a.dtd">',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://example.org/p"> %p;]>',
        "<!DOCTYPE a>",
    ],
)
def test_document_types_and_entities_are_refused(head, tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(f'<?xml version="1.0"?>{head}<IncidentReport>&b;</IncidentReport>')
    with pytest.raises(SourceError, match="document type or entities"):
        opened(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<a><b></a>", "damaged or cut off .*mismatched tag"),
        ("<a><IncidentReport><b>", "damaged or cut off"),
        ("<a>&undefined;</a>", "damaged or cut off"),
        ("<feed><entry/></feed>", "no incident report .*outermost element is feed"),
        ("<IncidentReport>" + "<a>" * 200 + "</a>" * 200 + "</IncidentReport>", "nested more than 100 deep"),
        ("<IncidentReport>" + "<a>x</a>" * 6_000 + "</IncidentReport>", "more than 5,000 values"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "damaged or cut off"),
    ],
)
def test_xml_that_cannot_be_read_is_refused_with_words(text, words, tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(SourceError, match=words):
        opened(path).survey()


def test_other_encodings_compression_and_a_named_element_are_understood(tmp_path):
    path = tmp_path / "a.xml"
    text = '<?xml version="1.0" encoding="iso-8859-1"?><a><Vorfall><CaseCode>Ü</CaseCode></Vorfall></a>'
    path.write_bytes(gzip.compress(text.encode("latin-1")))
    assert opened(path, record_element="x:Vorfall").sample()[0]["CaseCode"] == "Ü"


def test_a_narrative_of_fifty_megabytes_is_passed_over_in_little_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "a.xml"
    with path.open("w") as file:
        file.write("<a><IncidentReport><ActivityDescriptionText>")
        for _ in range(50):
            file.write("word " * 200_000)
        file.write(
            "</ActivityDescriptionText><IncidentCategoryCode>1</IncidentCategoryCode></IncidentReport></a>"
        )
    tracemalloc.start()
    assert opened(path).sample()[0]["IncidentCategoryCode"] == "1"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@given(cut=st.integers(1, 3_000), junk=st.binary(max_size=40))
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_the_reader_fail_otherwise_than_in_words(cut, junk, tmp_path):
    path = write_xml(tmp_path / "a.xml", [good_row(1)])
    content = path.read_bytes()
    path.write_bytes(content[:cut] + junk + content[cut:])
    try:
        said = str(opened(path, MAPPING).survey(MAPPING).row_count)
    except SourceError as error:
        said = error.next_step
    assert said
