"""Every address of the API, under /api/: one router for machines, its description, and the page that shows it."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import include, path, re_path, resolve
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from ingestion.api import dataservice, push
from missions_project.lib.rest.reference import api_reference
from patrols.api import hunchlab

app_name = "api"


def one_of_each(endpoints: list[Any]) -> list[Any]:
    """The addresses for the description: of two that differ by their last slash, the one that clients use."""
    slashed = {path for path, *_ in endpoints if path.endswith("/")}
    own = [entry for entry in endpoints if f"{entry[0]}/" not in slashed or "{" in entry[0]]
    bare = {entry[0] for entry in own if not entry[0].endswith("/")}
    return [entry for entry in own if entry[0].rstrip("/") not in bare or entry[0] in bare]


class Description(SpectacularJSONAPIView):
    """The API in OpenAPI 3.1. Open to everybody: it names addresses and fields, and nobody's rows."""

    authentication_classes: list[type] = []
    permission_classes = [AllowAny]


def reference(request: HttpRequest) -> HttpResponse:
    """The description as a page to read, with a call of each address to copy."""
    site = request.build_absolute_uri("/")
    found = api_reference()
    groups = [(tag, [(one, one.example(site)) for one in operations]) for tag, operations in found.groups]
    return render(request, "missions_project/api_reference.html", {"reference": found, "groups": groups})


class Unknown(APIView):
    """Whatever else begins with /api/: a problem as everywhere, where the site would answer with a page."""

    authentication_classes: list[type] = []
    permission_classes = [AllowAny]
    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # As the rest of the site does for people who leave out the last slash; a redirect would lose what is sent.
        if request.method in ("GET", "HEAD") and not request.path.endswith("/"):
            found = resolve(f"{request.path}/").func
            if getattr(found, "view_class", None) is not Unknown:
                return HttpResponsePermanentRedirect(request.get_full_path(force_append_slash=True))
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound(
            _(
                "There is no such address. Next step: /api/docs/ shows those that exist; most end with a slash."
            )
        )


urlpatterns = [
    path("schema/", Description.as_view(), name="schema"),
    path("docs/", require_safe(reference), name="docs"),
    path("v1/incidents/", push.PushIncidents.as_view(), name="push_incidents"),
    path("v1/calls/", push.PushCalls.as_view(), name="push_calls"),
    path("v1/gunfire/", push.PushGunfire.as_view(), name="push_gunfire"),
    path("v1/positions/", push.PushPositions.as_view(), name="push_positions"),
    # HunchLab 2.0, as its clients of 2014 know it: they post with the slash and ask without. A redirect would lose the
    # upload on the way, so both are answered.
    path("dataservice/", dataservice.DataService.as_view(), name="dataservice"),
    path("dataservice", dataservice.DataService.as_view()),
    path("dataservice/<str:job_id>/", dataservice.ImportJob.as_view()),
    path("dataservice/<str:job_id>", dataservice.ImportJob.as_view(), name="import_job"),
    path("missions/", hunchlab.Missions.as_view(), name="missions"),
    path("missions", hunchlab.Missions.as_view()),
    path("missioneffectiveness/", hunchlab.MissionEffectiveness.as_view(), name="missioneffectiveness"),
    path("missioneffectiveness", hunchlab.MissionEffectiveness.as_view()),
    path("v1/<slug:agency_slug>/", include("forecasting.api.urls")),
    path("v1/<slug:agency_slug>/", include("patrols.api.urls")),
    path("v1/<slug:agency_slug>/", include("tactics.api.urls")),
    re_path(r"", Unknown.as_view()),
]
