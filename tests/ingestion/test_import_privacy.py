"""What is about persons, or refused by policy, is nowhere after an import: not in the database, the spool, the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection

from ingestion.models import ImportRun
from ingestion.services import import_run_execute, import_run_queue, spool_store
from tests.ingestion.files import COLUMNS, good_row, plain_feed, write_rows

PERSONAL = ("victim_name", "suspect_dob", "home_address", "phone", "narrative")
SECRETS = ("Zebulon Quux", "1979-02-31", "77 Hidden Lane", "555-0199", "he told the officer")
REFUSED_ID = "SECRETDRUGCASE"


def everything_stored() -> str:
    """The whole database as text, and every file that the installation wrote."""
    text = "\n".join(connection.connection.iterdump())
    for path in Path(django_settings.VAR_DIR).rglob("*"):
        if path.is_file():
            text += path.read_bytes().decode("utf-8", "replace")
    return text


@pytest.mark.sqlite_only
def test_nothing_personal_and_nothing_refused_is_stored_anywhere(agency, settings, tmp_path, caplog):
    settings.SPOOL_DIR = Path(settings.VAR_DIR) / "spool-of-this-test"
    personal = dict(zip(PERSONAL, SECRETS, strict=True))
    rows = [good_row(number) | personal for number in range(60)]
    for number in range(0, 60, 3):
        rows[number] |= {"id": f"{REFUSED_ID}{number}", "nibrs_code": "35A", "code": "D-1"}
    rows[1] |= {"lat": "", "lon": ""}
    rows[4] |= {"occurred_at": "some day"}
    # A refused offence with another fault besides: refused first, so not even the quarantine has it.
    rows[6] |= {"lat": 0, "lon": 0}
    header = (*COLUMNS, *PERSONAL)
    path = write_rows(tmp_path / "a.csv", rows, header)
    name = spool_store(chunks=[path.read_bytes()])
    run = import_run_execute(
        run=import_run_queue(feed=plain_feed(agency, header=header), spool_name=name, file_name="a.csv")
    )
    assert run.counts["refused"] == 20
    assert run.counts["quarantined"] == 2
    stored = everything_stored() + caplog.text + "".join(ImportRun.objects.values_list("log", flat=True))
    assert "R00001" in stored, "the search would find what is stored"
    for secret in (*SECRETS, REFUSED_ID):
        assert secret not in stored


@pytest.mark.parametrize("column", PERSONAL)
def test_a_mapping_that_names_a_column_about_persons_is_refused_with_its_rule(agency, tmp_path, column):
    from missions_project.lib.errors import MissionsError

    feed = plain_feed(agency)
    feed.mapping = {**feed.mapping, "columns": {**feed.mapping["columns"], "description": column}}
    with pytest.raises(MissionsError, match=r"never accepted \(rule "):
        import_run_queue(feed=feed, path=tmp_path / "a.csv")


@pytest.mark.sqlite_only
def test_a_calendars_persons_a_layers_owners_and_a_census_files_traits_are_stored_nowhere(
    agency, settings, tmp_path, caplog
):
    import json
    from datetime import date

    from ingestion.services import census_import, context_feed_ensure, context_layer_import
    from tests.factories import rectangle

    settings.SPOOL_DIR = Path(settings.VAR_DIR) / "spool-of-this-test"
    name, mail, place, note, trait = (
        "Zebulon Quux",
        "zeb@quux.example",
        "77 Hidden Lane",
        "call him",
        "98.7654",
    )
    event = f"SUMMARY:Fair\nDESCRIPTION:{note}\nLOCATION:{place}\nORGANIZER;CN={name}:mailto:{mail}\nATTENDEE:mailto:{mail}"
    entries = (f"UID:R00001\nDTSTART:20240301T190000Z\n{event}", f"UID:R00002\nDTSTART:garbage\n{event}")
    body = "".join(f"BEGIN:VEVENT\n{entry}\nEND:VEVENT\n" for entry in entries)
    calendar = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{body}END:VCALENDAR\n".replace("\n", "\r\n")
    feed = context_feed_ensure(agency=agency, slug="games", kind="ical_file")
    run = import_run_queue(feed=feed, spool_name=spool_store(chunks=[calendar.encode()]), file_name="a.ics")
    assert import_run_execute(run=run).counts["quarantined"] == 1
    (tmp_path / "bars.csv").write_text(f"name,lat,lon,owner,address\nR00003,41.81,-87.69,{name},{place}\n")
    context_layer_import(agency=agency, slug="bars", name="Bars", path=tmp_path / "bars.csv")
    feature = {
        "type": "Feature",
        "geometry": rectangle(0, 0, 1_000, 1_000),
        "properties": {"name": "R00004", "population": 5, "pct_black": float(trait)},
    }
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    census_import(
        agency=agency, path=tmp_path / "a.geojson", valid_from=date(2020, 1, 1), columns=["population"]
    )
    stored = everything_stored() + caplog.text + "".join(ImportRun.objects.values_list("log", flat=True))
    for number in range(1, 5):
        assert f"R0000{number}" in stored, "the search would find what is stored"
    for secret in (name, mail, place, note, trait):
        assert secret not in stored
