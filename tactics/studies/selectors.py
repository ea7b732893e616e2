"""Reading studies and their reports."""

from dataclasses import dataclass

from django.db.models import Prefetch
from django.utils.translation import get_language

from agencies.models import Agency
from missions_project.lib.runs import RunStatus
from tactics.models import ImpactReport, ImpactStudy

FINISHED = (RunStatus.SUCCEEDED, RunStatus.FAILED)


@dataclass(frozen=True)
class StudyRow:
    """A study with the report that counts, the analysis that runs, and the newest that failed."""

    study: ImpactStudy
    report: ImpactReport | None
    running: ImpactReport | None
    failed: ImpactReport | None
    reports: list[ImpactReport]


def studies_of(agency: Agency) -> list[StudyRow]:
    """Return the agency's studies, newest first, cancelled ones too. Two queries."""
    # Another language's sentence is made from the figures: without them here, each line would ask for its own.
    unread = ("figures", "log") if (get_language() or "en").startswith("en") else ("log",)
    rows = (
        ImpactStudy.objects.filter(agency=agency)
        .select_related("frozen_by", "created_by")
        .prefetch_related(Prefetch("reports", ImpactReport.objects.defer(*unread), to_attr="every_report"))
    )
    return [_row(study, study.every_report) for study in rows]


def study_of(agency: Agency, study_id: int) -> StudyRow | None:
    """Return one of the agency's studies, or None. Two queries."""
    study = (
        ImpactStudy.objects.filter(agency=agency, pk=study_id)
        .select_related("agency", "frozen_by", "created_by", "cancelled_by")
        .first()
    )
    if study is None:
        return None
    return _row(study, list(study.reports.select_related("requested_by").defer("log")))


def _row(study: ImpactStudy, reports: list[ImpactReport]) -> StudyRow:
    made = [one for one in reports if one.purpose == ImpactReport.Purpose.REPORT]
    done = [one for one in made if one.status == RunStatus.SUCCEEDED]
    # A registered study's first report is its answer; later ones only repeat it. The rolling one's newest counts.
    counts = (done[0] if study.is_rolling else done[-1]) if done else None
    running = next((one for one in reports if one.status not in FINISHED), None)
    failed = reports[0] if reports and reports[0].status == RunStatus.FAILED else None
    return StudyRow(study, counts, running, failed, done)
