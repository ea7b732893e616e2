"""``/api/v1/<agency>/missions/``: lists, one mission, and what people change of it; and a unit's missions now."""

import datetime as dt
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from agencies.access import OVERRIDES_PLANS, RUNS_SHIFTS
from agencies.models import Agency, Unit
from ingestion.api.access import AgencyView, Caller
from ingestion.api.fields import (
    BeatField,
    CrimeTypeField,
    DistrictField,
    PeriodQuery,
    ShiftField,
    UnitField,
    id_field,
)
from missions_project.lib.rest.marks import check_match
from missions_project.lib.rest.paging import page_of_rows
from missions_project.lib.rest.queries import Body, NoQuery
from missions_project.lib.rest.schema import IDEMPOTENCY_KEY, IF_MATCH, paged
from patrols.api.shapes import MissionOut, missions_shown
from patrols.board import STATES
from patrols.listings import missions_in_state, missions_listed, missions_of_unit, plans_listed
from patrols.models import Mission, MissionPlan
from patrols.services import mission_add, mission_assign, mission_move, mission_swap, mission_withdraw

LONGEST_REASON = 300


class MissionQuery(PeriodQuery):
    days_on = 1
    shift = ShiftField(required=False, help_text="A shift's slug.")
    beat = BeatField(required=False, help_text="A beat's code.")
    district = DistrictField(required=False, help_text="A district's code.")
    crime_type = CrimeTypeField(required=False, help_text="A crime type's slug.")
    unit = UnitField(required=False, help_text="Call sign of who is to go.")
    state = serializers.ChoiceField(STATES, required=False, help_text="As the shift map shows it, now.")
    plan = id_field(
        "Only this plan's, whatever its state and date. Without it: published plans.", required=False
    )


class MissionIn(Body):
    plan = id_field("The plan to which it is added.")
    cell_id = serializers.IntegerField(min_value=0, max_value=2**62, help_text="A cell of the plan's grid.")
    crime_type = CrimeTypeField(help_text="A crime type's slug: what the visit is about.")
    starts_at = serializers.DateTimeField(help_text="Within the shift.")
    dose_minutes = serializers.IntegerField(min_value=5, max_value=60)
    reason = serializers.CharField(
        max_length=LONGEST_REASON, help_text="About the place, never about a person."
    )


class ReasonIn(Body):
    reason = serializers.CharField(
        max_length=LONGEST_REASON, help_text="About the place, never about a person."
    )


class MoveIn(ReasonIn):
    starts = serializers.ListField(
        child=serializers.DateTimeField(), min_length=1, max_length=6, help_text="Start of each visit."
    )


class SwapIn(ReasonIn):
    cell_id = serializers.IntegerField(min_value=0, max_value=2**62, help_text="The box to go to instead.")


class AssignIn(Body):
    unit = UnitField(allow_null=True, help_text="Call sign; null: nobody.")


def missions_for(caller: Caller) -> QuerySet[Mission]:
    """Return the missions that the asker may see: an officer's are the own unit's. Lazy."""
    rows = missions_listed(caller.agency)
    return missions_of_unit(rows, caller.unit) if caller.only_own_unit else rows


def mission_or_404(caller: Caller, mission_id: int) -> Mission:
    """Return one of those. Another unit's or agency's is not said to exist."""
    mission = missions_for(caller).filter(pk=mission_id).first()
    if mission is None:
        raise Http404("There is no such mission here.")
    return mission


def mission_shown(agency: Agency, mission_id: int) -> dict[str, Any]:
    """Return one mission as the API shows it. Three queries."""
    mission = missions_listed(agency).get(pk=mission_id)
    return missions_shown(agency, [mission])[mission_id]


class Missions(AgencyView):
    writes = OVERRIDES_PLANS

    @extend_schema(
        operation_id="missions_list",
        summary="Missions of a period",
        tags=["missions"],
        parameters=[MissionQuery],
        responses=paged(MissionOut, "MissionPage"),
    )
    def get(self, request: Request, agency_slug: str) -> Response:
        """By start. An officer sees those of the own unit only."""
        asked = MissionQuery.of(request, agency=self.agency)
        rows = missions_for(self.caller)
        if "plan" in asked:
            rows = rows.filter(plan=asked["plan"])
        else:
            rows = rows.filter(
                plan__state=MissionPlan.State.PUBLISHED, plan__on__range=(asked["from"], asked["to"])
            )
        filters = {"shift": "plan__shift", "beat": "beat", "district": "beat__district", "crime_type": "crime_type",
                   "unit": "assignment__unit"}  # fmt: skip
        rows = rows.filter(**{path: asked[name] for name, path in filters.items() if name in asked})
        if "state" in asked:
            rows = missions_in_state(rows, asked["state"], timezone.now())
        order = (("starts_at", dt.datetime), ("pk", int))
        page = page_of_rows(rows, order, cursor=asked.get("cursor"), limit=asked["limit"])
        shown = missions_shown(self.agency, page.rows)
        return Response(page.as_json(request, lambda mission: shown[mission.pk]))

    @extend_schema(
        operation_id="missions_add",
        summary="Add a mission to a plan",
        tags=["missions"],
        parameters=[IDEMPOTENCY_KEY],
        request=MissionIn,
        responses={201: MissionOut},
    )
    def post(self, request: Request, agency_slug: str) -> Response:
        """A person's own mission, with a reason. It stands beside the draw and counts in the override meter."""
        NoQuery.of(request)
        asked = MissionIn.of(request, agency=self.agency)
        plan_id = asked.pop("plan")
        plan = plans_listed(self.agency).select_related("grid", "agency").filter(pk=plan_id).first()
        if plan is None:
            raise serializers.ValidationError({"plan": ["The agency has no such plan."]})

        def add() -> tuple[int, Any]:
            mission = mission_add(plan=plan, actor=self.caller.user, **asked)
            return 201, mission_shown(self.agency, mission.pk)

        return self.write(request, add)


class OneMission(AgencyView):
    @extend_schema(
        operation_id="missions_get", summary="One mission", tags=["missions"], responses=MissionOut
    )
    def get(self, request: Request, agency_slug: str, mission_id: int) -> Response:
        """Its ETag is what writes may name in If-Match."""
        NoQuery.of(request)
        mission = mission_or_404(self.caller, mission_id)
        return Response(missions_shown(self.agency, [mission])[mission.pk])


class MissionChange(AgencyView):
    """One change of a mission; the answer is the mission as it then is."""

    writes = OVERRIDES_PLANS
    has_marks = False

    def changed(self, request: Request, mission_id: int, body: type[Body], do: Any) -> Response:
        NoQuery.of(request)
        mission = mission_or_404(self.caller, mission_id)
        asked = body.of(request, agency=self.agency)

        def change() -> tuple[int, Any]:
            # Locked while it is compared and changed: two that saw the same state must not both win.
            Mission.objects.select_for_update().only("pk").get(pk=mission.pk)
            if request.headers.get("If-Match"):
                check_match(request, mission_shown(self.agency, mission.pk))
            result = do(mission, asked)
            shown = result.pk if isinstance(result, Mission) else mission.pk
            return 200, mission_shown(self.agency, shown)

        return self.write(request, change)


class MissionAssignment(MissionChange):
    writes = RUNS_SHIFTS

    @extend_schema(
        operation_id="missions_assign",
        summary="Send a unit",
        tags=["missions"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=AssignIn,
        responses={200: MissionOut},
    )
    def put(self, request: Request, agency_slug: str, mission_id: int) -> Response:
        """Send this unit, or none. Sent again, nothing changes."""

        def assign(mission: Mission, asked: dict[str, Any]) -> None:
            mission_assign(mission=mission, unit=asked["unit"], actor=self.caller.user)

        return self.changed(request, mission_id, AssignIn, assign)


class MissionWithdrawal(MissionChange):
    @extend_schema(
        operation_id="missions_withdraw",
        summary="Take a mission off the list",
        tags=["missions"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=ReasonIn,
        responses={200: MissionOut},
    )
    def post(self, request: Request, agency_slug: str, mission_id: int) -> Response:
        """With a reason. Its drawn π and Z stay in the plan."""

        def withdraw(mission: Mission, asked: dict[str, Any]) -> None:
            mission_withdraw(mission=mission, reason=asked["reason"], actor=self.caller.user)

        return self.changed(request, mission_id, ReasonIn, withdraw)


class MissionMove(MissionChange):
    @extend_schema(
        operation_id="missions_move",
        summary="Change a mission's times",
        tags=["missions"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=MoveIn,
        responses={200: MissionOut},
    )
    def post(self, request: Request, agency_slug: str, mission_id: int) -> Response:
        """Other starts within the shift, with a reason. The drawn ones stay in the plan."""

        def move(mission: Mission, asked: dict[str, Any]) -> None:
            mission_move(
                mission=mission, starts=asked["starts"], reason=asked["reason"], actor=self.caller.user
            )

        return self.changed(request, mission_id, MoveIn, move)


class MissionSwap(MissionChange):
    @extend_schema(
        operation_id="missions_swap",
        summary="Go to another box instead",
        tags=["missions"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=SwapIn,
        responses={200: MissionOut},
    )
    def post(self, request: Request, agency_slug: str, mission_id: int) -> Response:
        """Withdraws this mission and adds another, in one step; the answer is the added one."""

        def swap(mission: Mission, asked: dict[str, Any]) -> Mission:
            return mission_swap(
                mission=mission, cell_id=asked["cell_id"], reason=asked["reason"], actor=self.caller.user
            )

        return self.changed(request, mission_id, SwapIn, swap)


def unit_for(caller: Caller, call_sign: str) -> Unit:
    """Return a unit for which the asker may act or ask. An officer's is the own one; others are not said to exist."""
    unit = Unit.objects.filter(agency=caller.agency, call_sign=call_sign).select_related("beat").first()
    own = caller.unit
    if unit is None or (caller.only_own_unit and (own is None or own.pk != unit.pk)):
        raise Http404("There is no such unit here.")
    return unit


def check_district(caller: Caller, district_id: int) -> None:
    """Raise ``PermissionDenied`` where a supervisor's work is limited to other districts."""
    if not caller.works_in(district_id):
        raise PermissionDenied(
            "This lies outside your districts. Next step: ask a supervisor of that district."
        )
