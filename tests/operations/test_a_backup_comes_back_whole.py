"""A backup is the installation: each table's rows and each file come back, and nothing that was tampered with does."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from agencies.audit_guards import guards_missing
from agencies.models import Agency, AuditEvent, CrimeType, Unit
from agencies.services import audit_record
from agencies.services.audit_log import audit_retire, audit_verify
from ingestion.models import VehiclePosition
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import no_progress
from missions_project.operations.backup import manifest as manifests
from missions_project.operations.backup.databases import database
from missions_project.operations.backup.sealed_stream import CHUNK_BYTES, SealedReader, SealedWriter
from missions_project.operations.backup.services import MARK, backup_make, backup_restore, backup_verify
from missions_project.operations.backup.table_hashes import TableHash, differences
from tests.auditing import without_guards
from tests.factories import make_agency, make_member
from tests.ingestion.files import plain_feed

KEY = "k" * 20 + "0123456789abcdef"
OTHER = "o" * 20 + "0123456789abcdef"
NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


@pytest.fixture
def installation(settings: Any, tmp_path: Path, transactional_db: None) -> Path:
    """An agency with people and two model files, and folders of its own."""
    settings.BACKUP_KEYS = (KEY,)
    settings.VAR_DIR = tmp_path / "var"
    settings.ARTEFACT_DIR, settings.SPOOL_DIR = tmp_path / "var" / "models", tmp_path / "var" / "spool"
    (settings.ARTEFACT_DIR / "riverton").mkdir(parents=True)
    settings.SPOOL_DIR.mkdir()
    (settings.ARTEFACT_DIR / "riverton" / "burglary-1.joblib").write_bytes(os.urandom(3 * CHUNK_BYTES + 17))
    (settings.ARTEFACT_DIR / "empty.joblib").write_bytes(b"")
    (settings.SPOOL_DIR / "waiting.csv").write_text("id,when\n1,ünïcode\n")
    (settings.ARTEFACT_DIR / "riverton" / "burglary-1.joblib.seal").write_text("12345678:" + "a" * 64)
    agency = make_agency(name="Ríverton “PD”")
    owner = make_member(agency, "admin", username="owner")
    # One that has a month's piece on PostgreSQL, and one that lies in the rest.
    for at in (timezone.now(), NOW - timedelta(days=3_650)):
        VehiclePosition.objects.create(
            agency=agency, feed=plain_feed(agency, f"avl-{at:%Y}"), unit_code="R11", at=at, lon=0, lat=0, is_known_unit=True
        )  # fmt: skip
    for number in range(4):
        audit_record(agency=agency, actor=owner, action="unit.changed", subject=f"Unit {number}")
    audit_retire(events=AuditEvent.objects.filter(sequence__lte=2), why="Old.")
    return tmp_path


def state(folder: Path) -> dict[str, bytes]:
    below = folder / "var"
    return {
        str(path.relative_to(below)): path.read_bytes()
        for path in below.rglob("*")
        if path.is_file() and path.name != MARK
    }


def test_every_table_and_file_comes_back_as_it_was(installation: Path) -> None:
    before, files = database().hashes(progress=no_progress), state(installation)
    made = backup_make(to=installation / "backups", now=NOW)
    assert made.rows == sum(table.rows for table in before.values()) > 20
    assert made.files == 4
    # Somebody ruins everything.
    Unit.objects.all().delete()
    Agency.objects.update(name="Gone")
    CrimeType.objects.filter(pk=CrimeType.objects.order_by("pk")[0].pk).update(name="Other")
    models = installation / "var" / "models"
    (models / "empty.joblib").unlink()
    (models / "riverton" / "burglary-1.joblib").write_bytes(b"changed")
    (models / "stray.joblib").write_bytes(b"made since")
    with without_guards():
        AuditEvent.objects.all().delete()
    audit_record(agency=Agency.objects.get(), actor=None, action="x", subject="written since")
    assert len(differences(before, database().hashes(progress=no_progress))) == 5
    backup_restore(path=made.path, force=True)
    assert database().hashes(progress=no_progress) == before
    assert state(installation) == files
    # The audit log, although nothing may take a row out of it: whole, and guarded again.
    assert guards_missing(connection) == []
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        AuditEvent.objects.all().delete()
    reports = [(report.rows, report.retired, report.problems) for report in audit_verify()]
    assert reports == [(2, 2, ())]
    # And the database is one to go on with: its numbers go on after the restored rows.
    assert Agency.objects.get().name == "Ríverton “PD”"
    assert make_agency("lakeside").pk > Agency.objects.get(slug="riverton").pk


def test_what_holds_rows_is_not_replaced_by_mistake(installation: Path) -> None:
    made = backup_make(to=installation / "backups", now=NOW)
    Agency.objects.update(name="Newer")
    with pytest.raises(MissionsError, match=r"not empty .* --force"):
        backup_restore(path=made.path)
    assert Agency.objects.get().name == "Newer"


def test_a_backup_is_sealed_and_readable_by_its_owner_alone(installation: Path, settings: Any) -> None:
    made = backup_make(to=installation / "backups", now=NOW)
    text = made.path.read_bytes()
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert not any(word in text for word in (b"riverton", b"manifest", b"SQLite format", b"PGDMP", b"owner"))
    settings.BACKUP_KEYS = (OTHER,)
    with pytest.raises(MissionsError, match="No key opens this backup"):
        backup_verify(path=made.path)
    # A new key seals, the old one still opens.
    settings.BACKUP_KEYS = (OTHER, KEY)
    assert backup_verify(path=made.path).vendor == connection.vendor


@pytest.mark.parametrize("where", [60, CHUNK_BYTES + 100, -1])
def test_one_changed_byte_is_found_before_anything_is_replaced(installation: Path, where: int) -> None:
    made = backup_make(to=installation / "backups", now=NOW)
    text = bytearray(made.path.read_bytes())
    text[where] ^= 1
    made.path.write_bytes(text)
    before = database().hashes(progress=no_progress)
    with pytest.raises(MissionsError, match="damaged"):
        backup_restore(path=made.path, force=True)
    assert database().hashes(progress=no_progress) == before


def test_a_backup_that_ends_too_early_is_no_backup(installation: Path) -> None:
    made = backup_make(to=installation / "backups", now=NOW)
    # At the end of a piece: each piece that is left is whole, and only the mark of the last one is missing.
    header = made.path.read_bytes().index(b"\x01") + 1 + 32
    made.path.write_bytes(made.path.read_bytes()[: header + 2 * (CHUNK_BYTES + 16)])
    with pytest.raises(MissionsError, match="ends too early"):
        backup_verify(path=made.path)


def test_a_backup_of_another_kind_or_a_newer_version_is_refused(installation: Path) -> None:
    manifest = backup_verify(path=backup_make(to=installation / "backups", now=NOW).path)
    version = manifest.database_version
    manifests.check_versions(manifest, vendor=manifest.vendor, version=version)
    with pytest.raises(MissionsError, match="this installation uses oracle"):
        manifests.check_versions(manifest, vendor="oracle", version="1")
    manifest.migrations.append("agencies.9999_tomorrow")
    with pytest.raises(MissionsError, match=r"does not know agencies\.9999_tomorrow"):
        manifests.check_versions(manifest, vendor=manifest.vendor, version=version)


def test_the_oldest_go_when_so_many_are_kept(installation: Path) -> None:
    folder = installation / "backups"
    made = [backup_make(to=folder, now=NOW + timedelta(days=day), keep=2).path for day in range(3)]
    assert sorted(folder.iterdir()) == made[1:]


def test_without_a_key_nothing_is_written(installation: Path, settings: Any) -> None:
    for keys, said in (((), "BACKUP_KEY is not set"), (("short",), "shorter than 32")):
        settings.BACKUP_KEYS = keys
        with pytest.raises(CommandError, match=said):
            call_command("backup", to=str(installation / "backups"))
    assert not (installation / "backups").exists()


def test_the_commands_say_what_they_did_and_what_is_next(installation: Path, settings: Any) -> None:
    out = io.StringIO()
    call_command("backup", to=str(installation / "backups"), stdout=out)
    path = next((installation / "backups").iterdir())
    call_command("backup", verify=str(path), stdout=out)
    settings.FEED_SECRETS_KEYS = ("another",)
    call_command("restore", str(path), force=True, stdout=out)
    said = out.getvalue()
    assert "is whole" in said
    assert "set FEED_SECRETS_KEY" in said
    assert "manage.py migrate" in said
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("restore", str(installation / "nowhere"))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_sealed_stream_gives_back_every_length(size: int) -> None:
    sink, content = io.BytesIO(), os.urandom(size)
    writer = SealedWriter(sink, KEY)
    for start in range(0, size, 700_001):
        writer.write(content[start : start + 700_001])
    writer.finish()
    assert SealedReader(io.BytesIO(sink.getvalue()), (OTHER, KEY)).read() == content


def test_pieces_cannot_change_places() -> None:
    sink = io.BytesIO()
    writer = SealedWriter(sink, KEY)
    writer.write(os.urandom(3 * CHUNK_BYTES))
    writer.finish()
    text, piece = sink.getvalue(), CHUNK_BYTES + 16
    start = len(text) - 3 * piece
    swapped = text[:start] + text[start + piece : start + 2 * piece] + text[start : start + piece]
    with pytest.raises(MissionsError, match="damaged"):
        SealedReader(io.BytesIO(swapped + text[start + 2 * piece :]), (KEY,)).read()


def test_differences_are_told_by_table() -> None:
    before = {"a": TableHash(1, "x"), "b": TableHash(2, "y"), "c": TableHash(1, "z")}
    after = {"a": TableHash(1, "w"), "b": TableHash(1, "y"), "d": TableHash(0, "0")}
    assert differences(before, after) == [
        "a has rows that differ", "b had 2 rows and has 1", "c is missing", "d is new",
    ]  # fmt: skip
