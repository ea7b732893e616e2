"""Pages that ask a question of the history and show its answer: the experiment designer, and what all such pages share."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from agencies.access import RUNS_STUDIES, SEES_STUDIES, Access, agency_page
from agencies.models import CrimeType
from agencies.selectors import active_crime_types
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.runs import RunStatus
from patrols.selectors import active_policy
from tactics.experiment import (
    ExperimentChoices,
    duration_words,
    experiment_choices,
    experiment_sentences,
    experiment_shown,
)
from tactics.experiment_chart import experiment_svg
from tactics.inquiry_selectors import inquiry_for
from tactics.models import Inquiry
from tactics.services import inquiry_ask
from tactics.tasks import inquiry_task

LENGTHS = (
    (28, gettext_lazy("four weeks")),
    (91, gettext_lazy("three months")),
    (182, gettext_lazy("six months")),
    (364, gettext_lazy("a year")),
    (728, gettext_lazy("two years")),
)


def ask(access: Access, kind: str, choices: dict[str, Any]) -> Inquiry:
    """Queue a question and send for it."""
    inquiry = inquiry_ask(agency=access.agency, kind=kind, choices=choices, requested_by=access.user)
    if inquiry.status == RunStatus.QUEUED:
        inquiry_task.delay_on_commit(inquiry.pk)
    return inquiry


def may_ask(access: Access) -> bool:
    """Whether the person may have the worker work something out; the others read what was found. No query."""
    return access.has(RUNS_STUDIES)


def found_for(access: Access, kind: str, choices: dict[str, Any]) -> dict[str, Any]:
    """What every page shows: the newest answer to these choices, and the question that is still open, if any. Two queries."""
    answered, newest = inquiry_for(access.agency, kind, choices)
    is_open = newest is not None and not newest.is_finished
    failed = newest if newest is not None and newest.status == RunStatus.FAILED else None
    return {
        "access": access, "tab": "studies", "answered": answered, "may_ask": may_ask(access),
        "waiting": newest if is_open else None, "failed": failed,
    }  # fmt: skip


@require_http_methods(["GET", "POST"])
@agency_page(SEES_STUDIES)
def design(request: HttpRequest, access: Access) -> HttpResponse:
    """What a study with these choices would show. At most eight queries to show."""
    types = active_crime_types(access.agency)
    query = request.POST if request.method == "POST" else request.GET
    context: dict[str, Any] = {"access": access, "tab": "studies", "types": types, "lengths": LENGTHS}
    try:
        choices = experiment_choices(query, crime_types=types, policy=active_policy(access.agency))
    except MissionsError as exc:
        return render(request, "tactics/design.html", context | {"error": exc}, status=400)
    if request.method == "POST":
        return _asked(request, access, choices)
    context |= found_for(access, Inquiry.Kind.EXPERIMENT, choices.as_json()) | {"choices": choices}
    context["length"] = duration_words(choices.days)
    context["is_usual_length"] = any(choices.days == days for days, __ in LENGTHS)
    if answered := context["answered"]:
        context["shown"] = shown = experiment_shown(choices, answered.answer)
        context["sentences"] = experiment_sentences(shown)
        context["names"] = {row.slug: row.name for row in types}
        context["study_query"] = _study_query(choices, types, shown.asked)
    return render(request, "tactics/design.html", context)


def _study_query(choices: ExperimentChoices, types: list[CrimeType], asked: dict[str, Any]) -> str:
    """What the form of a new study is opened with: crime types, first and last day from tomorrow, the smallest effect."""
    first = timezone.localdate() + dt.timedelta(days=1)
    return urlencode(
        {
            "crime_types": [row.pk for row in types if row.slug in choices.types],
            "first": first.isoformat(),
            "last": (first + dt.timedelta(days=choices.days - 1)).isoformat(),
            "minimum_percent": round(100 * asked["detectable"], 2),
        },
        doseq=True,
    )


def _asked(request: HttpRequest, access: Access, choices: ExperimentChoices) -> HttpResponse:
    """Work it out, where the person may ask; then the address that shows it to anybody."""
    if may_ask(access):
        ask(access, Inquiry.Kind.EXPERIMENT, choices.as_json())
    else:
        messages.error(
            request, _("Analysts and administrators have experiments worked out; you see what they asked.")
        )
    return redirect(f"{reverse('tactics:design', args=[access.agency.slug])}?{choices.query}")


@require_GET
@agency_page(SEES_STUDIES)
def design_chart(request: HttpRequest, access: Access) -> HttpResponse:
    """The power curves of these choices. Four queries."""
    try:
        choices = experiment_choices(
            request.GET,
            crime_types=active_crime_types(access.agency),
            policy=active_policy(access.agency),
        )
    except MissionsError as exc:
        return HttpResponseBadRequest(str(exc), content_type="text/plain; charset=utf-8")
    answered, __ = inquiry_for(access.agency, Inquiry.Kind.EXPERIMENT, choices.as_json())
    if answered is None or answered.answer is None:
        raise Http404(_("This experiment was not worked out yet."))
    return svg_response(experiment_svg(experiment_shown(choices, answered.answer)))


def svg_response(body: bytes) -> HttpResponse:
    """A chart, kept by the browser for a minute."""
    return HttpResponse(body, content_type="image/svg+xml", headers={"Cache-Control": "private, max-age=60"})


@require_GET
@agency_page(SEES_STUDIES)
def inquiry_live(request: HttpRequest, access: Access, inquiry_id: int) -> HttpResponse:
    """How far a question is; once it is answered the page around loads itself again. Three queries."""
    inquiry = get_object_or_404(Inquiry.objects.defer("answer"), pk=inquiry_id, agency=access.agency)
    answer = render(request, "tactics/_inquiry_live.html", {"access": access, "waiting": inquiry})
    if inquiry.is_finished:
        answer["HX-Refresh"] = "true"
    return answer
