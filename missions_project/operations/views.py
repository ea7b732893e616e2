"""The operator's page."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from missions_project.operations.page import operator_page


@login_required
def operator(request: HttpRequest) -> HttpResponse:
    """Show the operator how the installation does; for everybody else there is no such page."""
    if not request.user.is_superuser:
        raise Http404
    return render(
        request, "operations/operator.html", {"page": operator_page(now=timezone.now()), "tab": "operator"}
    )
