"""What this room does when another one has done something."""

from typing import Any

from allauth.account.signals import user_logged_in
from django.db import transaction
from django.dispatch import receiver
from django.utils.translation import gettext as _

from agencies.models import Agency, User
from missions_project.lib.errors import MissionsError
from patrols.models import MissionPlan
from patrols.signals import plan_made, tactic_asked
from tactics.models import Tactic
from tactics.reports.kept import ahead_ask
from tactics.services import plan_tactics_draw


@receiver(plan_made, dispatch_uid="tactics: draw what to recommend")
def draw_tactics(sender: Any, plan_id: int, **_kwargs: Any) -> None:
    """Draw the recommended tactic of every drawn mission of the new plan, in the transaction that wrote them."""
    plan = (
        MissionPlan.objects.select_related("agency", "grid")
        .defer("design", "agency__boundary")
        .get(pk=plan_id)
    )
    plan_tactics_draw(plan=plan)


@receiver(tactic_asked, dispatch_uid="tactics: only the agency's own by name")
def know_tactic(sender: Any, agency: Agency, slug: str, **_kwargs: Any) -> None:
    """Refuse a name that the agency's catalogue does not have. One query."""
    if not Tactic.objects.filter(agency=agency, slug=slug).exists():
        raise MissionsError(
            _("The agency has no tactic “%(slug)s”.") % {"slug": slug[:40]},
            next_step=_("choose one of its catalogue, or none: then it goes by the rules."),
        )


@receiver(user_logged_in, dispatch_uid="tactics: count for who comes")
def count_for_reader(sender: Any, user: User, **_kwargs: Any) -> None:
    """Let the reports of this person's agencies be counted while they look around, where nobody has read them for long."""
    # Robust: where broker and cache are away nobody is kept from signing in.
    transaction.on_commit(lambda: ahead_ask(user), robust=True)
