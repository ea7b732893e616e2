"""manage.py import_layer: places that shape risk, or orient the eye, from a GIS file."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug, date_from_text
from ingestion.engine.osm import OSM_CHOICES
from ingestion.models import ContextLayer
from ingestion.services import context_layer_import, layer_slug
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = (
        "Load a context layer from GeoJSON, GeoPackage, KML, FlatGeobuf, CSV points, a zipped Shapefile or an OpenStreetMap "
        "extract. Only geometry, name and kind are kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file to read")
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's slug")
        parser.add_argument("--name", required=True, help="shown in the layer switch, e.g. Bars")
        parser.add_argument(
            "--slug", default="", help="used in addresses and features; made from the name if absent"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--reference", action="store_true", help="shown on maps only; feeds no forecast (streets, water)"
        )
        what.add_argument(
            "--coverage",
            action="store_true",
            help="the areas that gunfire sensors hear: gunfire elsewhere is unknown, not zero",
        )
        parser.add_argument(
            "--valid-from",
            default="",
            metavar="YYYY-MM-DD",
            help="forecasts issued earlier do not see the places",
        )
        parser.add_argument(
            "--crs",
            default="",
            metavar="EPSG:N",
            help="used only where the file does not say, e.g. EPSG:3435",
        )
        parser.add_argument(
            "--file-layer",
            default="",
            help="layer of a GeoPackage or folder of a KML, where there are several",
        )
        parser.add_argument(
            "--osm",
            default="",
            choices=["", *OSM_CHOICES],
            metavar="|".join(OSM_CHOICES),
            help="what to take from an OpenStreetMap extract (.osm.pbf)",
        )

    def work(self, **options: Any) -> str:
        kind = ContextLayer.Kind.RISK
        if options["reference"] or options["coverage"]:
            kind = ContextLayer.Kind.REFERENCE if options["reference"] else ContextLayer.Kind.COVERAGE
        layer = context_layer_import(
            agency=agency_by_slug(options["agency"]),
            slug=options["slug"] or layer_slug(options["name"]),
            name=options["name"],
            path=options["file"],
            kind=kind,
            valid_from=date_from_text(options["valid_from"]) if options["valid_from"] else None,
            crs=options["crs"],
            osm=options["osm"],
            file_layer=options["file_layer"],
        )
        return f"{layer.feature_count:,} places in layer “{layer.name}” ({layer.slug}; {layer.get_kind_display().lower()})."
