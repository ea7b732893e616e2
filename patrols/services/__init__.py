"""Writing plans, missions and visits."""

from patrols.services.additions import addition_create, addition_end, suppression_end
from patrols.services.changes import area_suppress, mission_move, mission_swap, missions_add
from patrols.services.engagements import engagement_arrive, engagement_leave, engagement_record
from patrols.services.hand_over import hand_over_write
from patrols.services.line import shift_line_run, shift_run
from patrols.services.overrides import mission_add, mission_assign, mission_withdraw, suppression_create
from patrols.services.plans import plan_missions, plan_publish, plan_queue, plan_summary
from patrols.services.reasons import plan_reasons_write, reasons_due

__all__ = [
    "addition_create",
    "addition_end",
    "area_suppress",
    "engagement_arrive",
    "engagement_leave",
    "engagement_record",
    "hand_over_write",
    "mission_add",
    "mission_assign",
    "mission_move",
    "mission_swap",
    "mission_withdraw",
    "missions_add",
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
]
