"""manage.py config_import riverton.json --slug lakeside --name "Lakeside PD" --dry-run"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.configuration import MAX_BYTES, configuration_import, configuration_parse
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError


class Command(MissionsCommand):
    help = "Make a new agency from a configuration file. All of it or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="What config_export or the admin has written.")
        parser.add_argument("--slug", default="", help="The new agency's slug. Default: the one in the file.")
        parser.add_argument("--name", default="", help="The new agency's name. Default: the one in the file.")
        parser.add_argument(
            "--switched-off",
            action="store_true",
            help="Feeds, drop folders and schedules wait until somebody switches them on.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Check everything and change nothing.")

    def work(self, **options: Any) -> None:
        path: Path = options["file"]
        try:
            # One byte more than allowed: the reader says what is too large, and the rest is never read.
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as exc:
            raise MissionsError(
                f"{path} cannot be read: {exc.strerror}.", next_step="check the path."
            ) from exc
        imported = configuration_import(
            document=configuration_parse(content),
            slug=options["slug"],
            name=options["name"],
            switched_off=options["switched_off"],
            dry_run=options["dry_run"],
        )
        made = "would be made" if imported.dry_run else "made"
        rows = ", ".join(
            f"{number:,} {name.replace('_', ' ')}" for name, number in imported.counts.items() if number
        )
        self.stdout.write(
            f"Agency {imported.agency.name} ({imported.agency.slug}) {made}: {rows or 'no rows'}."
        )
        for sentence in imported.by_hand:
            self.stdout.write(f"  by hand: {sentence}")
        if not imported.dry_run:
            self.stdout.write("Next: add its administrator in the admin, then follow the set-up list there.")
