"""An unmodified HunchLab 2.0 client completes an upload: statuses, trailing slashes, log, and columns never stored."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pyproj
import pytest
from django.conf import settings
from django.db import connection

from agencies.models import Agency
from ingestion.models import ImportRun, Incident, OffenceCode
from ingestion.services import import_run_execute
from ingestion.tasks import import_task
from tests.factories import make_agency
from tests.ingestion.files import place
from tests.ingestion.old_client import OldClient
from tests.ingestion.pushing import make_token, push_feed

HEADER = "id,datetimefrom,datetimeto,class,pointx,pointy,report_time,address,last_updated,datasource"
PERSON = "340 Sesame Street, Jane Q. Public"


def line(number: int, x: float | str, y: float | str, **changes: str) -> str:
    cells = {
        "id": str(number), "from": "2025-01-01T12:00:00-5:00", "to": "2025-01-01T18:00:00Z", "class": "zzz|BURG",
        "updated": "2025-01-01T23:50:45Z",
    } | changes  # fmt: skip
    return (
        f'{cells["id"]},{cells["from"]},{cells["to"]},{cells["class"]},{x},{y},2025-01-01T19:50:00Z,"{PERSON}",'
        f"{cells['updated']},testcsv"
    )


def file_of(*lines: str) -> bytes:
    return "\r\n".join([HEADER, *lines, ""]).encode()


@pytest.fixture
def old_client(transactional_db: None, live_server: Any) -> OldClient:
    agency = make_agency()
    feed = push_feed(agency, slug="rms")
    OffenceCode.objects.create(
        agency=agency, feed=feed, code="BURG", crime_type=agency.crimetype_set.get(slug="burglary")
    )
    return OldClient(live_server.url, make_token(feed))


def test_an_old_client_uploads_waits_and_reads_the_log(old_client: OldClient) -> None:
    lon, lat = place(1)
    x, y = pyproj.Transformer.from_crs(4326, 3435, always_xy=True).transform(*place(2))
    status, told = old_client.upload(file_of(line(1, lon, lat), line(2, lon, lat, to=""), line(3, "", "")))
    assert status == 202
    assert told["processing_status"] == "SUBM"
    assert not told["import_job_id"].isdigit()
    status, told = old_client.wait(told["import_job_id"])
    assert (status, told["processing_status"]) == (200, "COMP")
    assert told["log"].startswith("3 received: 2 inserted, 0 updated, 0 unchanged, 1 kept aside, 0 refused.")
    assert "Row 4 (testcsv/3): missing_coordinates" in told["log"]
    stored = Incident.objects.get(external_id="testcsv/1")
    # -5:00 is an offset, whatever the standard says of its missing zero.
    assert stored.occurred_from.isoformat() == "2025-01-01T17:00:00+00:00"
    status, told = old_client.upload(file_of(line(9, round(x, 2), round(y, 2))), srid="3435")
    assert old_client.wait(told["import_job_id"])[1]["processing_status"] == "COMP"
    placed = Incident.objects.get(external_id="testcsv/9")
    assert (round(placed.lon, 5), round(placed.lat, 5)) == pytest.approx(place(2), abs=1e-4)


def test_a_newer_last_updated_replaces_and_an_older_does_not(old_client: OldClient) -> None:
    lon, lat = place(1)
    for updated, end in (
        ("2025-02-02T00:00:00Z", "2025-01-01T19:00:00Z"),
        ("2025-02-01T00:00:00Z", "2025-01-01T20:00:00Z"),
    ):
        _, told = old_client.upload(file_of(line(1, lon, lat, updated=updated, to=end)))
        old_client.wait(told["import_job_id"])
    assert Incident.objects.get().occurred_to.isoformat() == "2025-01-01T19:00:00+00:00"


def test_while_it_waits_or_runs_the_answer_is_202(old_client: OldClient) -> None:
    with mock.patch.object(import_task, "delay_on_commit"):
        _, told = old_client.upload(file_of(line(1, *place(1))))
    job = told["import_job_id"]
    for address in (f"/api/dataservice/{job}", f"/api/dataservice/{job}/"):
        status, body = old_client.ask(address)
        assert (status, json.loads(body)["processing_status"]) == (202, "SUBM")
    run = ImportRun.objects.get(job_id=job)
    ImportRun.objects.filter(pk=run.pk).update(status="running")
    assert json.loads(old_client.ask(f"/api/dataservice/{job}")[1])["processing_status"] == "PROC"
    ImportRun.objects.filter(pk=run.pk).update(status="queued")
    import_run_execute(run=run)
    assert old_client.ask(f"/api/dataservice/{job}")[0] == 200


def test_the_address_is_never_in_the_spool(old_client: OldClient) -> None:
    ragged = f"7,2025-01-01T12:00:00Z,{PERSON}"
    with mock.patch.object(import_task, "delay_on_commit"):
        _, told = old_client.upload(file_of(line(1, *place(1)), "", ragged, line(2, *place(2))))
    run = ImportRun.objects.get(job_id=told["import_job_id"])
    kept = (Path(settings.SPOOL_DIR) / run.spool_name).read_bytes()
    assert b"Sesame" not in kept
    assert b"address" not in kept
    import_run_execute(run=run)
    # Its number is still that of the row in the client's own file.
    assert (
        "Row 4: wrong_column_count" in json.loads(old_client.ask(f"/api/dataservice/{run.job_id}")[1])["log"]
    )
    assert run.counts["inserted"] == 2


def test_a_failed_import_is_told_with_200_and_fail(old_client: OldClient) -> None:
    lines = [line(number, "east", "north") for number in range(30)]
    _, told = old_client.upload(file_of(*lines))
    status, told = old_client.wait(told["import_job_id"])
    assert (status, told["processing_status"]) == (200, "FAIL")
    assert "bad_coordinates" in told["log"] or "not a number" in told["log"]


@pytest.mark.parametrize(
    ("text", "srid", "words"),
    [
        (b"", None, "not in the file"),
        (b"id,name\r\n1,x\r\n", None, "pointx"),
        (file_of(line(1, 0, 0)), "four", "no number"),
        (file_of(line(1, 0, 0)), "999999", "no coordinate system"),
    ],
)
def test_what_cannot_be_read_is_400_with_the_next_step(
    old_client: OldClient, text: bytes, srid: str | None, words: str
) -> None:
    status, told = old_client.upload(text, srid)
    assert status == 400
    assert words in told["detail"]
    assert "Next step" in told["detail"]
    assert not ImportRun.objects.exists()


def test_a_bad_token_is_401_and_anothers_job_404(old_client: OldClient, live_server: Any) -> None:
    status, _ = OldClient(live_server.url, "0" * 40).upload(file_of(line(1, *place(1))))
    assert status == 401
    _, told = old_client.upload(file_of(line(1, *place(1))))
    other = OldClient(live_server.url, make_token(push_feed(make_agency("lakeside"))))
    assert other.ask("/api/dataservice/" + told["import_job_id"])[0] == 404
    assert other.ask("/api/dataservice/1")[0] == 404
    status, _ = old_client.ask("/api/dataservice/", b"nothing", "application/x-www-form-urlencoded")
    assert status == 400


def test_uploads_and_pushes_go_on_beside_an_import(old_client: OldClient) -> None:
    """A push waits for no importer: it takes no lock that lasts longer than a chunk."""
    from ingestion.services.locks import import_lock
    from tests.ingestion.files import good_row
    from tests.ingestion.pushing import push

    agency = Agency.objects.get(slug="riverton")
    feed = push_feed(agency, slug="live")
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with import_lock(feed):
            entered.set()
            leave.wait(20)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert entered.wait(10)
        assert push(make_token(feed), "incidents", [good_row(1)]).status_code == 200
    finally:
        leave.set()
        holder.join()
