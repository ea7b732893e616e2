"""HunchLab 2.0's reading addresses: missions as GeoJSON, and how much of what happened they held."""

import dataclasses
import datetime as dt
import io
import re

import numpy as np
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agencies.exported import file_of
from agencies.lookups import date_from_text
from agencies.models import Agency
from ingestion.api.tokens import READ, FeedTokenAuthentication, HasScope, TokenThrottle, agency_of
from ingestion.engine.timestamps import ISO, parse_times
from ingestion.engine.timestamps import READ as IS_READ
from missions_project.lib.cells import PlainWriter
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import FACTS_HEADER, About, with_facts
from patrols.hunchlab import Effectiveness, mission_effectiveness, missions_collection
from patrols.selectors import models_behind

LONGEST_WINDOW = dt.timedelta(days=62)
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")
_MICROSECONDS = re.compile(r"\.\d+")


class ReadView(APIView):
    """What both share: a token of scope read, whose agency is read."""

    authentication_classes = [FeedTokenAuthentication]
    permission_classes = [HasScope]
    throttle_classes = [TokenThrottle]
    problems = (400, 401, 403, 406, 429)
    scope = READ


def _parameter(name: str, what: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.QUERY, description=what)


class Missions(ReadView):
    """``GET /api/missions/``."""

    @extend_schema(
        summary="Missions of published plans",
        tags=["HunchLab 2.0"],
        parameters=[
            _parameter(
                "effective_from", "ISO 8601. Shifts that touch this period; without one, those of now."
            ),
            _parameter("effective_to", "ISO 8601."),
            _parameter("valid_from", "A second period that the shift must touch too."),
            _parameter("valid_to", "ISO 8601."),
        ],
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """GeoJSON: one feature a mission, with dose, risk within its plan, its mission set and its crime types."""
        agency = agency_of(request)
        windows = [_window(request, agency, kind) for kind in ("effective", "valid")]
        given = [window for window in windows if window is not None]
        now = timezone.now()
        return Response(missions_collection(agency, given or [(now, now)]))


def _window(request: Request, agency: Agency, kind: str) -> tuple[dt.datetime, dt.datetime] | None:
    texts = [request.query_params.get(f"{kind}_{end}", "") for end in ("from", "to")]
    if not any(texts):
        return None
    first, last = (
        _instant(text, agency, f"{kind}_{end}") for text, end in zip(texts, ("from", "to"), strict=True)
    )
    first, last = first or last, last or first
    if first is None or last is None:
        return None
    if not first <= last <= first + LONGEST_WINDOW:
        raise ValidationError(
            {
                "detail": _(
                    "%(kind)s_from to %(kind)s_to must be 0 to %(days)s days long. Ask for a shorter period."
                )
                % {"kind": kind, "days": LONGEST_WINDOW.days}
            }
        )
    return first, last


def _instant(text: str, agency: Agency, name: str) -> dt.datetime | None:
    """The instant, or None where it is empty. A time without an offset is the agency's wall clock."""
    if not text:
        return None
    # An offset's "+" that a client did not escape arrives as a blank.
    mended = (
        _LOST_PLUS.sub(r"+\1", text.strip()) if re.search(r"\d:\d\d", text[:19]) and len(text) > 19 else text
    )
    read = parse_times([_MICROSECONDS.sub("", mended).strip()], date_format=ISO, zone=agency.time_zone)
    if read.status[0] != IS_READ:
        raise ValidationError(
            {
                "detail": _("%(name)s: %(text)s is no time. Write it as 2026-03-14T16:00:00-05:00.")
                % {"name": name, "text": f"{text[:40]!r}"}
            }
        )
    return dt.datetime.fromtimestamp(int(read.utc.astype(np.int64)[0]), dt.UTC)


class MissionEffectiveness(ReadView):
    """``GET /api/missioneffectiveness/``."""

    @extend_schema(
        summary="What one date's missions held of its events",
        tags=["HunchLab 2.0"],
        parameters=[
            _parameter("date", "YYYY-MM-DD, the local date on which the shifts start; without one, today."),
            _parameter("format", "csv, or JSON without it."),
            OpenApiParameter(
                FACTS_HEADER,
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="With the CSV: what it is, as a JSON object in ASCII.",
                response=[200],
            ),
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, "application/json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Counts, weighted counts and expected harm: in all, and in the missions' boxes. A description, not an effect.

        Old clients read the CSV's first line as its columns: what the file is stands in the header `X-Missions-Facts`.
        """
        agency = agency_of(request)
        text = request.query_params.get("date") or timezone.now().date().isoformat()
        try:
            on = date_from_text(text)
            figures = mission_effectiveness(agency, on)
        except MissionsError as exc:
            raise ValidationError({"detail": str(exc)}) from exc
        if request.query_params.get("format") == "csv":
            return _file(agency, on, figures)
        return Response(dataclasses.asdict(figures))


def _file(agency: Agency, on: dt.date, figures: Effectiveness) -> HttpResponseBase:
    """The bare CSV as a file to keep, with what it is beside it, for the agency's log to tell. One query."""
    name = f"{agency.slug}-mission-effectiveness-{on}.csv"
    about = About(
        what=_("Mission effectiveness"),
        agency=agency.name,
        asked=_("Shifts that start on %(date)s (local date)") % {"date": on},
        zone=agency.time_zone,
        model=models_behind(agency, on, on),
        more=(_("A description, not an effect: missions go where crime is expected"),),
    )
    response = HttpResponse(
        _csv(figures),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
    return file_of(with_facts(response, about.facts), agency)


def _csv(figures: Effectiveness) -> str:
    told = dataclasses.asdict(figures)
    sink = io.StringIO(newline="")
    PlainWriter(sink).rows([list(told), list(told.values())])
    return sink.getvalue()
