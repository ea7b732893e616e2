"""What this room does when another one has done something."""

from typing import Any

from django.dispatch import receiver

from patrols.models import MissionPlan
from patrols.signals import plan_made
from tactics.services import plan_tactics_draw


@receiver(plan_made, dispatch_uid="tactics: draw what to recommend")
def draw_tactics(sender: Any, plan_id: int, **_: Any) -> None:
    """Draw the recommended tactic of every drawn mission of the new plan, in the transaction that wrote them."""
    plan = (
        MissionPlan.objects.select_related("agency", "grid")
        .defer("design", "agency__boundary")
        .get(pk=plan_id)
    )
    plan_tactics_draw(plan=plan)
