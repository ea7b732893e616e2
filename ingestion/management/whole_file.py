"""What the commands for calendars and weather share."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from ingestion.management.lookups import feed_by_slug
from ingestion.management.report import run_report
from ingestion.services import context_feed_ensure, import_run_execute, import_run_queue
from missions_project.lib.progress import Progress


def add_whole_file_arguments(parser: CommandParser) -> None:
    parser.add_argument("file", type=Path, help="the file to read")
    parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's slug")
    parser.add_argument("--feed", required=True, metavar="SLUG", help="the feed that the file belongs to")
    parser.add_argument("--create-feed", action="store_true", help="make the feed where there is none")


def whole_file_work(options: dict[str, Any], kind: str, params: dict[str, Any], progress: Progress) -> str:
    """Import the file into its feed and return the account as text."""
    agency = agency_by_slug(options["agency"])
    if options["create_feed"]:
        feed = context_feed_ensure(agency=agency, slug=options["feed"], kind=kind, params=params)
    else:
        feed = feed_by_slug(agency, options["feed"], or_else="add --create-feed")
    run = import_run_queue(feed=feed, path=options["file"])
    import_run_execute(run=run, progress=progress)
    return "\n".join(line for line in (run_report(run), run.log.strip()) if line)
