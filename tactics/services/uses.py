"""Writing what was done at a visit."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import User
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement
from tactics.models import Tactic, TacticUse
from tactics.recommended import recommended_tactics

TICKABLE_HOURS = 4.0
"""How long after a departure tactics may still be ticked: memory of the visit, not paperwork of the week."""


def is_tickable(engagement: Engagement, at: dt.datetime) -> bool:
    """Whether tactics of this visit may still be ticked or unticked: while it lasts and for four hours after."""
    return engagement.left_at is None or at < engagement.left_at + dt.timedelta(hours=TICKABLE_HOURS)


@transaction.atomic
def tactic_use_record(
    *, engagement: Engagement, tactic: Tactic, is_used: bool, officer: User | None, at: dt.datetime
) -> TacticUse | None:
    """Tick a tactic off at a visit, or take the tick back; the second same press changes nothing.

    Whether it was recommended is worked out here and kept, because the rules may change later: the tactic that was drawn
    for the mission, or, where none was drawn, any that the rules gave or a person asked for. Returns the use, or
    None when it was taken back. Raises ``MissionsError`` for another agency's tactic, for a new tick of an inactive
    one, and for a visit that ended more than four hours ago.
    """
    if tactic.agency_id != engagement.agency_id:
        raise MissionsError(
            _("This tactic belongs to another agency."), next_step=_("choose one of your own.")
        )
    if not is_tickable(engagement, at):
        raise MissionsError(
            _("This visit ended more than %(tickable_hours)s hours ago; what was ticked then stays.")
            % {"tickable_hours": f"{TICKABLE_HOURS:g}"},
            next_step=_("tell your supervisor if it is wrong."),
        )
    # Two phones of one unit may tick at once: the second waits here and finds the first one's row.
    Engagement.objects.select_for_update().get(pk=engagement.pk)
    rows = TacticUse.objects.filter(engagement=engagement, tactic=tactic)
    if not is_used:
        rows.delete()
        return None
    if (found := rows.first()) is not None:
        return found
    if not tactic.is_active:
        raise MissionsError(
            _("“%(tactic)s” is no longer offered.") % {"tactic": tactic.name},
            next_step=_("reload the page and choose another tactic."),
        )
    suited = recommended_tactics(engagement.mission)
    drawn = [row for row in suited if row.is_drawn]
    use = TacticUse(
        agency_id=engagement.agency_id,
        engagement=engagement,
        tactic=tactic,
        was_recommended=tactic.pk in {row.tactic.pk for row in drawn or suited},
        used_at=at,
        officer=officer,
    )
    use.full_clean()
    use.save()
    return use
