"""manage.py agency_create --slug riverton --name "Riverton PD" --time-zone America/Chicago"""

from typing import Any

from django.core.management.base import CommandParser

from agencies.services import agency_create
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Create an agency. Its geography comes next: import_geography."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slug", required=True, help="Part of every address and command, e.g. riverton.")
        parser.add_argument("--name", required=True, help="Shown in the top bar and on print-outs.")
        parser.add_argument("--time-zone", required=True, help="IANA name, e.g. America/Chicago.")
        parser.add_argument(
            "--cell-size-m",
            type=int,
            default=250,
            help="Edge of a grid cell in metres, 50 to 2000. Default 250.",
        )
        parser.add_argument("--crs-epsg", type=int, help="Projected system in metres. Default: the UTM zone.")

    def work(self, **options: Any) -> None:
        agency = agency_create(
            slug=options["slug"],
            name=options["name"],
            time_zone=options["time_zone"],
            cell_size_m=options["cell_size_m"],
            crs_epsg=options["crs_epsg"],
        )
        self.stdout.write(
            f"Agency {agency.name} ({agency.slug}) created. Next: import_geography --layer districts."
        )
