"""manage.py import_open_data: a real city's crimes, from its own portal."""

import os
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from agencies.lookups import date_from_text
from agencies.models import Agency, CrimeType
from agencies.services import agency_create
from ingestion.management.report import run_report
from ingestion.opendata import CITIES, KINDS, City
from ingestion.services.open_data import DEFAULT_YEARS, Portal, feed_pull_all, open_data_feeds
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError
from tactics.defaults import agency_defaults_create


class Command(MissionsCommand):
    help = "Import a city's open data (crime, calls for service, gunfire) from its portal; --list shows the cities."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--city", choices=sorted(CITIES), metavar="|".join(sorted(CITIES)), help="whose data"
        )
        parser.add_argument(
            "--list", action="store_true", help="show the cities and their data sets, and stop"
        )
        parser.add_argument(
            "--kind",
            action="append",
            choices=KINDS,
            default=[],
            metavar="|".join(KINDS),
            help="which data; may be repeated; crime if absent",
        )
        parser.add_argument(
            "--since",
            default="",
            metavar="YYYY-MM-DD",
            help="first day that is wanted; three years ago if absent",
        )
        parser.add_argument(
            "--agency",
            default="",
            metavar="SLUG",
            help="the agency that gets the feeds; made under the city's name if absent",
        )
        parser.add_argument(
            "--every-minutes", type=int, default=0, help="pull again on this schedule; by hand only if absent"
        )
        parser.add_argument(
            "--portal",
            default="",
            metavar="URL",
            help="another server with the same data, e.g. a mirror inside the agency's network",
        )

    def work(self, **options: Any) -> str:
        if options["list"]:
            return "\n".join(_listed(city) for city in CITIES.values())
        if not options["city"]:
            raise MissionsError("No city was given.", next_step=f"add --city {'|'.join(CITIES)}, or --list.")
        city, now = CITIES[options["city"]], timezone.now()
        since = (
            date_from_text(options["since"])
            if options["since"]
            else (now - timedelta(days=365 * DEFAULT_YEARS)).date()
        )
        agency = _agency(city, options["agency"])
        # A key on the command line would stand in the list of processes.
        portal = Portal(options["portal"], os.environ.get("SOCRATA_APP_TOKEN", ""))
        kinds = tuple(kind for kind in KINDS if kind in (options["kind"] or ["crime"]))
        feeds = open_data_feeds(agency=agency, city=city, kinds=kinds, since=since, now=now, portal=portal)
        for feed in feeds:
            if options["every_minutes"]:
                feed.every_minutes = options["every_minutes"]
                feed.next_due_at = now + timedelta(minutes=feed.every_minutes)
                feed.save(update_fields=["every_minutes", "next_due_at"])
            for run in feed_pull_all(feed=feed, progress=self.progress):
                self.stdout.write(f"{feed} ({feed.slug})\n{run_report(run)}")
        return (
            f"Agency “{agency.slug}” has {len(feeds)} feeds since {since}. Next: import_geography --agency {agency.slug} …, "
            "grid_build, train (docs/real-city.md)."
        )


def _agency(city: City, slug: str) -> Agency:
    agency = Agency.objects.filter(slug=slug or city.key).first()
    if agency is None:
        agency = agency_create(slug=slug or city.key, name=f"{city.name} (trial)", time_zone=city.time_zone)
    if not CrimeType.objects.filter(agency=agency).exists():
        # Before the import: without crime types every row would be kept aside as unmapped.
        agency_defaults_create(agency=agency)
    return agency


def _listed(city: City) -> str:
    lines = [f"{city.key:<15} {city.name}"]
    for dataset in city.datasets:
        lines.append(f"  {dataset.kind:<8} {dataset.name} [{dataset.source}]")
        lines += [f"           {text}" for text in (dataset.note, dataset.checked) if text]
    return "\n".join(lines)
