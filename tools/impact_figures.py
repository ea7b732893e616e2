"""Figures of docs/impact.md's walk-through, made from a planted history in a database of their own.

    .venv/bin/python tools/impact_figures.py        # a few minutes; the same dates and seed give the same pictures

Asks the product's own services, as the pages do: the experiment designer, the report over all plans, the curves.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
TODAY = dt.date(2026, 6, 1)


def figures(today: dt.date, weeks: int, folder: Path) -> list[str]:
    """Plant the history, ask everything that the walk-through shows, write the pictures; returns what was found in words."""
    from django.core.management import call_command

    from agencies.models import CrimeType
    from missions_project.demo.planted import Truth
    from missions_project.demo.planted_city import STUDY_SLUG, planted_city_make
    from missions_project.demo.setup import CITY_SEED
    from missions_project.lib.progress import no_progress
    from tactics.curves import CurveChoices
    from tactics.curves_chart import curves_svg
    from tactics.experiment import ExperimentChoices, experiment_sentences, experiment_shown
    from tactics.experiment_chart import experiment_svg
    from tactics.models import Inquiry
    from tactics.services import (
        impact_report_execute,
        inquiry_answer,
        inquiry_ask,
        report_queue,
        rolling_study_ensure,
    )
    from tactics.services.studies import SETTLE_DAYS
    from tactics.studies.chart import effect_svg

    call_command("migrate", verbosity=0)
    agency, _ = planted_city_make(
        slug=STUDY_SLUG, weeks=weeks, last=today - dt.timedelta(days=SETTLE_DAYS + 1), city_seed=CITY_SEED, seed=7,
        truth=Truth(prevented=0.6, displaced=0.2, complied=0.8), progress=no_progress,
    )  # fmt: skip
    types = tuple(
        CrimeType.objects.filter(agency=agency, is_active=True)
        .exclude(slug="gunfire")
        .values_list("slug", flat=True)
    )

    def answer(kind: str, choices: dict[str, object]) -> dict[str, object]:
        inquiry = inquiry_answer(inquiry=inquiry_ask(agency=agency, kind=kind, choices=choices))
        assert inquiry.answer is not None
        return inquiry.answer

    folder.mkdir(parents=True, exist_ok=True)
    told: list[str] = []
    asked = ExperimentChoices(2, 91, types, 10, 16, 80)
    shown = experiment_shown(asked, answer(Inquiry.Kind.EXPERIMENT, asked.as_json()))
    told += experiment_sentences(shown)
    (folder / "impact-power.svg").write_bytes(experiment_svg(shown))
    study = rolling_study_ensure(agency=agency)
    report = report_queue(study=study, today=today)
    impact_report_execute(report=report)
    report.refresh_from_db()
    told.append(report.sentence)
    (folder / "impact-effect.svg").write_bytes(effect_svg(report.figures))
    period = CurveChoices(report.first, report.last, types)
    curves = answer(Inquiry.Kind.CURVES, period.as_json())
    (folder / "impact-time.svg").write_bytes(curves_svg(curves["fair"], clock="the drawn start"))  # type: ignore[arg-type]
    return told


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weeks", type=int, default=8)
    parser.add_argument("--today", type=dt.date.fromisoformat, default=TODAY)
    parser.add_argument("--out", type=Path, default=IMAGES)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as var:
        # Never the installation's own database: the history is made up.
        os.environ["DATABASE_URL"] = f"sqlite:///{var}/figures.sqlite3"
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
        import django

        django.setup()
        for line in figures(options.today, options.weeks, options.out):
            print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
