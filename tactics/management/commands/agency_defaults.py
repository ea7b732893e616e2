"""``manage.py agency_defaults``: a working first configuration for a new agency."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import translation

from agencies.lookups import agency_by_slug
from missions_project.lib.commands import MissionsCommand
from tactics.defaults import agency_defaults_create


class Command(MissionsCommand):
    help = (
        "Give an agency shifts, crime types, units, a patrol policy and tactics, each only where it has none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, help="The agency's slug.")
        parser.add_argument(
            "--units-per-beat", type=int, default=1, choices=range(1, 7), help="1 to 6; default 1."
        )
        parser.add_argument(
            "--missions-per-shift", type=int, default=3, help="Boxes per unit and shift; default 3."
        )
        parser.add_argument(
            "--language",
            default=settings.LANGUAGE_CODE,
            choices=[code for code, _name in settings.LANGUAGES],
            help="The language in which names of shifts and crime types and the tactics' texts are written; they are the agency's "
            "own from then on.",
        )

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"])
        with translation.override(options["language"]):
            made = agency_defaults_create(
                agency=agency,
                units_per_beat=options["units_per_beat"],
                missions_per_shift=options["missions_per_shift"],
            )
        for what, number in made.items():
            self.stdout.write(f"  {what}: {number or 'kept as they are'}")
