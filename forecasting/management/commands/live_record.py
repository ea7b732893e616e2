"""``manage.py live_record``: look through the chain of sealed forecasts, or score what is due."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from agencies.models import Agency
from forecasting.models import ForecastSeal
from forecasting.selectors import live_chain
from forecasting.services import live_score
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError

MOST_TOLD = 50


class Command(MissionsCommand):
    help = (
        "Look through the chain of sealed forecasts for one that was changed, removed or re-ordered, or score those whose "
        "shifts are over."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["verify", "score"], help="What to do.")
        parser.add_argument("agency", help="The agency's slug.")
        parser.add_argument(
            "--published",
            default="",
            metavar="NUMBER:HASH",
            help="An earlier end of the chain that was written down elsewhere; the chain must still hold it.",
        )

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"])
        if options["action"] == "score":
            self._score(agency)
        else:
            self._verify(agency, options["published"])

    def _score(self, agency: Agency) -> None:
        done = 0
        while found := live_score(agency=agency):
            done += found
        self.stdout.write(f"{done} sealed forecasts looked at.")

    def _verify(self, agency: Agency, published: str) -> None:
        report = live_chain(agency, published=published, progress=self.progress)
        self.progress.close()
        labels = dict(ForecastSeal.State.choices)
        self.stdout.write(f"{report.seals:,} seals, {report.surfaces:,} surfaces compared.")
        for state, n in sorted(report.states.items()):
            self.stdout.write(f"  {n:6,}  {labels[state]}")
        for problem in report.problems[:MOST_TOLD]:
            self.stdout.write(f"  BROKEN: {problem}")
        if not report.is_whole:
            raise MissionsError(
                f"The live record of “{agency.slug}” is not whole: {len(report.problems)} faults.",
                next_step="find out who wrote to the database; restore it from a backup and look again.",
            )
        self.stdout.write("Nothing was changed, removed or re-ordered.")
        if report.head:
            self.stdout.write(f"Its end, to write down elsewhere: {report.seals}:{report.head}")
