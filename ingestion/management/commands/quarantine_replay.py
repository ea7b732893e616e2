"""manage.py quarantine_replay: read a feed's kept rows again after its mapping was mended."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from ingestion.management.lookups import feed_by_slug
from ingestion.management.report import run_report
from ingestion.services import quarantine_replay
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Read a feed's quarantined rows again with today's mapping and code table."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's slug")
        parser.add_argument("--feed", required=True, metavar="SLUG", help="the feed's slug")
        parser.add_argument(
            "--code", action="append", default=[], help="only rows with this rejection code; may be repeated"
        )

    def work(self, **options: Any) -> str:
        feed = feed_by_slug(agency_by_slug(options["agency"]), options["feed"])
        run = quarantine_replay(feed=feed, codes=options["code"] or None, progress=self.progress)
        return run_report(run)
