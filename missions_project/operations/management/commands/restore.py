"""``manage.py restore``: put a backup in the place of what is here."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from missions_project.lib.commands import MissionsCommand
from missions_project.operations.backup.manifest import sealing_keys
from missions_project.operations.backup.services import backup_restore


class Command(MissionsCommand):
    help = (
        "Put a backup back, after checking its seal, its versions and every part of it. Stop web, workers and scheduler first. "
        "An installation that holds rows is replaced only with --force."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="What manage.py backup has written.")
        parser.add_argument("--force", action="store_true", help="Replace everything that is here.")

    def work(self, **options: Any) -> None:
        manifest = backup_restore(path=Path(options["file"]), force=options["force"], progress=self.progress)
        self.progress.close()
        rows = sum(table.rows for table in manifest.tables.values())
        self.stdout.write(
            f"Restored {len(manifest.tables)} tables with {rows} rows, the same as on {manifest.made_at}, and "
            f"{len(manifest.parts) - 1} files."
        )
        if manifest.sealing_key not in sealing_keys():
            self.stdout.write(
                "The keys and passwords of feeds cannot be read here. Next step: set FEED_SECRETS_KEY (or SECRET_KEY, where that "
                "is not set) to what it was where the backup was made."
            )
        self.stdout.write("Next step: manage.py migrate, then start web, workers and scheduler.")
