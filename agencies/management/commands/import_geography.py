"""manage.py import_geography --agency SLUG --layer beats FILE --code-property BEAT_NUM --district-property DISTRICT"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from agencies.services import beats_upsert, boundary_derive, boundary_set, districts_upsert
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError


class Command(MissionsCommand):
    help = "Read districts, beats or the boundary from GeoJSON, a zipped Shapefile or a GeoPackage. All or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, help="The agency's slug.")
        parser.add_argument("--layer", required=True, choices=["districts", "beats", "boundary"])
        parser.add_argument(
            "file",
            nargs="?",
            type=Path,
            help="The file. Left out for the boundary: it is derived from the beats.",
        )
        parser.add_argument(
            "--code-property", default="", help="The property that holds the code, e.g. BEAT_NUM."
        )
        parser.add_argument("--name-property", default="", help="The property that holds a name.")
        parser.add_argument(
            "--district-property",
            default="",
            help="For beats: the property that holds the district's code. Without it the place decides.",
        )
        parser.add_argument(
            "--file-layer", default="", help="Layer of a GeoPackage. Default: the first of polygons."
        )
        parser.add_argument(
            "--crs", default="", help="Used only where the file does not say, e.g. EPSG:3435."
        )
        parser.add_argument(
            "--repair", action="store_true", help="Mend outlines that cross themselves; each is reported."
        )

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"])
        path, layer = options["file"], options["layer"]
        reading = {"layer": options["file_layer"], "crs": options["crs"], "repair": options["repair"]}
        if layer == "boundary":
            if path is None:
                boundary_derive(agency=agency)
            else:
                boundary_set(agency=agency, path=path, **reading)
            self.stdout.write(f"Boundary of {agency.name} set.")
            return
        if path is None or not options["code_property"]:
            raise MissionsError(
                f"For {layer} a file and the property of their codes are needed.",
                next_step=f"add FILE and --code-property, e.g. {layer}.geojson --code-property CODE.",
            )
        reading |= {"code_property": options["code_property"], "name_property": options["name_property"]}
        if layer == "districts":
            report = districts_upsert(agency=agency, path=path, **reading)
        else:
            report = beats_upsert(
                agency=agency, path=path, district_property=options["district_property"], **reading
            )
        for problem in report.problems:
            self.stderr.write(f"  note: {problem.message}")
        self.stdout.write(f"{layer.capitalize()} of {agency.name}: {report}.")
