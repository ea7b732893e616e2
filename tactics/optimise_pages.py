"""The page that proposes changes of dials, and where a person decides them."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from agencies.access import SEES_STUDIES, Access, agency_page
from agencies.models import Role
from missions_project.lib.errors import MissionsError
from tactics.inquiry_pages import ask, found_for, may_ask
from tactics.inquiry_selectors import proposals_of
from tactics.models import Inquiry, PolicyProposal
from tactics.services import proposal_decide

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
            messages.error(request, "Analysts and administrators look for proposals; you see what was found.")
        return redirect("tactics:optimise", access.agency.slug)
    still, decided = proposals_of(access.agency)
    context: dict[str, Any] = found_for(access, Inquiry.Kind.PROPOSALS, {})
    context |= {"decided": decided, "may_decide": access.has(DECIDES)}
    crimes = 0.0
    if answered := context["answered"]:
        basis = answered.answer["basis"]
        crimes = basis["crimes_a_year"]
        is_gain = any(one.purpose == PolicyProposal.Purpose.GAIN for one in still)
        context |= {"basis": basis, "longer_days": None if is_gain else _longer_days(basis)}
        context["kept"] = [
            _row(one, crimes) for one in answered.answer["changes"] if one["verdict"] == "keep"
        ]
    context["proposals"] = [(one, _row(one.basis["change"], one.basis["crimes_a_year"])) for one in still]
    return render(request, "tactics/optimise.html", context)


def _row(change: dict[str, Any], crimes_a_year: float) -> dict[str, Any]:
    """A change with its gain in crimes a year, and in words why it is kept or proposed."""
    gain = change["gain"]
    known = all(gain[name] is not None for name in ("estimate", "low", "high"))
    crimes = {name: gain[name] * crimes_a_year for name in ("estimate", "low", "high")} if known else None
    if not known:
        why = "No study has an interval yet: nobody knows whether covering more pays."
    elif gain["low"] <= 0 <= gain["high"]:
        why = "Not shown: keep. The interval of its gain covers zero."
    elif gain["high"] < 0:
        why = "It would lose: keep."
    else:
        why = "Another step of the same question gains more, or missions could be guessed too well."
    return change | {"crimes": crimes, "why": why}


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
        done = "Approved: plans drawn from now on use it." if approve else "Declined: nothing changed."
        messages.success(request, f"{proposal}. {done}")
    return redirect("tactics:optimise", access.agency.slug)
