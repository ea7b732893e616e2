"""What a backup says of itself: which versions made it, what it holds, and the fingerprint of each part."""

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import django
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from missions_project.lib.errors import MissionsError
from missions_project.lib.sealed import installation_keys
from missions_project.operations.backup.table_hashes import TableHash

FORMAT = 1
NAME = "manifest.json"
_BLOCK = 1024**2


@dataclass(frozen=True)
class Part:
    """One file of the archive."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The first entry of an archive."""

    made_at: str
    vendor: str
    database_version: str
    django: str
    migrations: list[str]
    """Each as app.name, those that were applied."""
    sealing_key: str
    """Tells whether feeds' keys can be read with an installation's FEED_SECRETS_KEY, without telling the key."""
    tables: dict[str, TableHash]
    parts: dict[str, Part] = field(default_factory=dict)
    format: int = FORMAT

    def text(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()


def manifest_read(text: bytes) -> Manifest:
    """The manifest again. Raises ``MissionsError`` for one of a later version."""
    told: dict[str, Any] = json.loads(text)
    if told.get("format") != FORMAT:
        raise MissionsError(
            f"The backup has format {told.get('format')}; this version reads {FORMAT}. Nothing was changed.",
            next_step="restore it with the version of the product that made it, then update.",
        )
    told["tables"] = {name: TableHash(**row) for name, row in told["tables"].items()}
    told["parts"] = {name: Part(**row) for name, row in told["parts"].items()}
    return Manifest(**told)


def part_of(path: Path) -> Part:
    """A file's size and fingerprint, read in pieces: model files may be larger than memory."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return Part(size, digest.hexdigest())


def key_mark(key: str) -> str:
    return hmac.new(key.encode(), b"missions: which sealing key", hashlib.sha256).hexdigest()[:16]


def sealing_keys() -> list[str]:
    """The marks of the keys that this installation can open feeds' secrets with, the one in use first."""
    return [key_mark(key) for key in installation_keys()]


def migrations_applied() -> list[str]:
    """Each applied migration as app.name. One query."""
    return sorted(".".join(key) for key in MigrationLoader(connection).applied_migrations)


def check_versions(manifest: Manifest, *, vendor: str, version: str) -> None:
    """Raise ``MissionsError`` where this installation cannot take the backup's database."""
    if manifest.vendor != vendor:
        raise MissionsError(
            f"The backup is of {manifest.vendor}, this installation uses {vendor}. Nothing was changed.",
            next_step="set DATABASE_URL to a database of the same kind.",
        )
    if vendor == "postgresql" and int(manifest.database_version) // 10_000 > int(version) // 10_000:
        raise MissionsError(
            f"The backup is of PostgreSQL {int(manifest.database_version) // 10_000}, this server is "
            f"{int(version) // 10_000}. Nothing was changed.",
            next_step="restore into a server of that version or newer.",
        )
    known = {".".join(key) for key in MigrationLoader(None).disk_migrations}
    # Migrations that others have squashed or left behind are no reason to refuse: ours tell the version.
    ours = {key.split(".")[0] for key in known}
    newer = [name for name in manifest.migrations if name.split(".")[0] in ours and name not in known]
    if newer:
        raise MissionsError(
            f"The backup is of a newer version: this one does not know {', '.join(newer[:5])}. Nothing was changed.",
            next_step="update the product (git pull, pip install), then restore.",
        )


def installation_manifest(
    *, made_at: str, vendor: str, version: str, tables: dict[str, TableHash], parts: dict[str, Part]
) -> Manifest:
    """The manifest of this installation as it is."""
    return Manifest(
        made_at=made_at,
        vendor=vendor,
        database_version=version,
        django=django.get_version(),
        migrations=migrations_applied(),
        sealing_key=sealing_keys()[0],
        tables=tables,
        parts=parts,
    )
