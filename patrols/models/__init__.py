"""Who goes where, when, for how long, with which probability, and what was done."""

from patrols.models.notices import NoticeChoice, NoticeDelivery
from patrols.models.overrides import Addition, Suppression
from patrols.models.plans import Mission, MissionPlan
from patrols.models.policies import PatrolPolicy
from patrols.models.presence import Presence, PresenceAccount
from patrols.models.roster import Duty, HandOverNote
from patrols.models.schedules import PlanSchedule, ShiftPlanning
from patrols.models.visits import Assignment, Engagement

__all__ = [
    "Addition",
    "Assignment",
    "Duty",
    "Engagement",
    "HandOverNote",
    "Mission",
    "MissionPlan",
    "NoticeChoice",
    "NoticeDelivery",
    "PatrolPolicy",
    "PlanSchedule",
    "Presence",
    "PresenceAccount",
    "ShiftPlanning",
    "Suppression",
]
