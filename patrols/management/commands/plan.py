"""``manage.py plan``: draw the missions of one shift instance from its newest forecast."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug, date_from_text, shift_by_slug
from missions_project.lib.commands import MissionsCommand
from patrols.services import plan_missions, plan_publish, plan_queue, plan_summary


class Command(MissionsCommand):
    help = "Draw the missions of one shift instance from its newest forecast."
    # Run each shift: the checks are for migrate and for the servers, and take half a second.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, help="The agency's slug.")
        parser.add_argument("--shift", required=True, help="The shift's slug.")
        parser.add_argument("--date", required=True, help="Local date on which the shift starts, YYYY-MM-DD.")
        parser.add_argument("--seed", type=int, help="Seed of the draw; a random one is stored otherwise.")
        parser.add_argument(
            "--reasons",
            action="store_true",
            help="Write why the forecast rates each box so, too; else a worker does within a minute.",
        )
        parser.add_argument("--publish", action="store_true", help="Publish the plan at once.")

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"])
        plan = plan_queue(
            agency=agency,
            shift=shift_by_slug(agency, options["shift"]),
            on=date_from_text(options["date"]),
            seed=options["seed"],
        )
        plan_missions(plan=plan, progress=self.progress, with_reasons=options["reasons"])
        if options["publish"]:
            plan_publish(plan=plan, actor=None)
        self.stdout.write(f"Plan {plan.pk} ({plan.get_state_display().lower()}) for {plan.shift}, {plan.on}:")
        for name, value in plan_summary(plan).items():
            self.stdout.write(f"  {name}: {value}")
        if plan.log:
            self.stdout.write(plan.log.rstrip())
