"""``manage.py backup``: one sealed archive of everything that cannot be made again."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from missions_project.lib.commands import MissionsCommand
from missions_project.operations.backup.services import backup_make, backup_verify


class Command(MissionsCommand):
    help = (
        "Write database, model files and waiting uploads into one archive, sealed with BACKUP_KEY. Everything may go on running. "
        "--verify opens an archive and checks every part of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to", metavar="DIR", help="Folder for the archive. Default: backups/ in MISSIONS_VAR_DIR."
        )
        parser.add_argument(
            "--keep", type=int, default=0, help="Then delete all but the newest so many archives there."
        )
        parser.add_argument("--verify", metavar="FILE", help="Check this archive instead of making one.")

    def work(self, **options: Any) -> None:
        if options["verify"]:
            manifest = backup_verify(path=Path(options["verify"]))
            rows = sum(table.rows for table in manifest.tables.values())
            self.stdout.write(
                f"{options['verify']} is whole: made {manifest.made_at}, {len(manifest.tables)} tables, {rows} rows, "
                f"{len(manifest.parts) - 1} files."
            )
            return
        folder = Path(options["to"] or Path(settings.VAR_DIR) / "backups")
        made = backup_make(to=folder, now=timezone.now(), keep=options["keep"], progress=self.progress)
        self.progress.close()
        self.stdout.write(
            f"{made.path} ({made.size / 1024**2:.1f} MiB): {made.tables} tables, {made.rows} rows, {made.files} files."
        )
