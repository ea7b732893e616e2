"""What the page of one study shows."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _

from agencies.access import RUNS_STUDIES, Access
from agencies.lookups import pk_from_text
from missions_project.lib.days import short_day
from missions_project.lib.lazy import gettext_lazy
from tactics.models import ImpactReport, ImpactStudy
from tactics.services.studies import due_at, study_specification
from tactics.studies.forms import CancelForm
from tactics.studies.selectors import StudyRow
from tactics.studies.table import report_checks, report_lines
from tactics.studies.words import further_of, percent, registration_of

FILES = (
    (gettext_lazy("One HTML file"), "report_html"),
    ("JSON", "report_json"),
    (gettext_lazy("Table as CSV"), "report_csv"),
)


def chosen_report(row: StudyRow, asked: str | None) -> ImpactReport | None:
    """The report asked for by its number, else the one that counts."""
    key = pk_from_text(asked or "")
    return next((one for one in row.reports if one.pk == key), row.report) if key else row.report


def study_context(access: Access, row: StudyRow, report: ImpactReport | None) -> dict[str, Any]:
    """Everything that page, print and file need. No query for a study that is frozen or has a report."""
    study = row.study
    specification = _specification(study, report)
    figures = report.figures if report else {}
    return {
        "access": access,
        "row": row,
        "study": study,
        "report": report,
        "is_first": report is not None and report == row.report,
        "may_run": access.has(RUNS_STUDIES),
        "registration": registration_of(study),
        "design": design_lines(specification),
        "specification": specification,
        "level": f"{100 * specification['confidence']:g} %",
        "further": further_of(figures) if report else [],
        "lines": _grouped(report_lines(figures, specification["estimand"])) if report else [],
        "checks": report_checks(figures) if report else [],
        "figures": figures,
        "dose_bins": _bins(figures),
        "due": due_at(study) if study.last and not study.is_rolling else study.next_report_at,
        "is_due": (bool(study.last) and due_at(study) <= dt.datetime.now(dt.UTC)) or study.is_rolling,
        "minimum": _minimum(study),
        "picture": reverse("tactics:effect_chart", args=[access.agency.slug, study.pk]) + _of(report),
        "files": [
            (label, reverse(f"tactics:{name}", args=[access.agency.slug, study.pk]) + _of(report))
            for label, name in FILES
        ],
        "cancel_form": CancelForm(),
        "zone": ZoneInfo(access.agency.time_zone),
    }


def _of(report: ImpactReport | None) -> str:
    return f"?report={report.pk}" if report else ""


def _specification(study: ImpactStudy, report: ImpactReport | None) -> dict[str, Any]:
    if study.frozen_at:
        return study.specification
    if report is not None:
        return report.config_snapshot
    return study_specification(study, at=study.created_at)


def _minimum(study: ImpactStudy) -> str:
    if study.minimum_detectable is None:
        return ""
    net = study.net_minimum_detectable
    told = {"boxes": percent(study.minimum_detectable), "net": percent(net or 0.0)}
    if net is None:
        return _("%(boxes)s or more in visited boxes") % told
    return _("%(boxes)s or more in visited boxes, and of %(net)s or more with the boxes around") % told


def design_lines(specification: dict[str, Any]) -> list[tuple[str, str]]:
    """The design as (what, value), in the order in which people ask."""

    def names(key: str, name: str, empty: str) -> str:
        return ", ".join(str(row[name]) for row in specification[key]) or empty

    first, last = specification["first"], specification["last"]
    window = (
        _("%(hours)s hours from the drawn start, ended earlier by the box's next draw")
        if specification["stop_at_next_draw"]
        else _("%(hours)s hours from the drawn start, later policy included")
    ) % {"hours": f"{specification['window_hours']:g}"}
    return [
        (_("Question"), specification["question"]),
        (_("Crimes"), _("%(crimes)s, as reported by the public") % {"crimes": names("crime_types", "name", "–")}),
        (_("Where"), _("districts: %(districts)s; beats: %(beats)s") % {"districts": names('districts', 'name', _("all")), "beats": names('beats', 'code', _("all"))}),
        (_("Shifts"), names("shifts", "name", _("all"))),
        (_("Dates"), _("%(first)s to %(last)s") % {"first": _date(first), "last": _date(last)} if first else _("all published plans, up to a year back")),
        (_("Outcome window"), window),
        (_("Estimand"), _("%(estimand)s; headline: net effect of the plan") % {"estimand": dict(ImpactStudy.Estimand.choices)[specification["estimand"]]}),
        (_("Multiple comparisons"), str(dict(ImpactStudy.Family.choices)[specification["family"]])),
        (_("Intervals and test"), _("%(confidence)s %%; Fisher test with up to %(draws)s draws, stopped early once clear") % {"confidence": f"{100 * specification['confidence']:g}", "draws": f"{specification['draws']:,}"}),
        (_("Late reports"), _("analysed %(settle_days)s days after the last shift") % {"settle_days": specification['settle_days']}),
        (_("Smallest effect it could show"), _smallest(specification)),
    ]  # fmt: skip


def _smallest(specification: dict[str, Any]) -> str:
    boxes, net = specification["minimum_detectable"], specification["net_minimum_detectable"]
    if boxes is None:
        return _("not worked out")
    told = {"boxes": percent(boxes), "net": percent(net or 0.0), "basis": _(specification["minimum_basis"])}
    if net is None:
        return _("%(boxes)s in visited boxes (%(basis)s)") % told
    return _("%(boxes)s in visited boxes, %(net)s with the boxes around (%(basis)s)") % told


def _date(text: str) -> str:
    return short_day(dt.date.fromisoformat(text))


def _grouped(lines: list[Any]) -> list[tuple[str, list[Any]]]:
    found: dict[str, list[Any]] = {}
    for line in lines:
        found.setdefault(line.group, []).append(line)
    return list(found.items())


def _bins(figures: dict[str, Any]) -> list[dict[str, Any]]:
    dose = figures.get("dose")
    if not dose:
        return []
    return [
        {
            "minutes": f"{one['from_minutes']:g}–{one['to_minutes']:g}",
            "missions": one["missions"],
            "crimes": one["crimes"],
            "seen": percent(one["seen_per_expected"]) if one["seen_per_expected"] is not None else "–",
        }
        for one in dose["bins"]
    ]
