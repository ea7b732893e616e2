"""``manage.py grid_build``: cut the agency's area into cells."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from forecasting.selectors import cell_beats
from forecasting.services import grid_build
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Cut the agency's area into square cells and make that its active grid."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, help="The agency's slug.")

    def work(self, **options: Any) -> None:
        grid = grid_build(agency=agency_by_slug(options["agency"]))
        outside = int((cell_beats(grid) < 0).sum())
        self.stdout.write(f"Active grid {grid.pk}: {grid}, EPSG {grid.epsg}, {grid.hash[:12]}.")
        self.stdout.write(f"  cells in no beat: {outside}")
