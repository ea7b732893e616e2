"""manage.py import_incidents: one file into one feed, from the command line."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from ingestion.engine.mapping import RECORD_KINDS
from ingestion.management.lookups import feed_by_slug
from ingestion.management.report import run_report
from ingestion.models import RecordKind
from ingestion.services import feed_ensure, import_run_execute, import_run_queue
from ingestion.services.feeds import PROFILE_NAMES
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Import a CSV file (plain, gz, bz2, xz or zip) of incidents, calls for service or gunfire alerts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file to read")
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's slug")
        parser.add_argument("--feed", required=True, metavar="SLUG", help="the feed that the file belongs to")
        parser.add_argument(
            "--create-feed",
            action="store_true",
            help="make the feed where there is none, mapped by --profile or by the file's header",
        )
        parser.add_argument(
            "--profile", default="", choices=["", *PROFILE_NAMES], metavar="|".join(PROFILE_NAMES)
        )
        parser.add_argument(
            "--record-kind",
            default=RecordKind.INCIDENTS,
            choices=RECORD_KINDS,
            help="what a row is, for a new feed",
        )

    def work(self, **options: Any) -> str:
        agency = agency_by_slug(options["agency"])
        if options["create_feed"]:
            feed = feed_ensure(
                agency=agency,
                slug=options["feed"],
                record_kind=options["record_kind"],
                sample=options["file"],
                profile=options["profile"],
            )
        else:
            feed = feed_by_slug(agency, options["feed"], or_else="add --create-feed")
        run = import_run_queue(feed=feed, path=options["file"])
        import_run_execute(run=run, progress=self.progress)
        return run_report(run)
