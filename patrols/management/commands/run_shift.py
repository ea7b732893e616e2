"""``manage.py run_shift``: the whole line for the next shift: forecast, then plan."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from agencies.lookups import agency_by_slug, date_from_text, shift_by_slug
from agencies.selectors import current_or_next_shift_instance
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError
from patrols.services import plan_summary, shift_line_run


class Command(MissionsCommand):
    help = "Forecast the next shift (or the one named) and draw its missions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, help="The agency's slug.")
        parser.add_argument(
            "--shift", help="The shift's slug; with --date. Default: the next shift to start."
        )
        parser.add_argument("--date", help="Local date on which the shift starts, YYYY-MM-DD.")
        parser.add_argument("--seed", type=int, help="Seed of the draw; a random one is stored otherwise.")
        parser.add_argument("--publish", action="store_true", help="Publish the plan at once.")

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"])
        if bool(options["shift"]) != bool(options["date"]):
            raise MissionsError(
                "--shift and --date go together.", next_step="give both, or neither for the next shift."
            )
        if options["shift"]:
            shift, on = shift_by_slug(agency, options["shift"]), date_from_text(options["date"])
        else:
            shift, on = current_or_next_shift_instance(agency, timezone.now(), include_current=False)
        plan = shift_line_run(
            agency=agency,
            shift=shift,
            on=on,
            seed=options["seed"],
            publish=options["publish"],
            progress=self.progress,
        )
        self.stdout.write(f"Plan {plan.pk} ({plan.get_state_display().lower()}) for {plan.shift}, {plan.on}:")
        for name, value in plan_summary(plan).items():
            self.stdout.write(f"  {name}: {value}")
