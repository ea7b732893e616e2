"""manage.py import_census: areas with the few census figures that a forecast may read."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug, date_from_text
from ingestion.services import census_import
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = (
        "Load census areas with population, households, housing units, vacant units and median age. A file with any other "
        "figure (race, education, tenure, income …) is refused whole, with the columns named."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="GeoJSON, GeoPackage, KML or a zipped Shapefile of areas")
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's slug")
        parser.add_argument(
            "--valid-from",
            required=True,
            metavar="YYYY-MM-DD",
            help="when the figures were published; forecasts issued earlier do not see them",
        )
        parser.add_argument(
            "--columns",
            default="",
            metavar="FIGURE,FIGURE",
            help="read these alone, e.g. population, or the file's own column names; all others stay in the file",
        )
        parser.add_argument("--source", default="", help="the survey and its year; the file's name if absent")
        parser.add_argument("--file-layer", default="", help="layer of a GeoPackage, where there are several")
        parser.add_argument(
            "--crs", default="", metavar="EPSG:N", help="used only where the file does not say"
        )

    def work(self, **options: Any) -> str:
        done = census_import(
            agency=agency_by_slug(options["agency"]),
            path=options["file"],
            valid_from=date_from_text(options["valid_from"]),
            columns=[name.strip() for name in options["columns"].split(",") if name.strip()],
            crs=options["crs"],
            file_layer=options["file_layer"],
            source=options["source"],
        )
        text = (
            f"{len(done.areas):,} census areas with {', '.join(done.figures)}; {done.population:,.0f} people."
        )
        if done.without:
            text += f" {done.without:,} areas had no outline or no figure."
        if done.left_out:
            text += f" Never read: {', '.join(done.left_out)}."
        return text
