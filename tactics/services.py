"""Writing tactics: the starter set, and what was done at a visit."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from agencies.engine.offence_policy import offence_class_of
from agencies.models import Agency, CrimeType, User
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement
from tactics.models import Tactic, TacticRule, TacticUse
from tactics.selectors import recommended_tactics
from tactics.starter import STARTER_TACTICS, StarterTactic

TICKABLE_HOURS = 4.0
"""How long after a departure tactics may still be ticked: memory of the visit, not paperwork of the week."""


@dataclass(frozen=True)
class StarterResult:
    """How many tactics and rules the starter set added; 0 and 0 when all of it was there."""

    tactics_added: int
    rules_added: int


@transaction.atomic
def starter_catalogue_create(*, agency: Agency) -> StarterResult:
    """Give the agency the shipped tactics, and rules for its crime types by their offence class.

    Adds what is missing and changes nothing that is there: a tactic is known by its slug, a rule by crime type and
    tactic, so an edited note or weight stays, and a crime type made later gets its rules by a second call. To be rid
    of a tactic make it inactive, of a rule give it preference 0: a deleted one would come back.
    """
    existing = {tactic.slug: tactic for tactic in Tactic.objects.filter(agency=agency)}
    added = [_tactic(agency, row) for row in STARTER_TACTICS if row.slug not in existing]
    for tactic in added:
        tactic.full_clean()
        tactic.save()
        existing[tactic.slug] = tactic
    known = set(TacticRule.objects.filter(agency=agency).values_list("crime_type_id", "tactic_id"))
    rules = 0
    for crime_type in CrimeType.objects.filter(agency=agency):
        offence = offence_class_of(crime_type.nibrs_code)
        for row in STARTER_TACTICS:
            tactic = existing[row.slug]
            weight = row.weights.get(offence.key, 0.0) if offence else 0.0
            # An administrator may have marked a shipped tactic as enforcement: it then gets no rule.
            if weight <= 0 or tactic.is_enforcement or (crime_type.pk, tactic.pk) in known:
                continue
            rule = TacticRule(agency=agency, crime_type=crime_type, tactic=tactic, preference=weight)
            rule.full_clean()
            rule.save()
            rules += 1
    return StarterResult(len(added), rules)


def _tactic(agency: Agency, row: StarterTactic) -> Tactic:
    return Tactic(
        agency=agency,
        slug=row.slug,
        name=row.name,
        steps=row.steps,
        community_note=row.community_note,
        evidence_note=row.evidence_note,
        evidence_source=row.evidence_source,
        is_enforcement=row.is_enforcement,
    )


def is_tickable(engagement: Engagement, at: dt.datetime) -> bool:
    """Whether tactics of this visit may still be ticked or unticked: while it lasts and for four hours after."""
    return engagement.left_at is None or at < engagement.left_at + dt.timedelta(hours=TICKABLE_HOURS)


@transaction.atomic
def tactic_use_record(
    *, engagement: Engagement, tactic: Tactic, is_used: bool, officer: User | None, at: dt.datetime
) -> TacticUse | None:
    """Tick a tactic off at a visit, or take the tick back; the second same press changes nothing.

    Whether it was recommended is worked out here and kept, because the rules may change later. Returns the use, or
    None when it was taken back. Raises ``MissionsError`` for another agency's tactic, for a new tick of an inactive
    one, and for a visit that ended more than four hours ago.
    """
    if tactic.agency_id != engagement.agency_id:
        raise MissionsError("This tactic belongs to another agency.", next_step="choose one of your own.")
    if not is_tickable(engagement, at):
        raise MissionsError(
            f"This visit ended more than {TICKABLE_HOURS:g} hours ago; what was ticked then stays.",
            next_step="tell your supervisor if it is wrong.",
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
            f"“{tactic.name}” is no longer offered.", next_step="reload the page and choose another tactic."
        )
    use = TacticUse(
        agency_id=engagement.agency_id,
        engagement=engagement,
        tactic=tactic,
        was_recommended=tactic.pk in {row.tactic.pk for row in recommended_tactics(engagement.mission)},
        used_at=at,
        officer=officer,
    )
    use.full_clean()
    use.save()
    return use
