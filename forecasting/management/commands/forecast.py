"""``manage.py forecast``: forecast one shift instance."""

from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug, date_from_text, shift_by_slug
from forecasting.models import RiskSurface
from forecasting.services import forecast_run, forecast_run_queue
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Forecast one shift instance for every active crime type."
    # Run each shift: the checks are for migrate and for the servers, and take half a second.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, help="The agency's slug.")
        parser.add_argument("--shift", required=True, help="The shift's slug.")
        parser.add_argument("--date", required=True, help="Local date on which the shift starts, YYYY-MM-DD.")

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"])
        run = forecast_run_queue(
            agency=agency,
            shift=shift_by_slug(agency, options["shift"]),
            on=date_from_text(options["date"]),
        )
        forecast_run(run=run, progress=self.progress)
        self.progress.close()
        self.stdout.write(
            f"Forecast {run.pk} of {run.shift}, {run.on}: {run.grid}, nothing reported from "
            f"{run.as_of:%Y-%m-%d %H:%M} UTC on, {run.seconds or 0:.1f} s. Expected in the shift:"
        )
        surfaces = RiskSurface.objects.filter(run=run).select_related("crime_type", "model_version")
        for surface in surfaces.defer("values", "baseline_values").order_by(
            "-crime_type__weight", "crime_type__name"
        ):
            self.stdout.write(
                f"  {surface.crime_type.name:<30} {surface.expected_total:9.3f}   "
                f"v{surface.model_version.number} {surface.model_version.champion}"
            )
        if run.log:
            self.stdout.write(run.log.rstrip())
