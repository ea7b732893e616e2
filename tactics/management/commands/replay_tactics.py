"""``manage.py replay_tactics``: prove that a plan's recommended tactics are what its seed gave."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError
from patrols.models import MissionPlan
from tactics.models import TacticDraw
from tactics.replays import tactic_differences


class Command(MissionsCommand):
    help = (
        "Work out the chances of a stored plan's recommended tactics again, draw again from its seed, and compare. The plan "
        "itself is drawn again by replay_plan."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", type=int, help="The plan's number, as in the admin.")

    def work(self, **options: Any) -> None:
        plan = MissionPlan.objects.select_related("agency", "grid").filter(pk=options["plan"]).first()
        if plan is None:
            raise MissionsError(
                f"There is no plan {options['plan']}.",
                next_step="take the number from Admin → Mission plans.",
            )
        if differences := tactic_differences(plan):
            for line in differences:
                self.stderr.write(line)
            raise CommandError(
                f"The tactics of plan {plan.pk} are NOT what its seed and the stored chances give."
            )
        n = TacticDraw.objects.filter(mission__plan=plan).count()
        self.stdout.write(
            f"Plan {plan.pk} ({plan.agency.slug}): the recommended tactics of {n} missions are what seed {plan.seed} and the "
            "stored chances give."
        )
