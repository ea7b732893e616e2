"""``manage.py demo_history``: past weeks of planned shifts with a known truth, and the report of the study over them."""

import datetime as dt
import time
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from missions_project.demo.planted import Truth
from missions_project.demo.planted_city import STUDY_SLUG, planted_city_make
from missions_project.demo.setup import CITY_SEED
from missions_project.lib.commands import MissionsCommand
from tactics.services import impact_report_execute, report_queue, rolling_study_ensure
from tactics.services.studies import SETTLE_DAYS
from tactics.studies.words import effect_of, percent


class Command(MissionsCommand):
    help = (
        "Make a second demo agency with past weeks of planned shifts, visits and crimes, in which what missions do is known, "
        "and report on them: the study's answer beside the truth."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--agency", default=STUDY_SLUG, help=f"Slug of the agency to make ({STUDY_SLUG})."
        )
        parser.add_argument("--weeks", type=int, default=26, help="Weeks of shifts (26).")
        parser.add_argument(
            "--prevented",
            type=float,
            default=0.6,
            help="Chance that a crime in a visited box is prevented (0.6).",
        )
        parser.add_argument(
            "--displaced", type=float, default=0.2, help="Share of these that happen next door instead (0.2)."
        )
        parser.add_argument(
            "--complied", type=float, default=0.8, help="Share of drawn missions carried out (0.8)."
        )
        parser.add_argument("--seed", type=int, default=7, help="Seed of what happens (7).")
        parser.add_argument("--no-report", action="store_true", help="Only make the history.")

    def work(self, **options: Any) -> None:
        started = time.monotonic()
        today = timezone.localdate()
        truth = Truth(
            prevented=options["prevented"], displaced=options["displaced"], complied=options["complied"]
        )
        agency, planted = planted_city_make(
            slug=options["agency"],
            weeks=options["weeks"],
            last=today - dt.timedelta(days=SETTLE_DAYS + 1),
            city_seed=CITY_SEED,
            seed=options["seed"],
            truth=truth,
            progress=self.progress,
        )
        self.progress.close()
        self.stdout.write(
            f"{planted.plans:,} shifts, {planted.missions:,} missions, {planted.crimes:,} crimes in agency “{agency.slug}” after "
            f"{time.monotonic() - started:.0f} s.\nTruth: {percent(planted.contrast)} prevented in drawn boxes, "
            f"{percent(planted.net)} less what moved next door."
        )
        if options["no_report"]:
            return
        study = rolling_study_ensure(agency=agency)
        report = impact_report_execute(report=report_queue(study=study), progress=self.progress)
        self.progress.close()
        self.stdout.write(f"Study: {report.sentence}")
        for key in ("contrast", "net"):
            one = effect_of(report.figures, key)
            if one and one["low"] is not None:
                self.stdout.write(
                    f"  {one['name']}: {percent(one['estimate'])} ({percent(one['low'])} to {percent(one['high'])})"
                )
        self.stdout.write(
            f"Page: /{agency.slug}/studies/{study.pk}/ ({time.monotonic() - started:.0f} s in all)"
        )
