"""Writing plans, missions and visits."""

from patrols.services.engagements import engagement_arrive, engagement_leave, engagement_record
from patrols.services.line import shift_line_run, shift_run
from patrols.services.overrides import mission_add, mission_assign, mission_withdraw, suppression_create
from patrols.services.plans import plan_missions, plan_publish, plan_queue, plan_summary
from patrols.services.presence import presence_count, presence_due
from patrols.services.reasons import plan_reasons_write, reasons_due

__all__ = [
    "engagement_arrive",
    "engagement_leave",
    "engagement_record",
    "mission_add",
    "mission_assign",
    "mission_withdraw",
    "plan_missions",
    "plan_publish",
    "plan_queue",
    "plan_reasons_write",
    "presence_count",
    "presence_due",
    "reasons_due",
    "plan_summary",
    "shift_line_run",
    "shift_run",
    "suppression_create",
]
