"""Writing plans, missions and visits."""

from patrols.services.additions import addition_create, addition_end, suppression_end
from patrols.services.changes import mission_move, mission_swap
from patrols.services.duties import duty_clear, duty_set
from patrols.services.engagements import engagement_arrive, engagement_leave, engagement_record
from patrols.services.line import shift_line_run, shift_run
from patrols.services.overrides import mission_add, mission_assign, mission_withdraw, suppression_create
from patrols.services.plans import plan_missions, plan_publish, plan_queue, plan_summary
from patrols.services.reasons import plan_reasons_write, reasons_due
from patrols.services.visits import VisitStarted, visit_end, visit_start

__all__ = [
    "VisitStarted",
    "addition_create",
    "addition_end",
    "duty_clear",
    "duty_set",
    "engagement_arrive",
    "engagement_leave",
    "engagement_record",
    "mission_add",
    "mission_assign",
    "mission_move",
    "mission_swap",
    "mission_withdraw",
    "plan_missions",
    "plan_publish",
    "plan_queue",
    "plan_reasons_write",
    "reasons_due",
    "plan_summary",
    "shift_line_run",
    "shift_run",
    "suppression_create",
    "suppression_end",
    "visit_end",
    "visit_start",
]
