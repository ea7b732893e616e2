"""``/api/v1/<agency>/units/…``: what a car's terminal asks every few seconds, and what it reports back."""

import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agencies.access import CARRIES_OUT
from agencies.models import Unit
from ingestion.api.access import AgencyView, Caller
from ingestion.api.fields import PeriodQuery, ShiftField, UnitField, id_field
from missions_project.lib.errors import MissionsError
from missions_project.lib.rest.paging import page_of_rows
from missions_project.lib.rest.queries import Body, NoQuery
from missions_project.lib.rest.schema import IDEMPOTENCY_KEY, paged
from patrols.api.missions import check_district, mission_or_404, unit_for
from patrols.api.shapes import EngagementOut, Shown, engagement_shown, missions_facts
from patrols.listings import engagements_listed, missions_listed
from patrols.models import Engagement, Mission, MissionPlan
from patrols.services import engagement_record, visit_end, visit_start

AHEAD = dt.timedelta(hours=4)
CLOCKS_DIFFER = dt.timedelta(minutes=2)
OLDEST_PRESS = dt.timedelta(hours=24)
OLDEST_RECORD = dt.timedelta(days=62)
CALL_SIGN = OpenApiParameter(
    "call_sign", OpenApiTypes.STR, OpenApiParameter.PATH, description="The unit, as on the radio."
)


class UnitMissionOut(Shown):  # type: ignore[type-arg]
    id = serializers.IntegerField()
    number = serializers.IntegerField()
    state = serializers.CharField(help_text="planned, assigned, under way, done, missed or withdrawn.")
    place = serializers.CharField(allow_blank=True)
    beat = serializers.CharField()
    crime_type = serializers.CharField()
    lon = serializers.FloatField()
    lat = serializers.FloatField()
    dose_minutes = serializers.IntegerField()
    visits = serializers.ListField(
        child=serializers.DateTimeField(), help_text="Start of each visit, in UTC."
    )
    visits_made = serializers.IntegerField(help_text="By this unit.")
    is_here = serializers.BooleanField(help_text="Whether this unit's timer runs here.")
    why = serializers.CharField(allow_blank=True)
    tactic = serializers.CharField(allow_blank=True)


class UnitNowOut(Shown):  # type: ignore[type-arg]
    unit = serializers.CharField()
    time_zone = serializers.CharField()
    missions = UnitMissionOut(many=True)


class ArriveIn(Body):
    unit = UnitField(
        required=False, help_text="Call sign. Without it: one's own unit, else the one that is assigned."
    )
    at = serializers.DateTimeField(
        required=False, help_text="When. Without it: now. At most 24 hours ago, for terminals without signal."
    )


class EngagementIn(Body):
    mission = id_field("The mission that was visited.")
    unit = UnitField(required=False, help_text="Call sign. Without it: as for arriving.")
    arrived_at = serializers.DateTimeField()
    left_at = serializers.DateTimeField(allow_null=True, required=False, default=None)
    source = serializers.ChoiceField(  # type: ignore[assignment]  # the field's own attribute is not used
        Engagement.Source.choices,
        required=False,
        default=Engagement.Source.MANUAL,
        help_text="avl: worked out from vehicle positions; manual: entered by hand; timer: a button in the car.",
    )


class EngagementQuery(PeriodQuery):
    days_on = 1
    shift = ShiftField(required=False, help_text="A shift's slug.")
    unit = UnitField(required=False, help_text="Call sign.")
    mission = id_field("Only visits to this mission, whatever its date.", required=False)
    is_open = serializers.BooleanField(required=False, help_text="Whether the unit is still there.")


def acting_unit(caller: Caller, mission: Mission, asked: Unit | None) -> Unit:
    """Return the unit on whose behalf is reported: the own one; else the one named, else the one assigned."""
    if caller.only_own_unit:
        assert caller.unit is not None  # without one they see no mission
        return unit_for(caller, asked.call_sign if asked else caller.unit.call_sign)
    assigned = mission.assignment.unit if hasattr(mission, "assignment") else None
    unit = asked or caller.unit or assigned
    if unit is None:
        raise serializers.ValidationError({"unit": ["No unit is assigned: name the one that was there."]})
    check_district(caller, mission.beat.district_id)
    return unit


def _check_instant(name: str, at: dt.datetime, oldest: dt.timedelta) -> None:
    now = timezone.now()
    if not now - oldest <= at <= now + CLOCKS_DIFFER:
        raise serializers.ValidationError(
            {
                name: [
                    f"Must be a past instant of the last {oldest.total_seconds() / 3600:g} hours: check the clock."
                ]
            }
        )


class UnitMissionsNow(AgencyView):
    @extend_schema(
        operation_id="units_missions_now",
        summary="A unit's missions now",
        tags=["units"],
        parameters=[CALL_SIGN],
        responses=UnitNowOut,
    )
    def get(self, request: Request, agency_slug: str, call_sign: str) -> Response:
        """For a terminal in a car: the unit's missions whose shift is now or starts within four hours, by start.

        Small, without a page or a clock in it, so that asking again with the ETag costs a 304 until something changes.
        """
        NoQuery.of(request)
        unit, now = unit_for(self.caller, call_sign), timezone.now()
        rows = missions_listed(self.agency).filter(
            assignment__unit=unit,
            plan__state=MissionPlan.State.PUBLISHED,
            plan__period_to__gt=now,
            plan__period_from__lt=now + AHEAD,
            withdrawn_at__isnull=True,
        )
        missions = list(rows.order_by("starts_at", "pk"))
        facts_of = missions_facts(self.agency, missions)
        told = [_of_unit(unit, mission, facts_of[mission.pk]) for mission in missions]
        facts = {"unit": unit.call_sign, "time_zone": self.agency.time_zone, "missions": told}
        return Response(UnitNowOut(facts).data)


def _of_unit(unit: Unit, mission: Mission, facts: dict[str, Any]) -> dict[str, Any]:
    own = [visit for visit in mission.engagements.all() if visit.unit_id == unit.pk]
    return {
        **facts,
        "visits": [dt.datetime.fromisoformat(text) for text in mission.current_starts],
        "visits_made": sum(visit.left_at is not None for visit in own),
        "is_here": any(visit.left_at is None for visit in own),
    }


class Timer(AgencyView):
    """A unit's button at a mission."""

    writes = CARRIES_OUT
    has_marks = False

    def pressed(self, request: Request, mission_id: int, do: Any) -> Response:
        NoQuery.of(request)
        mission = mission_or_404(self.caller, mission_id)
        asked = ArriveIn.of(request, agency=self.agency)
        unit = acting_unit(self.caller, mission, asked.get("unit"))
        at = asked.get("at") or timezone.now()
        _check_instant("at", at, OLDEST_PRESS)
        return self.write(request, lambda: (200, engagement_shown(do(mission, unit, at))))


class Arrival(Timer):
    @extend_schema(
        operation_id="missions_arrive",
        summary="A unit arrives",
        tags=["units"],
        parameters=[IDEMPOTENCY_KEY],
        request=ArriveIn,
        responses={200: EngagementOut},
    )
    def post(self, request: Request, agency_slug: str, mission_id: int) -> Response:
        """Starts its timer; one that runs elsewhere ends. Pressed again, the same visit is answered."""
        officer = None if self.caller.token else self.caller.user

        def arrive(mission: Mission, unit: Unit, at: dt.datetime) -> Engagement:
            return visit_start(mission=mission, unit=unit, officer=officer, at=at).engagement

        return self.pressed(request, mission_id, arrive)


class Departure(Timer):
    @extend_schema(
        operation_id="missions_leave",
        summary="A unit leaves",
        tags=["units"],
        parameters=[IDEMPOTENCY_KEY],
        request=ArriveIn,
        responses={200: EngagementOut},
    )
    def post(self, request: Request, agency_slug: str, mission_id: int) -> Response:
        """Stops its timer. 409 where none runs."""

        def leave(mission: Mission, unit: Unit, at: dt.datetime) -> Engagement:
            visit = visit_end(mission=mission, unit=unit, at=at)
            if visit is None:
                raise MissionsError(
                    _("No timer of %(call_sign)s runs at mission %(mission_number)s.")
                    % {"call_sign": unit.call_sign, "mission_number": mission.number},
                    next_step=_("arrive first, or record the visit as a whole."),
                )
            return visit

        return self.pressed(request, mission_id, leave)


class Engagements(AgencyView):
    writes = CARRIES_OUT

    @extend_schema(
        operation_id="engagements_list",
        summary="Visits to missions",
        tags=["units"],
        parameters=[EngagementQuery],
        responses=paged(EngagementOut, "EngagementPage"),
    )
    def get(self, request: Request, agency_slug: str) -> Response:
        """By arrival. An officer sees the own unit's only."""
        asked = EngagementQuery.of(request, agency=self.agency)
        rows = engagements_listed(self.agency)
        if self.caller.only_own_unit:
            unit = self.caller.unit
            rows = rows.filter(unit=unit) if unit else rows.none()
        if "mission" in asked:
            rows = rows.filter(mission=asked["mission"])
        else:
            rows = rows.filter(mission__plan__on__range=(asked["from"], asked["to"]))
        filters = {"shift": "mission__plan__shift", "unit": "unit"}
        rows = rows.filter(**{path: asked[name] for name, path in filters.items() if name in asked})
        if "is_open" in asked:
            rows = rows.filter(left_at__isnull=asked["is_open"])
        order = (("arrived_at", dt.datetime), ("pk", int))
        page = page_of_rows(rows, order, cursor=asked.get("cursor"), limit=asked["limit"])
        return Response(page.as_json(request, engagement_shown))

    @extend_schema(
        operation_id="engagements_record",
        summary="Record a visit",
        tags=["units"],
        parameters=[IDEMPOTENCY_KEY],
        request=EngagementIn,
        responses={201: EngagementOut},
    )
    def post(self, request: Request, agency_slug: str) -> Response:
        """A whole visit, or one that is still open, from another system or entered afterwards."""
        NoQuery.of(request)
        asked = EngagementIn.of(request, agency=self.agency)
        _check_instant("arrived_at", asked["arrived_at"], OLDEST_RECORD)
        if asked["left_at"] is not None:
            _check_instant("left_at", asked["left_at"], OLDEST_RECORD)
        mission = mission_or_404(self.caller, asked["mission"])
        unit = acting_unit(self.caller, mission, asked.get("unit"))

        def record() -> tuple[int, Any]:
            visit = engagement_record(
                mission=mission,
                unit=unit,
                officer=None if self.caller.token else self.caller.user,
                arrived_at=asked["arrived_at"],
                left_at=asked["left_at"],
                source=asked["source"],
            )
            return 201, engagement_shown(visit)

        return self.write(request, record)
