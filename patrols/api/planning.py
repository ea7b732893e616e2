"""Having a shift planned, and deciding anew in the middle of it: asked for at once, drawn by a worker, polled until it is there."""

import datetime as dt
from typing import Any

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agencies.access import RUNS_SHIFTS
from agencies.models import Shift
from ingestion.api.access import AgencyView
from ingestion.api.fields import BeatField
from missions_project.lib.rest.marks import check_match
from missions_project.lib.rest.queries import Body, NoQuery
from missions_project.lib.rest.schema import IDEMPOTENCY_KEY, IF_MATCH
from patrols.api.plans import ON, SHIFT_SLUG, NothingIn, PlanDetailOut, plan_shown, shift_or_404
from patrols.models import MissionPlan
from patrols.services import plan_decide_once, plan_dismiss, shift_plan_queue
from patrols.tasks import plan_task

MOST_BEATS = 100
POLL_SECONDS = 2
LOCATION = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    response=[202],
    description="The plan's address. Ask it, with its `ETag`, until `status` is `succeeded` or `failed`.",
)
RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    OpenApiTypes.INT,
    OpenApiParameter.HEADER,
    response=[202],
    description="Seconds to wait before asking.",
)


class PlanIn(Body):
    forecast = serializers.BooleanField(
        default=True,
        help_text="Forecast the shift first, and draw from that. False: draw from the newest forecast there is.",
    )


class DecisionIn(Body):
    missions = serializers.IntegerField(
        min_value=1, max_value=40, help_text="How many to draw; the policy may allow fewer."
    )
    beats = serializers.ListField(
        child=BeatField(),
        required=False,
        allow_null=True,
        default=None,
        min_length=1,
        max_length=MOST_BEATS,
        help_text="Codes of the beats to draw in. Null: where the harm expected is highest, in your districts.",
    )
    reason = serializers.CharField(
        max_length=300, help_text="About the place, never about persons. Kept with the plan."
    )


class _Planning(AgencyView):
    """An address that answers 202: what it leaves is a plan in the queue."""

    reads = writes = RUNS_SHIFTS
    has_marks = False

    def _queued(self, request: Request, queue: Any) -> Response:
        """Answer with the plan that ``queue`` returns, and whether it is new: then a worker is sent for it."""

        def change() -> tuple[int, Any]:
            plan, is_new = queue()
            if is_new:
                plan_task.delay_on_commit(plan.pk)
            return 202, plan_shown(self.agency, plan.pk)

        response = self.write(request, change)
        address = reverse("api:plan", args=[self.agency.slug, response.data["id"]])
        response["Location"] = request.build_absolute_uri(address)
        response["Retry-After"] = str(POLL_SECONDS)
        return response


class ShiftPlan(_Planning):
    @extend_schema(
        operation_id="shifts_plan",
        summary="Have a shift planned",
        tags=["shifts"],
        parameters=[ON, SHIFT_SLUG, IDEMPOTENCY_KEY, LOCATION, RETRY_AFTER],
        request=PlanIn,
        responses={202: PlanDetailOut},
    )
    def post(self, request: Request, agency_slug: str, on: str, shift_slug: str) -> Response:
        """Queues a forecast and a draft drawn from it. While one waits or is drawn already, that one is the answer and nothing is
        queued. A published plan stays until the draft is published."""
        NoQuery.of(request)
        shift, date = shift_or_404(self.agency, shift_slug, on)
        asked = PlanIn.of(request, agency=self.agency)

        def queue() -> tuple[MissionPlan, bool]:
            return shift_plan_queue(
                agency=self.agency,
                shift=shift,
                on=date,
                with_forecast=asked["forecast"],
                actor=self.caller.user,
            )

        return self._queued(request, queue)


class ShiftDecision(_Planning):
    @extend_schema(
        operation_id="shifts_decide",
        summary="Decide anew during a shift",
        tags=["shifts"],
        parameters=[ON, SHIFT_SLUG, IDEMPOTENCY_KEY, LOCATION, RETRY_AFTER],
        request=DecisionIn,
        responses={202: PlanDetailOut},
    )
    def post(self, request: Request, agency_slug: str, on: str, shift_slug: str) -> Response:
        """Queues a draft of more missions for what is left of the shift; its plan and earlier decisions stay as they are. 409
        outside the shift, without a published plan, beyond the policy's caps, and for beats outside your districts."""
        NoQuery.of(request)
        shift, date = shift_or_404(self.agency, shift_slug, on)
        asked = DecisionIn.of(request, agency=self.agency)
        return self._queued(request, lambda: self._decide(shift, date, asked))

    def _decide(self, shift: Shift, on: dt.date, asked: dict[str, Any]) -> tuple[MissionPlan, bool]:
        return plan_decide_once(
            agency=self.agency, shift=shift, on=on, actor=self.caller.user, at=timezone.now(), **asked
        )


class PlanDismissal(AgencyView):
    reads = writes = RUNS_SHIFTS
    has_marks = False

    @extend_schema(
        operation_id="plans_dismiss",
        summary="Put a decision's draft away",
        tags=["plans"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=NothingIn,
        responses={200: PlanDetailOut},
    )
    def post(self, request: Request, agency_slug: str, plan_id: int) -> Response:
        """Nobody is sent. 409 for the shift's own plan, and for one that is no draft any more."""
        NoQuery.of(request)
        NothingIn.of(request)
        plan_shown(self.agency, plan_id)

        def dismiss() -> tuple[int, Any]:
            check_match(request, plan_shown(self.agency, plan_id))
            plans = MissionPlan.objects.select_related("agency", "shift").defer("design")
            plan_dismiss(plan=plans.get(pk=plan_id, agency=self.agency), actor=self.caller.user)
            return 200, plan_shown(self.agency, plan_id)

        return self.write(request, dismiss)
