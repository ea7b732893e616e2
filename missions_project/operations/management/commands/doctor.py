"""``manage.py doctor``: what is wrong with this installation, and how to mend it."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from missions_project.lib.commands import MissionsCommand
from missions_project.operations.doctor import CHECKS, Level, examine


class Command(MissionsCommand):
    help = (
        "Look at settings, folders, database, broker, workers, scheduler, clocks, mail, models, feeds and forecasts, and say what is "
        "wrong and how to mend it. Ends with 1 where something is an error."
    )
    # Django's own checks stop at the first mistake; the doctor wants to tell all of them.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the findings as JSON.")
        parser.add_argument("--strict", action="store_true", help="End with 1 for warnings, too.")

    def work(self, **options: Any) -> None:
        found = examine(progress=self.progress)
        self.progress.close()
        errors = sum(row.level == Level.ERROR for row in found)
        if options["json"]:
            self.stdout.write(
                json.dumps({"checks": list(CHECKS), "findings": [asdict(row) for row in found]}, indent=1)
            )
        for row in [] if options["json"] else found:
            self.stdout.write(
                f"{row.level.upper():<7} {row.check}: {row.what}\n        Next step: {row.next_step}"
            )
        bad = len(found) if options["strict"] else errors
        if bad:
            raise CommandError(f"{errors} errors, {len(found) - errors} warnings.")
        if not options["json"]:
            self.stdout.write(f"{len(CHECKS)} things looked at: no errors, {len(found)} warnings.")
