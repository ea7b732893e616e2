"""The front door, and what is said when a page breaks."""

import sys

from django.contrib.auth.decorators import login_required
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import loader
from kombu.exceptions import OperationalError as BrokerError

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


def server_error(request: HttpRequest) -> HttpResponse:
    """Say that a page broke; or, where the database or the broker gave no answer, that it is worth trying again in half a minute."""
    busy = isinstance(sys.exc_info()[1], OperationalError | BrokerError)
    # Without the request: the person would be read from the database that has just failed.
    text = loader.get_template("503.html" if busy else "500.html").render()
    return (
        HttpResponse(text, status=503, headers={"Retry-After": "30"})
        if busy
        else HttpResponse(text, status=500)
    )
