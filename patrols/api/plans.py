"""``/api/v1/<agency>/shifts/`` and ``plans/``: dated shifts, what was planned for them, and what a plan covers."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agencies.access import RUNS_SHIFTS, SEES_PLANS
from agencies.lookups import date_from_text, shift_by_slug
from agencies.models import Agency, Shift
from agencies.selectors import shift_instance_of, shifts
from forecasting.selectors import succeeded_forecasts
from ingestion.api.access import READS, AgencyView
from ingestion.api.fields import LocalTime, PeriodQuery, ShiftField
from missions_project.lib.errors import MissionsError
from missions_project.lib.rest.marks import check_match
from missions_project.lib.rest.paging import page_of_list, page_of_rows
from missions_project.lib.rest.queries import Body, NoQuery
from missions_project.lib.rest.schema import IDEMPOTENCY_KEY, IF_MATCH, paged
from missions_project.lib.runs import RunStatus
from patrols.api.shapes import Shown
from patrols.listings import plans_listed
from patrols.models import MissionPlan
from patrols.services import plan_publish

FIGURES = {
    "missions": "Boxes drawn.",
    "candidates": "Cells that could have been.",
    "harm_of_candidates": "Expected harm in all of them.",
    "harm_covered": "Expected harm in the boxes, on average over draws.",
    "harm_covered_by_draw": "Expected harm in the boxes that were drawn.",
    "harm_share": "harm_covered as a share of all candidates' harm, 0 to 1.",
    "price_of_randomisation": "Share of coverage given up against always going to the worst boxes.",
    "predictability": "Share of missions guessed right by somebody who knows every probability.",
    "entropy_bits": "Upper bound on what such a person still does not know.",
    "low_risk_share": "Share of missions in the lower half of cells by harm.",
    "gini": "How unevenly probabilities are spread, 0 even.",
}
ON = OpenApiParameter(
    "on", OpenApiTypes.DATE, OpenApiParameter.PATH, description="The local date on which the shift starts."
)
SHIFT_SLUG = OpenApiParameter(
    "shift_slug", OpenApiTypes.STR, OpenApiParameter.PATH, description="A shift's slug."
)


class ShiftOut(Shown):  # type: ignore[type-arg]
    shift = serializers.CharField(help_text="Slug.")
    name = serializers.CharField()
    on = serializers.DateField(help_text="The local date on which it starts.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    local_starts_at = LocalTime()
    local_ends_at = LocalTime()
    time_zone = serializers.CharField()
    minutes = serializers.IntegerField(help_text="Elapsed length, also when clocks change.")
    forecast = serializers.IntegerField(allow_null=True, help_text="Its newest finished forecast.")
    plan = serializers.IntegerField(allow_null=True, help_text="Its published plan.")


class CoverageOut(Shown):  # type: ignore[type-arg]
    """The figures that a supervisor sees before publishing; null where a plan failed before it had any."""

    def get_fields(self) -> dict[str, Any]:
        return {
            name: serializers.FloatField(allow_null=True, help_text=text) for name, text in FIGURES.items()
        }


class DecisionOut(Shown):  # type: ignore[type-arg]
    id = serializers.IntegerField()
    decision = serializers.IntegerField()
    state = serializers.ChoiceField(MissionPlan.State.choices)
    trigger = serializers.ChoiceField(MissionPlan.Trigger.choices)
    reason = serializers.CharField(allow_blank=True)
    starts_at = serializers.DateTimeField(help_text="When the decision was made.")


class PlanOut(Shown):  # type: ignore[type-arg]
    id = serializers.IntegerField()
    shift = serializers.CharField()
    on = serializers.DateField()
    decision = serializers.IntegerField(
        help_text="0 is the shift's plan; 1 and more are decisions during it."
    )
    trigger = serializers.ChoiceField(MissionPlan.Trigger.choices)
    reason = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(MissionPlan.State.choices)
    status = serializers.ChoiceField(RunStatus.choices)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    local_starts_at = LocalTime()
    local_ends_at = LocalTime()
    forecast = serializers.IntegerField(allow_null=True)
    seed = serializers.CharField(help_text="As text: it is larger than many programs' numbers.")
    design_hash = serializers.CharField(
        allow_blank=True, help_text="Of every candidate's harm, π, Z, times and dose."
    )
    code_version = serializers.CharField(allow_blank=True)
    queued_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)
    published_by = serializers.CharField(allow_null=True)
    coverage = CoverageOut()


class PlanDetailOut(PlanOut):
    log = serializers.CharField(
        allow_blank=True, help_text="Beats that could not be planned as asked, and why."
    )
    error = serializers.CharField(allow_blank=True)
    k_by_beat = serializers.DictField(
        child=serializers.IntegerField(), help_text="Boxes to visit, by beat, fixed before the draw."
    )
    decisions = DecisionOut(many=True, help_text="Later decisions during the same shift, in order.")


class ShiftQuery(PeriodQuery):
    days_back = 0
    shift = ShiftField(required=False, help_text="A shift's slug.")


class PlanQuery(PeriodQuery):
    shift = ShiftField(required=False, help_text="A shift's slug.")
    state = serializers.ChoiceField(MissionPlan.State.choices, required=False)


def shift_or_404(agency: Agency, slug: str, on: str) -> tuple[Shift, dt.date]:
    """Return the shift and the date that an address names."""
    try:
        shift, date = shift_by_slug(agency, slug), date_from_text(on)
        shift_instance_of(agency, shift, date)
    except MissionsError as exc:
        raise Http404(str(exc)) from exc
    return shift, date


def shifts_shown(agency: Agency, rows: list[tuple[Shift, dt.date]]) -> list[dict[str, Any]]:
    """Return dated shifts as the API shows them. Two queries."""
    if not rows:
        return []
    days = [on for _, on in rows]
    span = (min(days), max(days))
    forecasts = dict[tuple[int, dt.date], int]()
    found = succeeded_forecasts(agency).select_related(None).filter(on__range=span)
    for shift_id, on, pk in found.order_by("finished_at", "pk").values_list("shift_id", "on", "pk"):
        forecasts[shift_id, on] = pk
    published = MissionPlan.objects.filter(
        agency=agency, on__range=span, state=MissionPlan.State.PUBLISHED, decision=0
    )
    plans = {(row[0], row[1]): row[2] for row in published.values_list("shift_id", "on", "pk")}
    zone = ZoneInfo(agency.time_zone)
    shown = []
    for shift, on in rows:
        first, last = shift_instance_of(agency, shift, on)
        facts = {
            "shift": shift.slug,
            "name": shift.name,
            "on": on,
            "starts_at": first,
            "ends_at": last,
            "local_starts_at": first.astimezone(zone),
            "local_ends_at": last.astimezone(zone),
            "time_zone": agency.time_zone,
            "minutes": shift.duration_minutes,
            "forecast": forecasts.get((shift.pk, on)),
            "plan": plans.get((shift.pk, on)),
        }
        shown.append(dict(ShiftOut(facts).data))
    return shown


class Shifts(AgencyView):
    @extend_schema(
        operation_id="shifts_list",
        summary="Dated shifts of a period",
        tags=["shifts"],
        parameters=[ShiftQuery],
        responses=paged(ShiftOut, "ShiftPage"),
    )
    def get(self, request: Request, agency_slug: str) -> Response:
        """By start, each with its instants in UTC and on the agency's clock; days on which clocks change are right."""
        asked = ShiftQuery.of(request, agency=self.agency)
        chosen = [asked["shift"]] if "shift" in asked else shifts(self.agency)
        days = [asked["from"] + dt.timedelta(days=n) for n in range((asked["to"] - asked["from"]).days + 1)]
        rows = [(shift, on) for on in days for shift in chosen if on.weekday() in shift.weekday_numbers]

        def key(row: tuple[Shift, dt.date]) -> tuple[Any, ...]:
            return (*shift_instance_of(self.agency, *row)[:1], row[0].pk)

        page = page_of_list(rows, key, (dt.datetime, int), cursor=asked.get("cursor"), limit=asked["limit"])
        shown = iter(shifts_shown(self.agency, page.rows))
        return Response(page.as_json(request, lambda _: next(shown)))


class OneShift(AgencyView):
    @extend_schema(
        operation_id="shifts_get",
        summary="One dated shift",
        tags=["shifts"],
        parameters=[ON, SHIFT_SLUG],
        responses=ShiftOut,
    )
    def get(self, request: Request, agency_slug: str, on: str, shift_slug: str) -> Response:
        """404 on a date on which the shift does not start."""
        NoQuery.of(request)
        return Response(shifts_shown(self.agency, [shift_or_404(self.agency, shift_slug, on)])[0])


def plan_facts(agency: Agency, plan: MissionPlan) -> dict[str, Any]:
    """A plan as plain data. No query when it was listed."""
    zone, counts = ZoneInfo(agency.time_zone), plan.counts or {}
    return {
        "id": plan.pk,
        "shift": plan.shift.slug,
        "on": plan.on,
        "decision": plan.decision,
        "trigger": plan.trigger,
        "reason": plan.reason,
        "state": plan.state,
        "status": plan.status,
        "starts_at": plan.period_from,
        "ends_at": plan.period_to,
        "local_starts_at": plan.period_from.astimezone(zone),
        "local_ends_at": plan.period_to.astimezone(zone),
        "forecast": plan.forecast_run_id,
        "seed": str(plan.seed),
        "design_hash": plan.design_hash,
        "code_version": plan.code_version,
        "queued_at": plan.queued_at,
        "published_at": plan.published_at,
        "published_by": plan.published_by.get_username() if plan.published_by else None,
        "coverage": {name: counts.get(name) for name in FIGURES},
    }


def plan_shown(agency: Agency, plan_id: int) -> dict[str, Any]:
    """Return one plan with its later decisions. Raises ``Http404`` for none of the agency's. Two queries."""
    plan = plans_listed(agency).filter(pk=plan_id).first()
    if plan is None:
        raise Http404("This agency has no such plan.")
    later = MissionPlan.objects.filter(
        agency=agency, shift=plan.shift_id, on=plan.on, decision__gt=plan.decision
    )
    facts = plan_facts(agency, plan) | {
        "log": plan.log,
        "error": plan.error,
        "k_by_beat": (plan.config_snapshot or {}).get("k_by_beat", {}),
        "decisions": [
            {
                "id": row.pk,
                "decision": row.decision,
                "state": row.state,
                "trigger": row.trigger,
                "reason": row.reason,
                "starts_at": row.period_from,
            }
            for row in later.defer("design").order_by("decision", "queued_at")
        ],
    }
    return dict(PlanDetailOut(facts).data)


class Plans(AgencyView):
    reads = SEES_PLANS

    @extend_schema(
        operation_id="plans_list",
        summary="Plans of a period",
        tags=["plans"],
        parameters=[PlanQuery],
        responses=paged(PlanOut, "PlanPage"),
    )
    def get(self, request: Request, agency_slug: str) -> Response:
        """The latest shift first; drafts and superseded plans too, unless `state` says otherwise."""
        asked = PlanQuery.of(request, agency=self.agency)
        rows = plans_listed(self.agency).filter(on__range=(asked["from"], asked["to"]))
        filters = {name: asked[name] for name in ("shift", "state") if name in asked}
        order = (("-period_from", dt.datetime), ("-pk", int))
        page = page_of_rows(rows.filter(**filters), order, cursor=asked.get("cursor"), limit=asked["limit"])
        return Response(page.as_json(request, lambda plan: PlanOut(plan_facts(self.agency, plan)).data))


class OnePlan(AgencyView):
    reads = SEES_PLANS

    @extend_schema(operation_id="plans_get", summary="One plan", tags=["plans"], responses=PlanDetailOut)
    def get(self, request: Request, agency_slug: str, plan_id: int) -> Response:
        """What it covers, its design's hash and seed, and the decisions that followed it."""
        NoQuery.of(request)
        return Response(plan_shown(self.agency, plan_id))


class NothingIn(Body):
    """An empty object."""


class PlanPublication(AgencyView):
    reads = READS
    writes = RUNS_SHIFTS
    has_marks = False

    @extend_schema(
        operation_id="plans_publish",
        summary="Publish a draft",
        tags=["plans"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=NothingIn,
        responses={200: PlanDetailOut},
    )
    def post(self, request: Request, agency_slug: str, plan_id: int) -> Response:
        """Officers see its missions from then on. 409 where it is no draft, or another plan is being carried out."""
        NoQuery.of(request)
        NothingIn.of(request)
        plan_shown(self.agency, plan_id)

        def publish() -> tuple[int, Any]:
            check_match(request, plan_shown(self.agency, plan_id))
            plan = MissionPlan.objects.defer("design").get(pk=plan_id, agency=self.agency)
            plan_publish(plan=plan, actor=self.caller.user)
            return 200, plan_shown(self.agency, plan_id)

        return self.write(request, publish)
