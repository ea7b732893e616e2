"""manage.py verify_audit_log"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from agencies.services.audit_log import ChainReport, audit_guard_problems, audit_known_problems, audit_verify
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError


class Command(MissionsCommand):
    help = "Check that no row of the audit log was changed, removed, moved or added behind the product's back. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--agency", help="Only this agency's chain. Default: all, and the installation's."
        )
        parser.add_argument(
            "--against",
            type=Path,
            help="What an earlier run printed: each chain must still hold what it held then. Keep such prints elsewhere: a "
            "whole database put back to an older state is whole in itself.",
        )

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"]) if options["agency"] else None
        reports = audit_verify(agency=agency, progress=self.progress)
        problems = audit_guard_problems()
        for report in reports:
            self.stdout.write(_line(report))
            problems += [f"{report.chain}: {text}" for text in report.problems]
        if options["against"] is not None:
            problems += audit_known_problems(options["against"].read_text(encoding="utf-8").splitlines())
        for text in problems:
            self.stdout.write(self.style.ERROR(f"  {text}"))
        if problems:
            raise MissionsError(
                f"The audit log is not whole: {len(problems):,} findings.",
                next_step="keep a copy of the database as it is, then compare these rows with the last backup.",
            )
        self.stdout.write("The audit log is whole.")


def _line(report: ChainReport) -> str:
    retired = f", {report.retired:,} retired before" if report.retired else ""
    return f"{report.chain} {report.head.sequence} {report.head.hash} ({report.rows:,} rows{retired})"
