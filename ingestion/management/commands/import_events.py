"""manage.py import_events: scheduled events from a calendar or a table."""

from typing import Any

from django.core.management.base import CommandParser

from ingestion.management.whole_file import add_whole_file_arguments, whole_file_work
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Import scheduled events (games, festivals, markets) from an iCalendar file (.ics) or a CSV table."

    def add_arguments(self, parser: CommandParser) -> None:
        add_whole_file_arguments(parser)
        parser.add_argument(
            "--kind",
            default="",
            metavar="WORD",
            help="kind of events where the file does not say, for a new feed",
        )
        parser.add_argument(
            "--announced-days",
            type=int,
            default=0,
            metavar="DAYS",
            help="known so many days ahead where the file does not say since when, for a new feed",
        )

    def work(self, **options: Any) -> str:
        kind = "ical_file" if options["file"].suffix.lower() in (".ics", ".ical", ".ifb") else "events_csv"
        params = {"announced_days": options["announced_days"]} if options["announced_days"] else {}
        if options["kind"]:
            params["kind"] = options["kind"]
        return whole_file_work(options, kind, params, self.progress)
