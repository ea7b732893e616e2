"""The page that proposes changes of dials, and where a person decides them."""

import datetime as dt
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from agencies.access import SEES_STUDIES, Access, agency_page
from agencies.models import Agency, Role
from missions_project.lib.errors import MissionsError
from tactics.engine.trials import FEW_CRIMES
from tactics.inquiry_pages import ask, found_for, may_ask
from tactics.inquiry_selectors import proposals_of
from tactics.models import ImpactReport, Inquiry, PolicyProposal
from tactics.services import proposal_decide
from tactics.studies.words import sentence_shown

DECIDES = frozenset({Role.ADMIN})
LONGEST_STUDY_DAYS = 1096


@require_http_methods(["GET", "POST"])
@agency_page(SEES_STUDIES)
def optimise(request: HttpRequest, access: Access) -> HttpResponse:
    """What is proposed, what was looked at and kept, what was decided. Six queries to show."""
    if request.method == "POST":
        if may_ask(access):
            ask(access, Inquiry.Kind.PROPOSALS, {})
        else:
            messages.error(
                request, _("Analysts and administrators look for proposals; you see what was found.")
            )
        return redirect("tactics:optimise", access.agency.slug)
    still, decided = proposals_of(access.agency)
    context: dict[str, Any] = found_for(access, Inquiry.Kind.PROPOSALS, {})
    context |= {"decided": decided, "may_decide": access.has(DECIDES)}
    if context["answered"]:
        context |= _answered(context["answered"].answer, still)
        context["sentence"] = _sentence(access.agency, context["basis"])
    context["proposals"] = [(one, _row(one.basis["change"], one.basis["crimes_a_year"])) for one in still]
    return render(request, "tactics/optimise.html", context)


def _answered(answer: dict[str, Any], still: list[PolicyProposal]) -> dict[str, Any]:
    """What was looked at and kept, and what all of it rests on."""
    basis = answer["basis"]
    crimes = basis["crimes_a_year"]
    # A tactic that is shown to be better says nothing about how long missions need to be studied.
    is_gain = any(one.purpose == PolicyProposal.Purpose.GAIN and one.policy_id is not None for one in still)
    first = basis.get("tactics", {}).get("first")
    return {
        "basis": basis,
        "longer_days": None if is_gain else _longer_days(basis),
        "kept": [
            _row(one, crimes)
            for one in answer["changes"]
            if one["verdict"] == "keep" and one["question"] != "tactics"
        ],
        "weights": _weights(answer, crimes),
        "compared_from": dt.date.fromisoformat(first) if first else None,
    }


def _sentence(agency: Agency, basis: dict[str, Any]) -> str:
    """What the study's report says, in the reader's language. No query in English, else one."""
    kept: str = basis["sentence"]
    if not basis["report"] or (get_language() or "en").startswith("en"):
        return kept
    report = ImpactReport.objects.filter(agency=agency, pk=basis["report"]).first()
    return sentence_shown(report) if report else kept


def _row(change: dict[str, Any], crimes_a_year: float) -> dict[str, Any]:
    """A change with its gain in crimes a year, and in words why it is kept or proposed."""
    gain = change["gain"]
    known = all(gain[name] is not None for name in ("estimate", "low", "high"))
    crimes = {name: gain[name] * crimes_a_year for name in ("estimate", "low", "high")} if known else None
    if not known:
        why = _("No study has an interval yet: nobody knows whether covering more pays.")
    elif gain["low"] <= 0 <= gain["high"]:
        why = _("Not shown: keep. The interval of its gain covers zero.")
    elif gain["high"] < 0:
        why = _("It would lose: keep.")
    else:
        why = _("Another step of the same question gains more, or missions could be guessed too well.")
    return change | {"crimes": crimes, "why": why}


def _weights(answer: dict[str, Any], crimes_a_year: float) -> list[dict[str, Any]]:
    """The rules whose weights were looked at and kept, each with its gain and in words why; answers of long ago have none."""
    gains = {one["evidence"]["rule"]: one for one in answer["changes"] if one["question"] == "tactics"}
    rows = []
    for row in answer.get("weights", []):
        if row["verdict"] != "keep":
            continue
        change = gains.get(row["rule"])
        crimes = _row(change, crimes_a_year)["crimes"] if change else None
        rows.append(row | {"crimes": crimes, "why": _why_kept(row, change)})
    return rows


def _why_kept(row: dict[str, Any], change: dict[str, Any] | None) -> str:
    if row["found"]["low"] is None:
        return _("Too few crimes: %(few)s are needed after this tactic, and after the others.") % {
            "few": FEW_CRIMES
        }
    if row["found"]["low"] <= 0 <= row["found"]["high"]:
        return _("Not shown: keep. The interval covers no difference.")
    if change is None:
        return _(
            "Shown, but a step further another tactic would be drawn too seldom to be judged, or the weight too great."
        )
    return _("Shown, but the weight proposed above gains more: one step at a time.")


def _longer_days(basis: dict[str, Any]) -> int | None:
    """How many days a study would need to show an effect of the size estimated; None where nobody can say."""
    times, days = basis.get("times_longer"), basis.get("study_days")
    if not times or not days:
        return None
    needed = int(times * days) + 1
    return needed if needed <= LONGEST_STUDY_DAYS else None


@require_POST
@agency_page(DECIDES)
def proposal_decision(request: HttpRequest, access: Access, proposal_id: int) -> HttpResponse:
    """Approve or decline one proposal, with a reason."""
    proposal = get_object_or_404(PolicyProposal, pk=proposal_id, agency=access.agency)
    approve = request.POST.get("decision") == "approve"
    try:
        proposal_decide(
            proposal=proposal, actor=access.user, approve=approve, reason=request.POST.get("reason", "")
        )
    except MissionsError as exc:
        messages.error(request, str(exc))
    else:
        done = _("Approved: plans drawn from now on use it.") if approve else _("Declined: nothing changed.")
        messages.success(request, f"{proposal}. {done}")
    return redirect("tactics:optimise", access.agency.slug)
