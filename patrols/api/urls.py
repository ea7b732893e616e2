"""Addresses of this room's part of the API, under ``/api/v1/<agency>/``."""

from django.urls import path

from patrols.api import decided, missions, planning, plans, roster, units

MISSION = "missions/<int:mission_id>"
DUTY = "roster/<str:on>/<slug:shift_slug>/<str:call_sign>/"
urlpatterns = [
    path("shifts/", plans.Shifts.as_view(), name="shifts"),
    path("shifts/<str:on>/<slug:shift_slug>/", plans.OneShift.as_view(), name="shift"),
    path("shifts/<str:on>/<slug:shift_slug>/plan/", planning.ShiftPlan.as_view(), name="shift_plan"),
    path(
        "shifts/<str:on>/<slug:shift_slug>/decisions/", planning.ShiftDecision.as_view(), name="shift_decide"
    ),
    path("plans/", plans.Plans.as_view(), name="plans"),
    path("plans/<int:plan_id>/", plans.OnePlan.as_view(), name="plan"),
    path("plans/<int:plan_id>/publish/", plans.PlanPublication.as_view(), name="plan_publish"),
    path("plans/<int:plan_id>/dismiss/", planning.PlanDismissal.as_view(), name="plan_dismiss"),
    path("missions/", missions.Missions.as_view(), name="missions"),
    path(f"{MISSION}/", missions.OneMission.as_view(), name="mission"),
    path(f"{MISSION}/assignment/", missions.MissionAssignment.as_view(), name="mission_assignment"),
    path(f"{MISSION}/withdraw/", missions.MissionWithdrawal.as_view(), name="mission_withdraw"),
    path(f"{MISSION}/move/", missions.MissionMove.as_view(), name="mission_move"),
    path(f"{MISSION}/swap/", missions.MissionSwap.as_view(), name="mission_swap"),
    path(f"{MISSION}/arrive/", units.Arrival.as_view(), name="mission_arrive"),
    path(f"{MISSION}/leave/", units.Departure.as_view(), name="mission_leave"),
    path("units/<str:call_sign>/missions/now/", units.UnitMissionsNow.as_view(), name="unit_now"),
    path("engagements/", units.Engagements.as_view(), name="engagements"),
    path("suppressions/", decided.Suppressions.as_view(), name="suppressions"),
    path("suppressions/<int:suppression_id>/", decided.OneSuppression.as_view(), name="suppression"),
    path("suppressions/<int:suppression_id>/end/", decided.SuppressionEnd.as_view(), name="suppression_end"),
    path("additions/", decided.Additions.as_view(), name="additions"),
    path("additions/<int:addition_id>/", decided.OneAddition.as_view(), name="addition"),
    path("additions/<int:addition_id>/end/", decided.AdditionEnd.as_view(), name="addition_end"),
    path("roster/", roster.Roster.as_view(), name="roster"),
    path(DUTY, roster.OneDuty.as_view(), name="duty"),
]
