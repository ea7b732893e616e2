"""``manage.py gis_views``: read-only spatial views for QGIS, a schema and a role for each agency."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from agencies.models import Agency
from missions_project.lib.commands import MissionsCommand
from patrols.services.gis import gis_views_drop, gis_views_make, postgis_ensure, role_name, schema_name


class Command(MissionsCommand):
    help = (
        "Create read-only spatial views for QGIS on PostgreSQL with PostGIS, in a schema and under a role of the agency's own; "
        "again: make them anew with the latest published forecast."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", help="The agency's slug. Without it: every agency.")
        parser.add_argument("--drop", action="store_true", help="Remove schema, views and role instead.")

    def work(self, **options: Any) -> None:
        postgis_ensure()
        agencies = (
            [agency_by_slug(options["agency"])]
            if options["agency"]
            else list(Agency.objects.order_by("slug"))
        )
        for agency in agencies:
            if options["drop"]:
                was = gis_views_drop(agency=agency)
                self.stdout.write(f"{agency.slug}: {'dropped' if was else 'there was nothing to drop'}.")
                continue
            counts = gis_views_make(agency=agency, progress=self.progress)
            self.progress.close()
            rows = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            self.stdout.write(
                f"{agency.slug}: schema {schema_name(agency)}, role {role_name(agency)}; {rows}."
            )
