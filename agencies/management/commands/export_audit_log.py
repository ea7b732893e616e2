"""manage.py export_audit_log riverton --to audit.jsonl"""

import datetime as dt
import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.lookups import agency_by_slug
from agencies.services import audit_record
from agencies.services.audit_log import audit_about, audit_csv, audit_head, audit_lines, audit_rows
from missions_project.lib.commands import MissionsCommand


def _day(text: str) -> dt.datetime:
    return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC)


class Command(MissionsCommand):
    help = (
        "Write an agency's audit log for auditors: JSON lines with what each fingerprint is taken of, or CSV. The first line, or the "
        "lines that begin with #, say what the file is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "agency", nargs="?", help="The agency's slug. Default: events that are about no agency."
        )
        parser.add_argument("--to", type=Path, required=True, help="The file to write.")
        parser.add_argument("--csv", action="store_true", help="CSV instead of JSON lines.")
        parser.add_argument("--from", dest="since", type=_day, help="The first day (UTC), e.g. 2026-01-01.")
        parser.add_argument("--until", type=_day, help="The day after the last (UTC).")

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"]) if options["agency"] else None
        until = options["until"] or timezone.now()
        # Before the first row leaves: a log that was taken away must say so itself.
        audit_record(
            agency=agency,
            actor=None,
            action="audit log exported",
            subject=options["to"].name,
            detail={"account": getpass.getuser(), "form": "csv" if options["csv"] else "json lines",
                    "from": options["since"].isoformat() if options["since"] else None, "until": until.isoformat()},
        )  # fmt: skip
        asked = _("From %(first)s up to %(last)s (UTC)") % {
            "first": options["since"].date() if options["since"] else _("the first"),
            "last": f"{until:%Y-%m-%d %H:%M:%S}",
        }
        about = audit_about(agency=agency, asked=asked, taken_by=getpass.getuser(), is_whole=True)
        events = audit_rows(agency=agency, since=options["since"], until=until)
        with options["to"].open("w", encoding="utf-8", newline="") as file:
            if options["csv"]:
                number = audit_csv(events, file, about=about.lines)
            else:
                file.write(audit_head(agency=agency, about=about, is_whole=True))
                number = sum(1 for line in audit_lines(events) if file.write(line))
        self.stdout.write(f"{number:,} rows written to {options['to']}.")
