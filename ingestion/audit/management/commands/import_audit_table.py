"""manage.py import_audit_table: demographic tables for the exposure audit, out of every forecast's reach."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug, date_from_text
from ingestion.audit.services import audit_table_import
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = (
        "Load a census table by area into the audit store, figures about race, education and income included. No forecast, "
        "plan or tactic can read it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="GeoJSON, GeoPackage, KML or a zipped Shapefile of areas")
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's slug")
        parser.add_argument(
            "--name", required=True, help="the table's name; one of the same name is replaced"
        )
        parser.add_argument(
            "--valid-from", required=True, metavar="YYYY-MM-DD", help="when the figures were published"
        )
        parser.add_argument(
            "--crs", default="", metavar="EPSG:N", help="used only where the file does not say"
        )

    def work(self, **options: Any) -> str:
        table = audit_table_import(
            agency=agency_by_slug(options["agency"]),
            path=options["file"],
            name=options["name"],
            valid_from=date_from_text(options["valid_from"]),
            crs=options["crs"],
        )
        return (
            f"{table.areas.count():,} areas in audit table “{table.name}” with {', '.join(table.columns)}. "
            "No forecast can read them."
        )
