"""manage.py retention: delete or make coarse what is older than the agencies' policies say, now."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from ingestion.models import RetentionPolicy
from ingestion.services import retention_plan, retention_run
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Delete or make coarse what is older than the agency's retention policies say. The night does the same."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", default="", metavar="SLUG", help="only this agency's policies")
        parser.add_argument("--dry-run", action="store_true", help="count and warn; change nothing")

    def work(self, **options: Any) -> str:
        policies = RetentionPolicy.objects.select_related("agency")
        if options["agency"]:
            policies = policies.filter(agency=agency_by_slug(options["agency"]))
        lines = []
        for policy in policies:
            plan = (
                retention_plan(policy=policy)
                if options["dry_run"]
                else retention_run(policy=policy, progress=self.progress)
            )
            would = "would be " if options["dry_run"] else ""
            lines.append(
                f"{policy.agency.slug} · {plan.kind.label}: {plan.deleted:,} {would}deleted, {plan.coarsened:,} {would}made coarse"
            )
            lines += [f"  Warning: {notice}" for notice in plan.notices]
        return "\n".join(
            lines or ["No retention policies: nothing is deleted. Add one in Admin → Retention policies."]
        )
