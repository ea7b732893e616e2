"""``manage.py impact_study``: analyse a study from the shell, the rolling one over all plans if none is named."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from agencies.lookups import agency_by_slug
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError
from tactics.models import ImpactStudy
from tactics.services import impact_report_execute, report_queue, rolling_study_ensure
from tactics.studies.files import report_about
from tactics.studies.selectors import studies_of
from tactics.studies.table import report_checks, report_lines


class Command(MissionsCommand):
    help = (
        "Analyse a study and print its sentence, table and checks; without --study, the one over all published plans. "
        "A frozen study is refused before its end, here as on its page."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG", help="The agency's slug.")
        parser.add_argument(
            "--study", type=int, metavar="NUMBER", help="The study's number, as in its page's address."
        )
        parser.add_argument("--list", action="store_true", help="Only list the agency's studies.")
        parser.add_argument(
            "--json",
            type=Path,
            metavar="FILE",
            help="Write the figures here too, beside “about”: what they are.",
        )

    def work(self, **options: Any) -> None:
        agency = agency_by_slug(options["agency"])
        if options["list"]:
            for row in studies_of(agency):
                said = row.report.sentence if row.report else row.study.get_state_display()
                self.stdout.write(f"{row.study.pk}  {row.study.name}: {said}")
            return
        if options["study"] is None:
            study = rolling_study_ensure(agency=agency)
        else:
            found = ImpactStudy.objects.filter(agency=agency, pk=options["study"]).first()
            if found is None:
                raise MissionsError(
                    f"Agency “{agency.slug}” has no study {options['study']}.",
                    next_step="see manage.py impact_study --agency … --list.",
                )
            study = found
        report = impact_report_execute(report=report_queue(study=study), progress=self.progress)
        self.progress.close()
        figures = report.figures
        self.stdout.write(f"{report.sentence}\n")
        for line in report_lines(figures, report.config_snapshot["estimand"]):
            self.stdout.write(f"  {line.name}: {line.estimate}; {line.interval}; p {line.p}; {line.reading}")
        for check in report_checks(figures):
            self.stdout.write(f"  [{check.tone}] {check.name}: {check.text}")
        self.stdout.write(
            f"Design {report.design_hash}, data {report.data_hash}, seed {report.seed}, code version {report.code_version}."
        )
        if options["json"]:
            told = {"about": report_about(agency, study, report).facts} | figures
            options["json"].write_text(json.dumps(told, indent=1), encoding="utf-8")
