"""manage.py second_factor_remove"""

from typing import Any

from django.core.management.base import CommandParser

from agencies.models import User
from agencies.sign_in_log import second_factor_remove
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError


class Command(MissionsCommand):
    help = (
        "Take the second factor of somebody who has lost it, an operator too, and sign them out everywhere. "
        "The audit log says so."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="Whose.")
        parser.add_argument("--why", required=True, help="The reason, for the audit log.")

    def work(self, **options: Any) -> None:
        name = options["username"]
        person = User.objects.filter(username=name).first()
        if person is None:
            raise MissionsError(
                f"There is no person “{name}”.", next_step="give the name that they sign in with."
            )
        if not second_factor_remove(person=person, by=None, why=options["why"]):
            raise MissionsError(
                f"{name} has none.",
                next_step="nothing: the next sign-in asks for one where the role needs it.",
            )
        self.stdout.write(f"{name} has no second factor any more, and is signed out everywhere.")
