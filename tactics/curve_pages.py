"""The page of curves, their pictures, and the picture on a study's page."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from agencies.access import SEES_STUDIES, Access, agency_page
from agencies.selectors import active_crime_types
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from tactics.curves import CurveChoices, curve_choices, curve_choices_of_study, curve_table, curves_said
from tactics.curves_chart import curves_svg
from tactics.inquiry_pages import ask, found_for, may_ask, svg_response
from tactics.inquiry_selectors import inquiry_for
from tactics.models import ImpactStudy, Inquiry

CLOCKS = {"fair": gettext_lazy("the drawn start"), "stays": gettext_lazy("arrival")}


@require_http_methods(["GET", "POST"])
@agency_page(SEES_STUDIES)
def curves(request: HttpRequest, access: Access) -> HttpResponse:
    """Time until the next crime, for all published plans of a period. Seven queries to show."""
    types = active_crime_types(access.agency)
    context: dict[str, Any] = {"access": access, "tab": "studies", "types": types}
    try:
        choices = curve_choices(request.POST or request.GET, crime_types=types)
    except MissionsError as exc:
        return render(request, "tactics/curves.html", context | {"error": exc}, status=400)
    if request.method == "POST" and may_ask(access):
        ask(access, Inquiry.Kind.CURVES, choices.as_json())
    if request.method == "POST":
        return redirect(f"{reverse('tactics:curves', args=[access.agency.slug])}?{choices.query}")
    return render(request, "tactics/curves.html", context | _shown(access, choices))


def _shown(access: Access, choices: CurveChoices) -> dict[str, Any]:
    context = found_for(access, Inquiry.Kind.CURVES, choices.as_json()) | {"choices": choices}
    if answered := context["answered"]:
        context["fair"] = curves_said(answered.answer["fair"])
        context["stays"] = curves_said(answered.answer["stays"])
        context["clocks"] = CLOCKS
        context["fair_rows"] = curve_table(answered.answer["fair"])
        context["stay_rows"] = curve_table(answered.answer["stays"], (15.0, 30.0, 60.0, 120.0))
    return context


@require_GET
@agency_page(SEES_STUDIES)
def curves_chart(request: HttpRequest, access: Access, which: str) -> HttpResponse:
    """The picture of these choices: ``fair`` or ``stays``. Five queries."""
    if which not in CLOCKS:
        raise Http404(_("No such picture."))
    try:
        choices = curve_choices(request.GET, crime_types=active_crime_types(access.agency))
    except MissionsError as exc:
        return HttpResponseBadRequest(str(exc), content_type="text/plain; charset=utf-8")
    return _picture(access, choices, which)


@require_http_methods(["GET", "POST"])
@agency_page(SEES_STUDIES)
def study_curves(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """A study's curves as a part of its page: the picture where it was worked out, else how to have it. Six queries."""
    study = get_object_or_404(ImpactStudy, pk=study_id, agency=access.agency)
    choices = curve_choices_of_study(study)
    if request.method == "POST":
        if may_ask(access):
            ask(access, Inquiry.Kind.CURVES, choices.as_json())
        return redirect("tactics:study", access.agency.slug, study.pk)
    context = _shown(access, choices) | {"study": study}
    return render(request, "tactics/_study_curves.html", context)


@require_GET
@agency_page(SEES_STUDIES)
def study_curves_chart(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """The picture of a study's own period, types and window. Five queries."""
    study = get_object_or_404(ImpactStudy, pk=study_id, agency=access.agency)
    return _picture(access, curve_choices_of_study(study), "fair")


def _picture(access: Access, choices: CurveChoices, which: str) -> HttpResponse:
    answered, __ = inquiry_for(access.agency, Inquiry.Kind.CURVES, choices.as_json())
    if answered is None or answered.answer is None:
        raise Http404(_("These curves were not worked out yet."))
    return svg_response(curves_svg(curves_said(answered.answer[which]), clock=CLOCKS[which]))
