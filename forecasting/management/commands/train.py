"""``manage.py train``: train and test the models of all active crime types."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug, date_from_text
from agencies.models import Agency
from forecasting.models import ModelVersion, TrainingRun
from forecasting.services import refits_take, training_run_execute, training_run_queue
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunNotClaimed


class Command(MissionsCommand):
    help = (
        "Train every active crime type, test it against plain counts, and make the better one live, or let it wait for "
        "approval where the agency's model policy says so."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--agency",
            help="The agency's slug. Needed, but with --due: there all agencies are meant without it.",
        )
        parser.add_argument(
            "--due",
            action="store_true",
            help="Train only where the agency's schedule (Admin → Model policies) says so: for cron, each hour or so.",
        )
        parser.add_argument(
            "--seed", type=int, help="Seed of the training; a random one is stored otherwise."
        )
        parser.add_argument(
            "--until", help="Learn only from what was known when this local day began, YYYY-MM-DD."
        )

    def work(self, **options: Any) -> None:
        if options["due"]:
            self.work_due(**options)
            return
        if options["agency"] is None:
            raise MissionsError(
                "No agency is named.", next_step="add --agency SLUG, or --due for all agencies."
            )
        agency = agency_by_slug(options["agency"])
        until = None
        if options["until"]:
            day = date_from_text(options["until"])
            until = dt.datetime.combine(day, dt.time(), tzinfo=ZoneInfo(agency.time_zone))
        self.execute_run(training_run_queue(agency=agency, seed=options["seed"], until=until))

    def work_due(self, **options: Any) -> None:
        """Train each agency that is due, one after the other. One that fails does not keep the next from its turn."""
        if options["seed"] is not None or options["until"] is not None:
            raise MissionsError("--due takes no --seed and no --until.", next_step="leave them out.")
        one = agency_by_slug(options["agency"]) if options["agency"] else None
        failed = []
        for agency in [one] if one else list(Agency.objects.order_by("pk")):
            for run in refits_take(agency=agency):
                try:
                    self.execute_run(run)
                except RunNotClaimed:
                    self.stdout.write(f"Training {run.pk} of {agency}: a worker has it already.")
                except MissionsError as exc:
                    failed.append(f"{agency}: {exc}")
                    self.stderr.write(failed[-1])
        if failed:
            raise MissionsError(
                f"{len(failed)} trainings failed; the messages stand above and in their rows.",
                next_step="Admin → Training runs: look at each, then train it by hand.",
            )

    def execute_run(self, run: TrainingRun) -> None:
        training_run_execute(run=run, progress=self.progress)
        self.progress.close()
        self.stdout.write(f"Training {run.pk} of {run.agency} took {run.seconds or 0:.0f} s.")
        for version in ModelVersion.objects.filter(run=run).select_related("crime_type"):
            self.show(version)

    def show(self, version: ModelVersion) -> None:
        """Print one crime type's league, best first."""
        verdict = (
            "beats the best plain count."
            if version.beats_baseline
            else "nothing beats the plain count, so the plain count is the champion."
        )
        self.stdout.write(f"\n{version}, {version.n_incidents} incidents: {verdict}")
        self.stdout.write(f"  {version.get_state_display()}. {version.approval_note}".rstrip())
        self.stdout.write(
            f"  {'model':<20} {'hit rate at 1 %':>22} {'PAI':>6} {'log skill':>10} {'exp/obs':>8}"
        )
        for row in version.summary["league"]:
            area = next((item for item in row["areas"] if item["area"] == "1%"), None)
            rate = area["hit_rate"] if area else {"value": None, "low": None, "high": None}
            interval = f"{share(rate['value'])} ({share(rate['low'])}–{share(rate['high'])})"
            self.stdout.write(
                f"  {row['name']:<20} {interval:>22} {number(area and area['pai'], 1):>6} "
                f"{number(row['log_skill']['value'], 3):>10} {number(row['calibration']['value'], 2):>8}"
                f"{'  plain' if row['is_baseline'] else ''}"
            )


def share(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"


def number(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"
