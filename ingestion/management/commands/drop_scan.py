"""manage.py drop_scan: one look into the drop folders, for cron or for somebody who does not want to wait."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from ingestion.models import DropFolder
from ingestion.services import drop_folder_scan, folder_address
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError


class Command(MissionsCommand):
    help = (
        "Look once into the drop folders: import the files that are complete, move them to done/ or failed/. A file is complete "
        "at the second look at the earliest. The scheduler does the same each minute."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG", help="the agency's slug")
        parser.add_argument("--feed", default="", metavar="SLUG", help="only the folder of this feed")

    def work(self, **options: Any) -> str:
        agency = agency_by_slug(options["agency"])
        folders = DropFolder.objects.filter(agency=agency).select_related("agency", "feed")
        if options["feed"]:
            folders = folders.filter(feed__slug=options["feed"])
        if not folders:
            raise MissionsError(
                f"Agency “{agency.slug}” has no such drop folder.",
                next_step="add one under Admin → Drop folders.",
            )
        return "\n".join(self._one(folder) for folder in folders)

    def _one(self, folder: DropFolder) -> str:
        finished = drop_folder_scan(folder=folder, progress=self.progress)
        waiting = folder.files.filter(state="seen").count()
        lines = [f"{folder_address(folder)}: {len(finished)} finished, {waiting} waiting"]
        lines += [f"  {file.name}: {file.reason or 'imported'}" for file in finished]
        if folder.message:
            lines.append(f"  {folder.message}")
        return "\n".join(lines)
