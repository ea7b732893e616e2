"""Writing plans, missions and visits."""

from patrols.services.additions import addition_create, addition_end, suppression_end
from patrols.services.changes import area_suppress, mission_move, mission_swap, missions_add
from patrols.services.checks import plans_check, shift_account
from patrols.services.decisions import gunfire_decision_run, plan_decide, plan_decide_once, plan_dismiss
from patrols.services.duties import duties_copy, duty_clear, duty_set
from patrols.services.engagements import engagement_arrive, engagement_leave, engagement_record
from patrols.services.hand_over import hand_over_write
from patrols.services.late import presence_recount_calls, presence_recount_positions
from patrols.services.line import plan_run, shift_line_run, shift_plan_queue, shift_run
from patrols.services.notice_choices import notice_choice_set, notice_secret_renew
from patrols.services.notices import failures_record, notice_record, notice_send, notices_claim
from patrols.services.overrides import mission_add, mission_assign, mission_withdraw, suppression_create
from patrols.services.plans import plan_missions, plan_publish, plan_queue, plan_summary
from patrols.services.policies import PolicyMoved, policy_dial_set
from patrols.services.presence import presence_count, presence_due, presence_recount
from patrols.services.reasons import plan_reasons_write, reasons_due
from patrols.services.schedules import planning_run, plannings_claim, plans_publish_due
from patrols.services.visits import (
    VisitStarted,
    visit_end,
    visit_end_told_late,
    visit_start,
    visit_start_told_late,
)

__all__ = [
    "PolicyMoved",
    "VisitStarted",
    "addition_create",
    "addition_end",
    "area_suppress",
    "duties_copy",
    "duty_clear",
    "duty_set",
    "engagement_arrive",
    "engagement_leave",
    "engagement_record",
    "failures_record",
    "gunfire_decision_run",
    "hand_over_write",
    "mission_add",
    "mission_assign",
    "mission_move",
    "mission_swap",
    "mission_withdraw",
    "missions_add",
    "notice_choice_set",
    "notice_record",
    "notice_secret_renew",
    "notice_send",
    "notices_claim",
    "plan_decide",
    "plan_decide_once",
    "plan_dismiss",
    "plan_missions",
    "plan_publish",
    "plan_queue",
    "plan_reasons_write",
    "plan_run",
    "plans_check",
    "policy_dial_set",
    "presence_count",
    "presence_due",
    "presence_recount",
    "presence_recount_calls",
    "presence_recount_positions",
    "reasons_due",
    "plan_summary",
    "planning_run",
    "plannings_claim",
    "plans_publish_due",
    "shift_account",
    "shift_line_run",
    "shift_plan_queue",
    "shift_run",
    "suppression_create",
    "suppression_end",
    "visit_end",
    "visit_end_told_late",
    "visit_start",
    "visit_start_told_late",
]
