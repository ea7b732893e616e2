"""manage.py pull_feed: fetch and import what is new at a feed's source, now and in this terminal."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from ingestion.management.lookups import feed_by_slug
from ingestion.management.report import run_report
from ingestion.services import feed_pull_all
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Pull a feed now: fetch what is new at its source and import it. Again from the start with --from-start."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's slug")
        parser.add_argument("--feed", required=True, metavar="SLUG", help="the feed's slug")
        parser.add_argument(
            "--from-start",
            action="store_true",
            help="forget where the last pull ended and ask for everything",
        )

    def work(self, **options: Any) -> str:
        feed = feed_by_slug(agency_by_slug(options["agency"]), options["feed"])
        if options["from_start"]:
            feed.cursor = {}
            feed.save(update_fields=["cursor"])
        return "\n".join(run_report(run) for run in feed_pull_all(feed=feed, progress=self.progress))
