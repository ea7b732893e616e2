"""Writing the catalogue: the starter set, and a rule's weight on a person's word."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from agencies.engine.offence_policy import offence_class_of
from agencies.models import Agency, CrimeType, User
from agencies.services import audit_record
from missions_project.lib.errors import MissionsError
from patrols.services import PolicyMoved
from tactics.models import Tactic, TacticRule
from tactics.starter import STARTER_TACTICS, StarterTactic


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

    The texts are those of the language that is active, and stay in it: from then on they are the agency's own.
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
        name=_(row.name),
        steps=_(row.steps),
        community_note=_(row.community_note),
        evidence_note=_(row.evidence_note),
        evidence_source=row.evidence_source,
        evidence_effect=_(row.evidence_effect) if row.evidence_effect else "",
        evidence_strength=row.evidence_strength,
        places=list(row.places),
        hours_from=row.hours[0] if row.hours else None,
        hours_to=row.hours[1] if row.hours else None,
        is_enforcement=row.is_enforcement,
    )


@transaction.atomic
def rule_weight_set(
    *, agency: Agency, rule_id: int, value_from: float, value_to: float, actor: User, reason: str
) -> TacticRule:
    """Change one rule's weight from the value that the decision stood on, and keep who and why.

    Plans drawn from now on use it; draws made before keep their chances. Raises ``PolicyMoved`` where the rule weighs
    something else by now or its tactic is no longer offered, ``MissionsError`` for a weight that it cannot have. Up to nine
    queries.
    """
    moved = PolicyMoved(
        _("The tactic's weight was changed in the meantime."), next_step=_("look for proposals again.")
    )
    rule = TacticRule.objects.filter(agency=agency, pk=rule_id).select_related("tactic", "crime_type").first()
    if rule is None or rule.preference != value_from or not rule.tactic.is_active:
        raise moved
    rule.preference = value_to
    try:
        rule.full_clean()
    except ValidationError as exc:
        raise MissionsError(
            _("The rule cannot have this weight: %(names)s") % {"names": " ".join(exc.messages)},
            next_step=_("decline the proposal."),
        ) from exc
    if TacticRule.objects.filter(pk=rule.pk, preference=value_from).update(preference=value_to) != 1:
        raise moved
    audit_record(
        agency=agency, actor=actor, action="tacticrule.weight_set", subject=rule,
        detail={"id": rule.pk, "from": value_from, "to": value_to, "reason": reason},
    )  # fmt: skip
    return rule
