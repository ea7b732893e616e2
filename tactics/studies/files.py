"""A study's report as files: one HTML file that needs nothing else, JSON, CSV, and its picture."""

import base64
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import SEES_STUDIES, Access, agency_page
from agencies.models import Agency
from missions_project.lib.exports import About, csv_response
from patrols.selectors import models_behind
from tactics.models import ImpactReport, ImpactStudy
from tactics.studies.chart import effect_svg
from tactics.studies.page import study_context
from tactics.studies.pages import report_of
from tactics.studies.table import report_lines
from tactics.studies.words import registration_of, sentence_shown

COLUMNS = (
    "group",
    "key",
    "what",
    "estimate",
    "low",
    "high",
    "p",
    "crimes_expected_in_visited_boxes",
    "reading",
)


def _name(access: Access, study: ImpactStudy, report: ImpactReport, ending: str) -> str:
    return f"{access.agency.slug}-study-{study.pk}-report-{report.pk}.{ending}"


@require_GET
@agency_page(SEES_STUDIES)
def effect_chart(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """The report's picture."""
    _, report = report_of(access, study_id, request)
    headers = {"Cache-Control": "private, max-age=300"}
    return HttpResponse(effect_svg(report.figures), content_type="image/svg+xml", headers=headers)


def _snapshot(agency: Agency, study: ImpactStudy, report: ImpactReport) -> dict[str, Any]:
    return {
        "study": study.name,
        "agency": agency.name,
        "period": {"from": report.first, "to": report.last},
        "time_zone": agency.time_zone,
        "model": models_behind(agency, report.first, report.last),
        "generated_at": timezone.now(),
        "registration": registration_of(study),
        "frozen_at": study.frozen_at,
        "design_hash": report.design_hash,
        "data_hash": report.data_hash,
        "code_version": report.code_version,
        # As text: a seed of 60 bits is more than a JavaScript number holds.
        "seed": str(report.seed),
        "analysed_at": report.finished_at,
        "sentence": report.sentence,
        "verdict": report.verdict,
        "specification": report.config_snapshot,
        "figures": report.figures,
    }


@require_GET
@agency_page(SEES_STUDIES)
def report_json(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """The report's figures with all that they rest on."""
    row, report = report_of(access, study_id, request)
    name = _name(access, row.study, report, "json")
    return JsonResponse(
        _snapshot(access.agency, row.study, report),
        json_dumps_params={"indent": 1},
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def report_about(agency: Agency, study: ImpactStudy, report: ImpactReport) -> About:
    """What a report's file says of itself. One query."""
    return About(
        what=study.name,
        agency=agency.name,
        asked=_("Study %(study)s, report %(report)s, %(first)s to %(last)s (local dates)")
        % {"study": study.pk, "report": report.pk, "first": report.first, "last": report.last},
        zone=agency.time_zone,
        model=models_behind(agency, report.first, report.last),
        more=(
            sentence_shown(report),
            registration_of(study),
            _("Design %(design)s; data %(data)s; seed %(seed)s; code %(code)s")
            % {
                "design": report.design_hash,
                "data": report.data_hash,
                "seed": report.seed,
                "code": report.code_version,
            },
            _("Effects are shares of crime expected without missions: 0.1 is one crime in ten prevented"),
        ),
    )


@require_GET
@agency_page(SEES_STUDIES)
def report_csv(request: HttpRequest, access: Access, study_id: int) -> HttpResponseBase:
    """The report's table."""
    row, report = report_of(access, study_id, request)
    return csv_response(
        _name(access, row.study, report, "csv"),
        about=report_about(access.agency, row.study, report),
        columns=COLUMNS,
        rows=[
            (line.group, line.key, line.name, *line.raw, line.n, line.reading)
            for line in report_lines(report.figures, report.config_snapshot["estimand"])
        ],
    )


@require_GET
@agency_page(SEES_STUDIES)
def report_html(request: HttpRequest, access: Access, study_id: int) -> HttpResponse:
    """The report as one file: style and picture inside, nothing loaded from anywhere; prints on A4 and Letter."""
    row, report = report_of(access, study_id, request)
    picture = base64.b64encode(effect_svg(report.figures)).decode()
    context = study_context(access, row, report) | {
        "style": _style(),
        "picture": f"data:image/svg+xml;base64,{picture}",
        "made_at": timezone.now(),
        "model": models_behind(access.agency, report.first, report.last),
    }
    name = _name(access, row.study, report, "html")
    return HttpResponse(
        render_to_string("tactics/studies/file.html", context),
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _style() -> str:
    """Our own style sheets as one element; a file on somebody's disk has no server to ask for them."""
    sheets = [
        Path(str(finders.find(name))).read_text(encoding="utf-8")
        for name in ("missions_project/scale.css", "missions_project/app.css", "tactics/studies.css")
    ]
    tag = "style"
    return mark_safe(f"<{tag}>{''.join(sheets)}</{tag}>")  # nosec B308 B703 - our own files
