"""A refused offence does not become gunfire by arriving as an alert or a call: the national code decides there too."""

from __future__ import annotations

import datetime as dt

import pytest

from agencies.models import CrimeType
from ingestion.engine.codes import Accepted, CodeEntry, CodeTable, Refusal
from ingestion.engine.mapping import FeedMapping
from ingestion.engine.normalise import NormaliseContext, NormalisedIncident, normalise
from ingestion.models import GunfireAlert, Incident
from ingestion.selectors import incident_table
from ingestion.services import import_run_execute, import_run_queue
from missions_project.lib.errors import MissionsError
from tests.ingestion.files import good_row, plain_feed, write_rows

TABLE = CodeTable(
    crime_types={"burglary": "220", "gunfire": "gunfire"},
    entries={"SHOTS": CodeEntry(crime_type="gunfire"), "D1": CodeEntry(nibrs_code="35A")},
)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"code": "x", "nibrs": "35A"}, "drugs"),
        ({"code": "x", "ucr": "18"}, "drugs"),
        ({"code": "D1"}, "drugs"),
        ({"code": "SHOTS", "nibrs": "520"}, "weapon_law"),
        ({"code": "x", "nibrs": "220"}, "not_gunfire"),
        ({"code": "x", "description": "Possession of cannabis"}, "drugs"),
        ({"code": "TRAFFIC_STOP"}, "group_b"),
    ],
)
def test_an_alert_that_carries_a_refused_or_another_offence_is_not_gunfire(row, rule) -> None:
    decision = TABLE.decide(kind="gunfire", **row)
    assert isinstance(decision, Refusal)
    assert decision.rule == rule


@pytest.mark.parametrize(
    "label", ["", "Multiple_Gunshots", "Probable Gunfire", "POSSIBLE GUN SHOT", "shooting"]
)
def test_a_sensors_own_labels_stay_gunfire(label) -> None:
    assert TABLE.decide(code=label, kind="gunfire") == Accepted("gunfire", label)


@pytest.mark.parametrize(
    "said", [{"nibrs": "220"}, {"ucr": "02"}, {"description": "Sexual assault"}, {"nibrs": "13B"}]
)
def test_a_call_mapped_to_gunfire_is_a_plain_call_where_the_row_says_otherwise(said) -> None:
    decision = TABLE.decide(code="SHOTS", kind="calls", **said)
    assert isinstance(decision, Accepted)
    assert decision.crime_type != "gunfire"


def test_a_call_mapped_to_gunfire_is_gunfire_where_the_row_says_nothing_else() -> None:
    assert TABLE.decide(code="SHOTS", kind="calls") == Accepted("gunfire", "SHOTS")
    assert TABLE.decide(code="SHOTS", description="Shots heard", kind="calls") == Accepted("gunfire", "SHOTS")


@pytest.mark.django_db
@pytest.mark.parametrize("slipped", [{"nibrs_code": "35A"}, {"name": "Loitering"}])
def test_a_refused_crime_type_that_slipped_into_the_table_reaches_no_engine(agency, slipped) -> None:
    CrimeType.objects.filter(agency=agency, slug="burglary").update(**slipped)
    with pytest.raises(MissionsError, match="cannot be forecast"):
        incident_table(agency, epsg=32616)


@pytest.mark.django_db
def test_a_feed_mapped_as_gunfire_cannot_be_turned_into_a_feed_of_incidents(agency, tmp_path) -> None:
    CrimeType.objects.create(
        agency=agency, name="Gunfire", slug="gunfire", nibrs_code="gunfire", letter="G", weight=1
    )
    feed = plain_feed(agency, record_kind="gunfire")
    path = write_rows(tmp_path / "a.csv", [good_row(number) for number in range(3)])
    feed.record_kind = "incidents"
    with pytest.raises(Exception, match="mapped as gunfire"):
        feed.full_clean()
    feed.save()
    with pytest.raises(MissionsError, match="mapped as gunfire"):
        import_run_queue(feed=feed, path=path)
    type(feed).objects.filter(pk=feed.pk).update(record_kind="gunfire")
    feed.refresh_from_db()
    run = import_run_queue(feed=feed, path=path)
    type(feed).objects.filter(pk=feed.pk).update(record_kind="incidents")
    run.refresh_from_db()
    with pytest.raises(MissionsError, match="mapped as gunfire"):
        import_run_execute(run=type(run).objects.get(pk=run.pk))
    assert not Incident.objects.exists()
    assert not GunfireAlert.objects.exists()


def test_a_national_code_for_a_whole_file_does_not_silence_its_rows() -> None:
    mapping = FeedMapping(
        columns={
            "external_id": "id",
            "occurred_from": "at",
            "lon": "lon",
            "lat": "lat",
            "description": "what",
        },
        constants={"nibrs_code": "220"},
    )
    mapping.validate()
    context = NormaliseContext(
        zone="UTC", now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), codes=TABLE, boundary=None
    )
    row = {"id": "1", "at": "2025-06-01T10:00:00", "lon": "-87.65", "lat": "41.85"}
    assert isinstance(normalise(row | {"what": "Cannabis possession"}, mapping, context), Refusal)
    for what in ("", "Burglary of a shop"):
        assert isinstance(normalise(row | {"what": what}, mapping, context), NormalisedIncident)
