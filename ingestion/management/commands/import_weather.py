"""manage.py import_weather: weather that was measured or foreseen."""

from typing import Any

from django.core.management.base import CommandParser

from ingestion.management.whole_file import add_whole_file_arguments, whole_file_work
from ingestion.sources import parameter_infos
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = "Import weather from a CSV of days or hours, or from a JSON forecast of Open-Meteo or the US NWS."

    def add_arguments(self, parser: CommandParser) -> None:
        add_whole_file_arguments(parser)
        for info in parameter_infos("weather_csv"):
            choices = [choice for choice, _ in info.choices]
            parser.add_argument(
                f"--{info.name.replace('_', '-')}",
                default="",
                choices=["", *choices],
                metavar="|".join(choices),
                help=f"{info.label.lower().replace(' are in', '').replace(' is in', '')} in this unit, for a new feed",
            )

    def work(self, **options: Any) -> str:
        kind = "weather_json" if options["file"].suffix.lower() == ".json" else "weather_csv"
        names = [info.name for info in parameter_infos("weather_csv")]
        params = {name: options[name] for name in names if options[name]} if kind == "weather_csv" else {}
        return whole_file_work(options, kind, params, self.progress)
