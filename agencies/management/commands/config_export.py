"""manage.py config_export riverton > riverton.json"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.configuration import configuration_export, configuration_text
from agencies.lookups import agency_by_slug
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Write an agency's whole configuration as one JSON file: no people, no secrets, no data."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agency", help="The agency's slug.")
        parser.add_argument("--to", type=Path, help="The file to write. Default: standard output.")

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"])
        text = configuration_text(configuration_export(agency))
        if options["to"] is None:
            self.stdout.write(text, ending="")
            return
        options["to"].write_text(text, encoding="utf-8")
        self.stdout.write(
            f"Configuration of {agency.name} written to {options['to']}: {len(text.encode()):,} bytes."
        )
