"""``manage.py demo_past``: weeks of patrol with a planted truth, for a study to find."""

import datetime as dt
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from missions_project.demo.past import past_plant
from missions_project.demo.planted import Truth
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError


class Command(MissionsCommand):
    help = (
        "Plant past weeks of plans, patrols and crimes in an agency of its own (riverton-past), with a truth that you choose: "
        "what missions prevent there, a study should find."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--weeks", type=int, default=13, help="weeks of shifts (13 if absent)")
        add("--prevented", type=float, default=0.6, help="chance that a crime does not happen in a visited box (0.6 if absent)")
        add("--displaced", type=float, default=0.2, help="share of these that happens next door instead (0.2 if absent)")
        add("--seed", type=int, default=2026, help="the same seed, weeks, date and truth give the same history")
        add("--today", type=dt.date.fromisoformat, help="the day up to which to plant, YYYY-MM-DD (today if absent)")

    def work(self, **options: Any) -> None:
        if not 1 <= options["weeks"] <= 104:
            raise MissionsError("That is no number of weeks.", next_step="use --weeks 1 to 104.")
        if not (0 <= options["prevented"] <= 1 and 0 <= options["displaced"] <= 1):
            raise MissionsError("Shares lie between 0 and 1.", next_step="use --prevented 0.6 --displaced 0.2.")
        made = past_plant(
            today=options["today"] or timezone.localdate(),
            weeks=options["weeks"],
            truth=Truth(prevented=options["prevented"], displaced=options["displaced"]),
            seed=options["seed"],
            progress=self.progress,
        )
        self.progress.close()
        planted = made.planted
        self.stdout.write(
            f"{planted.plans:,} plans, {planted.missions:,} missions and {planted.crimes:,} crimes from {made.first} to {made.last}.\n"
            f"True: {planted.contrast:.1%} of the crime in drawn boxes was prevented (drawn but not carried out ones too), "
            f"{planted.net:.1%} net of what happened next door.\n"
            f"Open /{made.agency.slug}/studies/ as the analyst."
        )
