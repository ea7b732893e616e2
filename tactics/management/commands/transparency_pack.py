"""manage.py transparency_pack: what the public is told of a period, as files; and whether a file is as it was published."""

import argparse
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from agencies.lookups import agency_by_slug, date_from_text
from agencies.models import Agency
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError
from tactics.models import TransparencyPack
from tactics.transparency.selectors import next_period, pack_of
from tactics.transparency.services import pack_make, pack_queue
from tactics.transparency.site import pack_write, verify


class Command(MissionsCommand):
    help = (
        "Make a transparency pack as a draft, or write one that was made as files: a public site without scripts, its PDF and "
        "JSON, and the impact report, use policy and annual report as HTML, DOCX and PDF. --verify recomputes a file's hash."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agency", nargs="?", help="the agency's slug; not needed with --verify")
        parser.add_argument(
            "--from", dest="first", default="", metavar="YYYY-MM-DD", help="first day; else since the last published pack"
        )  # fmt: skip
        parser.add_argument(
            "--to",
            dest="last",
            default="",
            metavar="YYYY-MM-DD",
            help="last day; else the end of the last month",
        )
        parser.add_argument(
            "--language", default="en", choices=list(dict(settings.LANGUAGES)), help="language that the public reads it in"
        )  # fmt: skip
        parser.add_argument("--number", type=int, help="write this pack as files, instead of making one")
        parser.add_argument(
            "--out", type=Path, metavar="DIR", help="folder to write public/ and documents/ to"
        )
        parser.add_argument(
            "--verify", type=argparse.FileType("r", encoding="utf-8"), metavar="FILE",
            help="recompute the hash of a pack.json; with an agency, compare it with what is stored too",
        )  # fmt: skip

    def work(self, **options: Any) -> str:
        if options["verify"]:
            return self._verify(options["verify"].read(), options["agency"])
        if not options["agency"]:
            raise MissionsError("No agency is named.", next_step="name its slug, or give --verify FILE.")
        agency = agency_by_slug(options["agency"])
        pack = (
            _stored(agency, options["number"])
            if options["number"] is not None
            else self._make(agency, options)
        )
        lines = [
            f"{pack}, {pack.first} to {pack.last}: {pack.get_state_display().lower()}.",
            f"SHA-256 {pack.content_hash}",
        ]
        if options["out"]:
            lines.append(f"{len(pack_write(pack, options['out']))} files in {options['out']}.")
        return "\n".join(lines)

    def _make(self, agency: Agency, options: dict[str, Any]) -> TransparencyPack:
        first, last = next_period(agency, timezone.localdate(timezone=ZoneInfo(agency.time_zone)))
        pack = pack_queue(
            agency=agency,
            first=date_from_text(options["first"]) if options["first"] else first,
            last=date_from_text(options["last"]) if options["last"] else last,
            language=options["language"],
        )
        return pack_make(pack=pack, progress=self.progress)

    def _verify(self, text: str, slug: str | None) -> str:
        found, content = verify(text)
        about = f"pack {content['number']} of {content['agency']['name']}"
        if slug:
            stored = _stored(agency_by_slug(slug), int(content["number"]))
            if stored.content_hash != found:
                raise MissionsError(
                    f"The file is whole, but it is not {stored} as it is stored here ({stored.content_hash}).",
                    next_step="find out which of the two was published.",
                )
        return f"Unchanged: {about}, SHA-256 {found}."


def _stored(agency: Agency, number: int) -> TransparencyPack:
    pack = pack_of(agency, number)
    if pack is None:
        raise MissionsError(
            f"{agency} has no transparency pack {number}.", next_step="look at its transparency pages."
        )
    return pack
