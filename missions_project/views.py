"""The front door."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from agencies.models import Agency, Membership, Role


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Send a person to their agency's page for their role; let one with several choose; tell one with none."""
    memberships = Membership.objects.filter(user=request.user).select_related("agency")  # type: ignore[misc]
    agencies = list(Agency.objects.all()) if request.user.is_superuser else [m.agency for m in memberships]
    if len(agencies) == 1:
        officer = len(memberships) == 1 and memberships[0].role == Role.OFFICER
        return redirect("tactics:officer" if officer else "patrols:board_now", agencies[0].slug)
    return render(request, "missions_project/home.html", {"agencies": agencies})
