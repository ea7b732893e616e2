"""Files that are no good, at the upload's door: each is answered with what is wrong and what to do, and nothing is kept."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from ingestion.models import Feed, ImportRun, Incident
from tests.ingestion.files import good_row
from tests.ingestion.reports import SUFFIX, WRITERS

GOOD = {"id": "1", "occurred_at": "2025-01-01T00:00:00", "nibrs_code": "220", "lat": "1", "lon": "1"}
BOMB = '<!DOCTYPE a [<!ENTITY x "boom"><!ENTITY y "&x;&x;&x;&x;">]><IncidentReport>&y;</IncidentReport>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><IncidentReport>&x;</IncidentReport>'


def whole(kind: str) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{SUFFIX[kind]}"
        WRITERS[kind](path, [good_row(number) for number in range(300)])
        return path.read_bytes()


def cut(kind: str) -> bytes:
    content = whole(kind)
    return content[: len(content) * 6 // 10]


def zip_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"id,occurred_at\n" + b"0" * (80 * 1024 * 1024))
    return packed.getvalue()


CASES = {
    "nothing": (lambda: b"", "a.csv"),
    "a workbook cut off": (lambda: cut("excel_file"), "a.xlsx"),
    "a table cut off": (lambda: cut("parquet_file"), "a.parquet"),
    "reports cut off": (lambda: cut("ndex_xml_file"), "a.xml"),
    "an array cut off": (lambda: b"[" + json.dumps(GOOD).encode() + b"," + b'{"id": "2", "occ', "a.json"),
    "an archive cut off": (lambda: gzip.compress(whole("csv_file"))[:-200], "a.csv.gz"),
    "an old workbook renamed": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.xlsx"),
    "a workbook with a password": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
        "a.xlsx",
    ),
    "a picture renamed": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(400), "a.csv"),
    "a document renamed": (lambda: b"%PDF-1.7 abc\n" + bytes(400), "a.xlsx"),
    "a huge cell": (lambda: b"id,occurred_at\n1," + b"x" * 3_000_000 + b"\n", "a.csv"),
    "binary marks throughout": (lambda: b"id,occurred_at\n" + bytes(4_000), "a.csv"),
    "an archive that fills a disk": (zip_bomb, "a.zip"),
    "XML that unfolds": (lambda: BOMB.encode(), "a.xml"),
    "XML that reads a file": (lambda: OUTSIDE.encode(), "a.xml"),
    "XML nested without end": (lambda: b"<IncidentReport>" + b"<a>" * 5_000, "a.xml"),
    "JSON nested without end": (lambda: b'{"a":' * 20_000, "a.json"),
    "JSON of a number that is none": (lambda: b"[NaN]", "a.json"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_answered_with_the_next_step_and_not_kept(
    case, owner, agency, sign_in, settings, tmp_path
):
    settings.SPOOL_DIR = tmp_path / "spool"
    feed = Feed.objects.create(agency=agency, name="RMS", slug="rms")
    content, name = CASES[case][0](), CASES[case][1]
    address = reverse("admin:ingestion_feed_upload", args=[feed.pk])
    answer = sign_in(owner).post(address, {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 200, "the form again, with its reason"
    (message,) = answer.context["form"].errors["file"]
    assert "Traceback" not in message
    assert "root:" not in message
    assert "Next step" in message or "empty" in message
    feed.refresh_from_db()
    assert feed.draft == {}
    assert not list((tmp_path / "spool").glob("*"))
    assert not ImportRun.objects.exists()
    assert not Incident.objects.exists()
