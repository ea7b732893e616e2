"""Make a backup, look into one, and restore it."""

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings

from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from missions_project.operations.backup import manifest as manifests
from missions_project.operations.backup.databases import database
from missions_project.operations.backup.manifest import Manifest, Part, part_of
from missions_project.operations.backup.sealed_stream import SealedReader, SealedWriter
from missions_project.operations.backup.table_hashes import differences

DATABASE = "database"
ENDING = ".missions-backup"
MIN_KEY_LENGTH = 32
MARK = "last-backup"
"""The file in MISSIONS_VAR_DIR whose time is that of the last backup: the doctor and the metrics look at it."""


Opened = tuple[Manifest, tarfile.TarFile, BinaryIO]


@dataclass(frozen=True)
class Made:
    """A backup that was written."""

    path: Path
    size: int
    tables: int
    rows: int
    files: int


def backup_keys() -> tuple[str, ...]:
    """The keys under which backups are sealed, the newest first. Raises ``MissionsError`` where there is none."""
    keys = settings.BACKUP_KEYS
    example = "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
    if not keys:
        raise MissionsError(
            "BACKUP_KEY is not set: a backup holds everything that the database holds and is never written in the open.",
            next_step=f"make a key ({example}), keep a copy of it away from this machine, and set BACKUP_KEY to it.",
        )
    if any(len(key) < MIN_KEY_LENGTH for key in keys):
        raise MissionsError(
            f"BACKUP_KEY is shorter than {MIN_KEY_LENGTH} characters: such a key can be guessed.",
            next_step=f"make one by {example}.",
        )
    return keys


def folders() -> dict[str, Path]:
    """The folders that a backup holds, by their name in it."""
    found = {"models": Path(settings.ARTEFACT_DIR), "uploads": Path(settings.SPOOL_DIR)}
    if settings.MEDIA_ROOT:
        found["media"] = Path(settings.MEDIA_ROOT)
    return found


def files() -> Iterator[tuple[str, Path]]:
    """Each file that belongs into a backup, with its name in it."""
    for name, folder in folders().items():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield f"{name}/{path.relative_to(folder).as_posix()}", path


@contextmanager
def _staging() -> Iterator[Path]:
    """A folder that only this account can read, beside the data: in /tmp others could look, and it may be too small."""
    with tempfile.TemporaryDirectory(dir=settings.VAR_DIR, prefix="backup-") as folder:
        yield Path(folder)


def backup_make(*, to: Path, now: datetime, keep: int = 0, progress: Progress = no_progress) -> Made:
    """Write one sealed archive of database, model files and uploads into the folder, and return what it holds.

    It has its name only once it is complete. ``keep`` > 0 then deletes all but the newest so many in that folder.
    """
    key, saved = backup_keys()[0], database()
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _staging() as staging:
        dump = staging / DATABASE
        tables = saved.save(dump, progress=progress)
        # The files after the database: a model that the database names is there, one more does no harm.
        parts, found = {DATABASE: part_of(dump)}, [(DATABASE, dump)]
        for name, path in files():
            try:
                parts[name] = part_of(path)
            except FileNotFoundError:
                # An upload that was imported in this moment: its rows are the next backup's.
                continue
            found.append((name, path))
        manifest = manifests.installation_manifest(
            made_at=now.isoformat(), vendor=saved.vendor, version=saved.version, tables=tables, parts=parts
        )
        final = to / f"missions-{now:%Y-%m-%d-%H%M%S}{ENDING}"
        _write(final, key, manifest, found, progress)
    (Path(settings.VAR_DIR) / MARK).write_text(final.name)
    if keep > 0:
        for old in sorted(to.glob(f"missions-*{ENDING}"))[:-keep]:
            old.unlink()
    rows = sum(table.rows for table in tables.values())
    return Made(final, final.stat().st_size, len(tables), rows, len(found) - 1)


def _write(
    final: Path, key: str, manifest: Manifest, found: list[tuple[str, Path]], progress: Progress
) -> None:
    half = final.with_suffix(".part")
    # Written with the owner's rights alone: sealed, but its size and time are nobody's business either.
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            sealed = SealedWriter(sink, key)
            with tarfile.open(
                fileobj=cast(BinaryIO, sealed), mode="w|", format=tarfile.PAX_FORMAT
            ) as archive:
                _add(archive, manifests.NAME, io.BytesIO(manifest.text()), len(manifest.text()))
                for number, (name, path) in enumerate(found):
                    progress(number, len(found), "Writing the archive")
                    with path.open("rb") as file:
                        _add(archive, name, file, manifest.parts[name].size)
            sealed.finish()
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(half, final)
        progress(len(found), len(found), "Writing the archive")
    except FileNotFoundError as error:
        raise MissionsError(
            f"{error.filename} was removed while it was being saved.", next_step="run the backup again."
        ) from error
    finally:
        half.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, file: BinaryIO, size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    archive.addfile(entry, file)


@contextmanager
def _opened(path: Path) -> Iterator[Opened]:
    """The archive, open behind its manifest."""
    try:
        source = path.open("rb")
    except OSError as error:
        raise MissionsError(
            f"{path} cannot be read ({error.strerror}).", next_step="name a file that is there."
        ) from error
    with source:
        reader = io.BufferedReader(SealedReader(source, backup_keys()), 1024**2)
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            first = archive.next()
            text = archive.extractfile(first) if first is not None and first.name == manifests.NAME else None
            if text is None:
                raise MissionsError(
                    "The backup does not begin with its manifest.", next_step="take an earlier one."
                )
            yield manifests.manifest_read(text.read()), archive, cast(BinaryIO, reader)


def _unpack(opened: Opened, staging: Path) -> None:
    """Write every part below the folder and compare it with the manifest. Raises ``MissionsError`` for any difference."""
    manifest, archive, reader = opened
    # Not a for loop: it would begin at the manifest again, which a stream cannot hand out twice.
    while (entry := archive.next()) is not None:
        path = staging / entry.name
        # A name with dots would be written anywhere; only what the manifest lists is taken at all.
        if (
            entry.name not in manifest.parts
            or not entry.isfile()
            or not path.resolve().is_relative_to(staging.resolve())
        ):
            raise MissionsError(
                f"The backup holds “{entry.name}”, which its manifest does not list.",
                next_step="take an earlier backup, and ask where this one comes from.",
            )
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = archive.extractfile(entry)
        assert content is not None
        with path.open("wb") as file:
            shutil.copyfileobj(content, file, 1024**2)
    # The archive's own end comes before the file's: without this a changed last piece would pass.
    while reader.read(1024**2):
        pass
    for name, part in manifest.parts.items():
        path = staging / name
        if not path.is_file() or part_of(path) != part:
            raise MissionsError(
                f"“{name}” in the backup is not what its manifest says. Nothing was changed.",
                next_step="take an earlier backup.",
            )


def backup_verify(*, path: Path) -> Manifest:
    """Open a backup and compare every part with its manifest; nothing is changed. Raises ``MissionsError`` with the next step."""
    with _staging() as staging, _opened(path) as opened:
        _unpack(opened, staging)
        return opened[0]


def backup_restore(*, path: Path, force: bool = False, progress: Progress = no_progress) -> Manifest:
    """Put a backup in the place of what this installation holds, and show by each table's fingerprint that it is the same.

    Refuses to replace rows that somebody would miss unless ``force`` says so. The database is replaced in one transaction; the
    files are checked before and put in place after it. Raises ``MissionsError`` with the next step.
    """
    target = database()
    with _staging() as staging, _opened(path) as opened:
        manifest = opened[0]
        manifests.check_versions(manifest, vendor=target.vendor, version=target.version)
        filled = target.filled()
        if filled and not force:
            raise MissionsError(
                f"This installation is not empty ({', '.join(filled[:3])} hold rows). Nothing was changed.",
                next_step="make a backup of it, then restore with --force to replace everything in it.",
            )
        progress(0, 3, "Checking the archive")
        _unpack(opened, staging)
        progress(1, 3, "Putting the database back")
        target.load(staging / DATABASE)
        found = differences(manifest.tables, target.hashes(progress=no_progress))
        if found:
            raise MissionsError(
                f"The restored database is not the saved one: {'; '.join(found[:5])}.",
                next_step="see that nothing else writes to the database, and restore again.",
            )
        progress(2, 3, "Putting the files back")
        _place_files(manifest.parts, staging)
        progress(3, 3, "Done")
    return manifest


def _place_files(parts: dict[str, Part], staging: Path) -> None:
    """Move the files to where the product looks for them; what was there before and is not in the backup goes."""
    for name, folder in folders().items():
        saved = staging / name
        saved.mkdir(exist_ok=True, mode=0o700)
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A folder is renamed in one step where both lie on one disk; a copy that is killed would leave half of the models.
        old = folder.with_name(f"{folder.name}.replaced")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        shutil.move(saved, folder)
        shutil.rmtree(old, ignore_errors=True)
