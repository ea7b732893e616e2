"""manage.py codes_import: an agency's offence code table, mapped to its crime types by national code."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from ingestion.management.lookups import feed_by_slug
from ingestion.services import codes_import
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Load an offence code table (CSV with code, description and, if there is one, NIBRS code)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file to read")
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's slug")
        parser.add_argument("--feed", required=True, metavar="SLUG", help="the feed's slug")

    def work(self, **options: Any) -> str:
        feed = feed_by_slug(agency_by_slug(options["agency"]), options["feed"])
        done = codes_import(feed=feed, path=options["file"])
        lines = [
            f"{len(done.mapped):,} codes mapped to crime types by their national code",
            f"{len(done.kept):,} left as somebody had set them",
            f"{len(done.unmapped):,} wait for a mapping (Admin → Offence codes): {', '.join(done.unmapped[:20]) or '–'}",
            f"{len(done.refused):,} refused and marked as ignored:",
        ]
        lines += [f"  {message}" for message in done.refused.values()]
        return "\n".join(lines)
