"""What a file becomes: usable incidents once, unusable rows kept aside, refused rows nowhere."""

from __future__ import annotations

import pytest

from ingestion.models import Incident, QuarantinedRow
from ingestion.services.tally import CLASSES
from tests.ingestion.files import COLUMNS, dirty_rows, good_row, plain_feed, run_import, write_rows


def states(model=Incident):
    """Every stored fact without its key and the moment of its import."""
    skip = {"id", "imported_at"}
    names = [field.attname for field in model._meta.concrete_fields if field.attname not in skip]
    return sorted(model.objects.values_list(*names), key=repr)


def test_each_received_row_is_in_exactly_one_class(agency, tmp_path):
    run = run_import(plain_feed(agency), write_rows(tmp_path / "a.csv", dirty_rows()))
    assert run.counts["received"] == 200 == sum(run.counts[name] for name in CLASSES)
    assert run.counts["quarantined"] == sum(run.rejections.values()) > 0
    assert run.counts["refused"] == sum(sum(codes.values()) for codes in run.refusals.values()) == 20
    assert run.refusals == {"drugs": {"35A": 20}}
    assert set(run.rejections) == {
        "missing_coordinates",
        "bad_timestamp",
        "unmapped_code",
        "zero_coordinates",
    }
    assert run.counts["inserted"] == Incident.objects.count()


def test_importing_a_file_again_changes_nothing(agency, tmp_path):
    feed, path = plain_feed(agency), write_rows(tmp_path / "a.csv", dirty_rows())
    first = run_import(feed, path)
    before, kept = states(), QuarantinedRow.objects.count()
    second = run_import(feed, path)
    assert states() == before
    assert QuarantinedRow.objects.count() == kept == first.counts["quarantined"]
    assert second.counts["unchanged"] == first.counts["inserted"] + first.counts["unchanged"]
    assert second.counts["inserted"] == second.counts["updated"] == 0


def test_a_changed_record_is_updated_and_keeps_the_moment_of_its_first_import(agency, tmp_path):
    feed = plain_feed(agency)
    run_import(feed, write_rows(tmp_path / "a.csv", [good_row(1), good_row(2)]))
    Incident.objects.update(imported_at="2025-01-01T00:00Z")
    moved = good_row(1, occurred_at="2025-06-01T10:00:00")
    run = run_import(feed, write_rows(tmp_path / "b.csv", [moved, good_row(2)]))
    assert (run.counts["updated"], run.counts["unchanged"]) == (1, 1)
    stored = Incident.objects.get(external_id="R00001")
    assert f"{stored.occurred_from:%Y-%m-%d %H:%M}" == "2025-06-01 15:00"  # 10:00 in Chicago's summer
    assert stored.imported_at.year == 2025
    assert stored.imported_at.month == 1


def test_an_older_version_that_arrives_late_does_not_overwrite_a_newer_one(agency, tmp_path):
    columns = (*COLUMNS, "last_updated")
    feed = plain_feed(agency, header=columns)
    new = good_row(1, last_updated="2025-09-02T00:00:00", code="B-2")
    old = good_row(1, last_updated="2025-09-01T00:00:00", code="B-1")
    run_import(feed, write_rows(tmp_path / "a.csv", [new], columns))
    run = run_import(feed, write_rows(tmp_path / "b.csv", [old], columns))
    assert run.counts["unchanged"] == 1
    assert Incident.objects.get().code == "B-2"


def test_one_identifier_in_two_feeds_is_two_incidents(agency, tmp_path):
    path = write_rows(tmp_path / "a.csv", [good_row(1)])
    run_import(plain_feed(agency, "rms"), path)
    run_import(plain_feed(agency, "cad"), path)
    assert Incident.objects.count() == 2


def test_quarantined_rows_keep_their_mapped_columns_and_nothing_else(agency, tmp_path):
    columns = (*COLUMNS, "victim_name", "narrative")
    row = good_row(1, lat="", lon="", victim_name="Jane Roe", narrative="she said")
    run_import(plain_feed(agency), write_rows(tmp_path / "a.csv", [row], columns))
    kept = QuarantinedRow.objects.get()
    assert (kept.code, kept.field, kept.row_number) == ("missing_coordinates", "lon", 2)
    assert set(kept.values) == set(COLUMNS)
    assert "Roe" not in repr(kept.values)
    assert "she said" not in repr(kept.values)


def test_a_kept_row_is_closed_when_its_record_arrives_whole(agency, tmp_path):
    feed = plain_feed(agency)
    run_import(feed, write_rows(tmp_path / "a.csv", [good_row(1, lat="", lon="")]))
    assert QuarantinedRow.objects.filter(resolved_at=None).count() == 1
    run_import(feed, write_rows(tmp_path / "b.csv", [good_row(1)]))
    assert QuarantinedRow.objects.filter(resolved_at=None).count() == 0
    run_import(feed, write_rows(tmp_path / "a.csv", [good_row(1, lat="", lon="")]))
    assert QuarantinedRow.objects.filter(resolved_at=None).count() == 1, "as bad as before: open again"


def test_the_run_tells_what_it_read_and_with_which_mapping(agency, tmp_path):
    feed = plain_feed(agency)
    run = run_import(feed, write_rows(tmp_path / "a.csv", [good_row(1)]))
    assert run.status == "succeeded"
    assert run.file_name == "a.csv"
    assert run.config_snapshot["mapping"] == feed.mapping
    assert len(run.data_hash) == 32


def test_calls_for_service_become_calls_and_only_those_about_shots_carry_a_crime_type(agency, tmp_path):
    from agencies.models import CrimeType
    from ingestion.models import CallForService

    CrimeType.objects.create(agency=agency, name="Gunfire", slug="gunfire", nibrs_code="gunfire", letter="G")
    columns = ("id", "occurred_at", "code", "description", "lat", "lon")
    rows = [
        good_row(1, code="SHOTS", description="SHOTS FIRED", nibrs_code=""),
        good_row(2, code="ROB", description="ROBBERY REPORT", nibrs_code=""),
        good_row(3, code="NOISE", description="LOUD PARTY", nibrs_code=""),
    ]
    feed = plain_feed(agency, header=columns, record_kind="calls")
    run_import(feed, write_rows(tmp_path / "a.csv", rows, columns))
    found = dict(CallForService.objects.values_list("code", "crime_type__slug"))
    assert found == {"SHOTS": "gunfire", "ROB": None, "NOISE": None}


@pytest.mark.parametrize("active", [False])
def test_an_inactive_feed_accepts_no_import(agency, tmp_path, active):
    from missions_project.lib.errors import MissionsError

    feed = plain_feed(agency, is_active=active)
    with pytest.raises(MissionsError, match="inactive"):
        run_import(feed, write_rows(tmp_path / "a.csv", [good_row(1)]))
