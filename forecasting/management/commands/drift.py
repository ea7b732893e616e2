"""``manage.py drift``: compare the models' past forecasts with what has become known since."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from forecasting.models import ModelVersion
from forecasting.selectors import drift_of, model_policy
from forecasting.services import drift_measure
from missions_project.lib.commands import MissionsCommand

SHOWN_WEEKS = 8


class Command(MissionsCommand):
    help = "Compare the stored forecasts of past shifts with the incidents known now, week by week, and say what is off."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, help="The agency's slug.")
        parser.add_argument(
            "--all",
            action="store_true",
            help="Measure every week again, not only the last ones; may take minutes.",
        )

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"])
        written = drift_measure(agency=agency, everything=options["all"], progress=self.progress)
        self.progress.close()
        self.stdout.write(f"{written} weeks measured.")
        policy = model_policy(agency)
        live = ModelVersion.objects.live().filter(agency=agency).select_related("agency", "crime_type")
        for version in live.order_by("crime_type__name"):
            drift = drift_of(version, policy=policy)
            self.stdout.write(f"\n{version}: {len(drift.weeks)} weeks, {drift.n_settled} of them settled.")
            for week in drift.weeks[-SHOWN_WEEKS:]:
                skill = "n/a" if week.skill is None else f"{week.skill:+.3f}"
                self.stdout.write(
                    f"  {week.week_from}  expected {week.expected:8.1f}  observed {week.observed:5d}  "
                    f"(usual {week.low}–{week.high})  log skill {skill}{'' if week.settled else '  not settled'}"
                )
            for alarm in drift.alarms:
                if (answer := alarm.acknowledged) is None:
                    self.stdout.write(f"  ALARM: {alarm.text}")
                else:
                    self.stdout.write(
                        f"  alarm, acknowledged {answer.at:%Y-%m-%d} by {answer.actor or 'nobody'}: {answer.reason}. {alarm.text}"
                    )
