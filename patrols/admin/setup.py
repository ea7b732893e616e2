"""What this room still needs before the first missions, for the admin's start page."""

from django.urls import reverse

from agencies.checklist import ChecklistItem, register
from agencies.models import Agency
from patrols.models import MissionPlan
from patrols.selectors import active_policy


def patrol_items(agency: Agency) -> list[ChecklistItem]:
    """Whether there is a policy to plan by, and a published plan. Two queries."""
    policy = active_policy(agency)
    published = MissionPlan.objects.filter(agency=agency, state=MissionPlan.State.PUBLISHED).count()
    return [
        ChecklistItem(
            label="Patrol policy",
            done=policy is not None,
            why="Says how missions follow harm, how long visits last and how boxes rest. Without one nothing is planned.",
            url=reverse(
                f"admin:patrols_patrolpolicy_{'changelist' if policy else 'add'}",
                query=None if policy else {"agency": agency.pk},
            ),
            detail=f"“{policy.name}” is active" if policy else "",
        ),
        ChecklistItem(
            label="First plan",
            done=published > 0,
            why="Officers see missions once a plan is published.",
            url=reverse("admin:patrols_missionplan_changelist"),
            detail=f"{published} published" if published else "",
        ),
    ]


register(patrol_items, order=40)
