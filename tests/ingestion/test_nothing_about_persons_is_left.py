"""After an import of a file full of columns about persons, by a real worker over a real broker, none of it is on the disk."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from tests.ingestion.files import COLUMNS, good_row, write_rows
from tests.ingestion.installation import Installation

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

PERSONS = {
    "victim_name": "Zebulon Quuxworth",
    "suspect_first_name": "Xanthippe",
    "date_of_birth": "1979-02-31",
    "license_plate": "QZX-9981",
    "phone": "555-0199-77",
    "email": "zebulon@quuxworth.example",
    "home_address": "77 Hidden Lane",
    "narrative": "he told the officer that his brother",
    "officer_badge": "BADGE-00417",
    "ssn": "078-05-1120",
}
QUEUE = """
import django; django.setup()
from celery import current_app
from pathlib import Path
from ingestion.models import Feed
from ingestion.services import import_run_queue, spool_store
from ingestion.tasks import import_task
current_app.conf.task_always_eager = False
for name in ("a.csv", "refused.csv"):
    spool = spool_store(chunks=[Path({folder!r}, name).read_bytes()])
    run = import_run_queue(feed=Feed.objects.get(slug="rms"), spool_name=spool, file_name=name)
    import_task.delay(run.pk)
"""


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_disk_holds_no_word_about_a_person(tmp_path):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    rows = [good_row(number) | PERSONS for number in range(80)]
    rows[3] |= {"lat": "", "lon": ""}
    rows[5] |= {"occurred_at": "some day"}
    rows[7] |= {"nibrs_code": "", "code": "ODD"}
    rows[9] |= {"nibrs_code": "35A", "id": "REFUSED-ROW"}
    header = (*COLUMNS, *PERSONS)
    file = write_rows(incoming / "a.csv", rows, header)
    # A row that cannot be split into columns: nobody knows which part of it is about whom.
    with file.open("a") as out:
        out.write("R99999,2024-01-01,one,two,three,four,five," + ",".join(PERSONS.values()) + ",and,more\n")
    # A file that is refused as a whole, in the first row's words.
    write_rows(incoming / "refused.csv", [good_row(n, lat="0", lon="0") | PERSONS for n in range(80)], header)

    one = Installation(tmp_path, "one")
    queue = QUEUE.format(folder=str(incoming))
    subprocess.run(
        [sys.executable, "-c", queue], cwd=settings.BASE_DIR, env=one.environment, check=True, timeout=120
    )
    waiting = {
        name: body for name, body in everything_below(one.folder).items() if "spool" not in Path(name).parts
    }
    assert any("broker" in Path(name).parts for name in waiting), "the message lies in the broker's folder"
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "missions_project", "worker", "--pool", "solo", "--loglevel", "DEBUG",
         "--logfile", str(one.folder / "worker.log")],
        cwd=settings.BASE_DIR, env=one.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            statuses = [status for status, *_ in one.runs()]
            if len(statuses) == 2 and set(statuses) <= {"succeeded", "failed"}:
                break
            time.sleep(0.3)
        assert sorted(statuses) == ["failed", "succeeded"]
    finally:
        worker.terminate()
        worker.communicate(timeout=60)
    stored = everything_below(one.folder)
    assert b"R00001" in stored["main/db.sqlite3" if "main/db.sqlite3" in stored else "db.sqlite3"], (
        "the search would find it"
    )
    assert stored["worker.log"], "the worker logs"
    assert len(one.quarantine()) == 4
    for moment in (waiting, stored):
        for name, body in moment.items():
            for word in (*PERSONS.values(), "REFUSED-ROW"):
                assert word.encode() not in body, (name, word)
    assert not [name for name in stored if "spool" in Path(name).parts], (
        "uploads are gone, the refused one too"
    )
    one.close()
