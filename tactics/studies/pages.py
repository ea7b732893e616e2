"""The studies' pages: the list, a new one, one study with its report; and what people do there."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agencies.access import RUNS_STUDIES, SEES_STUDIES, Access, agency_page
from missions_project.lib.commands import validation_text
from missions_project.lib.errors import MissionsError
from tactics.models import ImpactReport, ImpactStudy
from tactics.services import (
    report_cancel,
    report_queue,
    study_cancel,
    study_change,
    study_create,
    study_freeze,
)
from tactics.studies.forms import CancelForm, StudyForm, study_initial
from tactics.studies.page import chosen_report, study_context
from tactics.studies.selectors import StudyRow, studies_of, study_of
from tactics.tasks import impact_report_task


def _row(access: Access, study_id: int) -> StudyRow:
    row = study_of(access.agency, study_id)
    if row is None:
        raise Http404(_("No such study."))
    return row


def _page(access: Access, study: ImpactStudy) -> HttpResponse:
    return redirect("tactics:study", access.agency.slug, study.pk)


@require_GET
@agency_page(SEES_STUDIES)
def studies(request: HttpRequest, access: Access) -> HttpResponse:
    """All studies, the ones that showed nothing as plainly as the others. Two queries for the list."""
    return render(request, "tactics/studies/list.html", {"tab": "studies", "rows": studies_of(access.agency)})


@require_http_methods(["GET", "POST"])
@agency_page(RUNS_STUDIES)
def study_new(request: HttpRequest, access: Access) -> HttpResponse:
    """Set up a study; what it could show is worked out at once, before anybody can freeze it."""
    form = StudyForm(request.POST or None, agency=access.agency, initial=study_initial(request.GET))
    if form.is_valid():
        try:
            study = study_create(agency=access.agency, actor=access.user, **form.for_service())
            _work_out(request, access, study)
            return _page(access, study)
        except (MissionsError, ValidationError) as exc:
            form.add_error(None, _words(exc))
    return render(request, "tactics/studies/edit.html", {"tab": "studies", "form": form})


@require_http_methods(["GET", "POST"])
@agency_page(RUNS_STUDIES)
def study_edit(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """Change a draft. A frozen study has no form."""
    study = _row(access, study_id).study
    if not study.is_open:
        messages.error(request, _("This study is frozen: nothing of it can be changed."))
        return _page(access, study)
    # The form writes into the row that it is given: the service must see what was stored before.
    shown = ImpactStudy.objects.get(pk=study.pk)
    form = StudyForm(request.POST or None, agency=access.agency, instance=shown)
    if form.is_valid():
        try:
            study_change(study=study, **form.for_service())
            _work_out(request, access, study)
            return _page(access, study)
        except (MissionsError, ValidationError) as exc:
            form.add_error(None, _words(exc))
    return render(request, "tactics/studies/edit.html", {"tab": "studies", "form": form, "study": study})


def _words(error: MissionsError | ValidationError) -> str:
    return validation_text(error) if isinstance(error, ValidationError) else str(error)


def _work_out(request: HttpRequest, access: Access, study: ImpactStudy) -> None:
    if study.minimum_detectable is not None:
        return
    try:
        report = report_queue(study=study, purpose=ImpactReport.Purpose.POWER, actor=access.user)
    except MissionsError as exc:
        messages.warning(request, str(exc))
        return
    impact_report_task.delay_on_commit(report.pk)


@require_GET
@agency_page(SEES_STUDIES)
def study(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """One study: its sentence, picture, design, table and checks. Two queries, four more for a draft."""
    row = _row(access, study_id)
    report = chosen_report(row, request.GET.get("report"))
    return render(
        request, "tactics/studies/study.html", {"tab": "studies"} | study_context(access, row, report)
    )


@require_GET
@agency_page(SEES_STUDIES)
def study_status(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """The part of the page that moves while an analysis runs; it loads the page anew when it is done."""
    row = _row(access, study_id)
    answer = render(
        request, "tactics/studies/_status.html", {"row": row, "study": row.study, "access": access}
    )
    if row.running is None:
        answer["HX-Refresh"] = "true"
    return answer


def _do(request: HttpRequest, access: Access, study_id: int, action: Any, done: str) -> HttpResponse:
    row = _row(access, study_id)
    try:
        action(row)
        messages.success(request, done)
    except (MissionsError, ValidationError) as exc:
        messages.error(request, _words(exc))
    return _page(access, row.study)


@require_POST
@agency_page(RUNS_STUDIES)
def study_power(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """Work out anew what a draft could show."""

    def start(row: StudyRow) -> None:
        report = report_queue(study=row.study, purpose=ImpactReport.Purpose.POWER, actor=access.user)
        impact_report_task.delay_on_commit(report.pk)

    return _do(request, access, study_id, start, _("The smallest effect is being worked out."))


@require_POST
@agency_page(RUNS_STUDIES)
def study_freeze_now(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """Freeze a draft for good."""
    done = _("Frozen. Nothing of it can be changed now; it is reported whatever comes out.")
    return _do(request, access, study_id, lambda row: study_freeze(study=row.study, actor=access.user), done)


@require_POST
@agency_page(RUNS_STUDIES)
def study_cancel_now(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """Cancel a study with a reason; it stays in the list."""
    form = CancelForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    return _do(
        request,
        access,
        study_id,
        lambda row: study_cancel(study=row.study, actor=access.user, reason=reason),
        _("Cancelled. It stays in the list with your reason."),
    )


@require_POST
@agency_page(RUNS_STUDIES)
def study_run(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """Analyse a study that is due, or repeat its analysis."""

    def start(row: StudyRow) -> None:
        report = report_queue(study=row.study, actor=access.user)
        impact_report_task.delay_on_commit(report.pk)

    return _do(request, access, study_id, start, _("The analysis is in the queue."))


@require_POST
@agency_page(RUNS_STUDIES)
def study_stop(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """Stop an analysis that waits or runs."""

    def stop(row: StudyRow) -> None:
        if row.running is None:
            raise MissionsError(_("Nothing is running."), next_step=_("reload the page."))
        report_cancel(report=row.running, actor=access.user)

    return _do(request, access, study_id, stop, _("The analysis stops within seconds."))


def report_of(access: Access, study_id: int, request: HttpRequest) -> tuple[StudyRow, ImpactReport]:
    """The study and the report asked for, or 404 where it has none yet."""
    row = _row(access, study_id)
    report = chosen_report(row, request.GET.get("report"))
    if report is None:
        raise Http404(_("This study has no report yet."))
    return row, report
