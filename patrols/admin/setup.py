"""What this room still needs before the first missions, for the admin's start page."""

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agencies.checklist import ChecklistItem, register
from agencies.models import Agency
from patrols.admin.schedules import coming_rows
from patrols.models import MissionPlan, PlanSchedule
from patrols.selectors import active_policy


def patrol_items(agency: Agency) -> list[ChecklistItem]:
    """Whether there is a policy to plan by, a schedule, and a published plan. Five queries."""
    policy = active_policy(agency)
    published = MissionPlan.objects.filter(agency=agency, state=MissionPlan.State.PUBLISHED).count()
    return [
        ChecklistItem(
            label=_("Patrol policy"),
            done=policy is not None,
            why=_(
                "Says how missions follow harm, how long visits last and how boxes rest. Without one nothing is planned."
            ),
            url=reverse(
                f"admin:patrols_patrolpolicy_{'changelist' if policy else 'add'}",
                query=None if policy else {"agency": agency.pk},
            ),
            detail=_("“%(policy)s” is active") % {"policy": policy.name} if policy else "",
        ),
        schedule_item(agency),
        ChecklistItem(
            label=_("First plan"),
            done=published > 0,
            why=_("Officers see missions once a plan is published."),
            url=reverse("admin:patrols_missionplan_changelist"),
            detail=ngettext("%(count)s published", "%(count)s published", published) % {"count": published}
            if published
            else "",
        ),
    ]


def schedule_item(agency: Agency) -> ChecklistItem:
    """Whether shifts are planned by themselves; without a row of its own an agency has the defaults."""
    coming = coming_rows(agency, timezone.now())
    own = PlanSchedule.objects.filter(agency=agency).exists()
    return ChecklistItem(
        label=_("Schedule"),
        done=bool(coming),
        why=_(
            "Forecast and plan of each shift are made by themselves before it starts, from the first approved model on."
        ),
        url=reverse(
            f"admin:patrols_planschedule_{'changelist' if own else 'add'}",
            query=None if own else {"agency": agency.pk},
        ),
        detail=_("next: %(coming)s, planned %(coming_2)s")
        % {"coming": coming[0]["shift"], "coming_2": coming[0]["planned"]}
        if coming
        else "",
    )


register(patrol_items, order=40)
