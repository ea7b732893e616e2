"""Proposals: made from figures, decided by a person, and only then a dial turns."""

import hashlib
import json
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.engine.free_text import text_about_person
from agencies.models import User
from agencies.services import audit_record
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from patrols.services import PolicyMoved, policy_dial_set
from tactics.models import Inquiry, PolicyProposal
from tactics.proposing import change_json, proposals_found
from tactics.services.catalogue import rule_weight_set

Status = PolicyProposal.Status


def proposals_make(inquiry: Inquiry, progress: Progress) -> dict[str, Any]:
    """Look at every step of every dial, keep those that are worth a person's decision, and put older open ones aside.

    Changes no dial. Returns what was looked at, with the verdicts.
    """
    policy, changes, weights, basis = proposals_found(inquiry.agency, progress)
    told = json.dumps(basis, sort_keys=True)
    mark = hashlib.sha256(told.encode()).hexdigest()
    with transaction.atomic():
        PolicyProposal.objects.filter(agency=inquiry.agency, status=Status.OPEN).update(status=Status.STALE)
        for change in changes:
            if change.verdict == "keep":
                continue
            row = change_json(change, weights)
            dial = {"policy": policy} if change.subject is None else {"rule_id": change.subject}
            proposal = PolicyProposal(
                agency=inquiry.agency, inquiry=inquiry, **dial, field=change.field, label=row["label"],
                value_from=change.value_from, value_to=change.value_to, purpose=change.verdict,
                gain=row["gain"]["estimate"], gain_low=row["gain"]["low"], gain_high=row["gain"]["high"],
                basis=basis | {"change": row}, basis_hash=mark,
            )  # fmt: skip
            proposal.full_clean()
            proposal.save()
    verdicts = {change.subject: change.verdict for change in changes if change.subject is not None}
    rows = [row | {"verdict": verdicts.get(pk, "keep")} for pk, row in weights.rows.items()]
    told_of = [change_json(change, weights) for change in changes]
    return {"basis": basis, "basis_hash": mark, "changes": told_of, "weights": rows}


def proposal_decide(*, proposal: PolicyProposal, actor: User, approve: bool, reason: str) -> PolicyProposal:
    """Approve or decline an open proposal, with a reason; approved, its dial turns from where the proposal found it.

    Where the dial stands elsewhere by now nothing changes, the proposal is out of date, and ``PolicyMoved`` says so. Two
    people who decide at once: the first one has decided. Raises ``MissionsError`` without a reason.
    """
    reason = reason.strip()
    if not reason:
        raise MissionsError(
            _("A proposal is decided only with a reason."), next_step=_("write why in a few words.")
        )
    if about := text_about_person(reason):
        raise MissionsError(
            _("The reason seems to hold %(about)s, which is never kept.") % {"about": about},
            next_step=_("write about the figures only."),
        )
    try:
        with transaction.atomic():
            _claim(proposal, actor, approve, reason)
            if approve:
                _turn(proposal, actor, reason)
            audit_record(
                agency=proposal.agency, actor=actor, subject=proposal, detail={"id": proposal.pk, "reason": reason},
                action="proposal.approved" if approve else "proposal.declined",
            )  # fmt: skip
    except PolicyMoved:
        # Outside of what was rolled back: the next person must not be offered it again.
        PolicyProposal.objects.filter(pk=proposal.pk, status=Status.OPEN).update(status=Status.STALE)
        raise
    proposal.refresh_from_db()
    return proposal


def _claim(proposal: PolicyProposal, actor: User, approve: bool, reason: str) -> None:
    won = PolicyProposal.objects.filter(pk=proposal.pk, status=Status.OPEN).update(
        status=Status.APPROVED if approve else Status.DECLINED,
        decided_at=timezone.now(),
        decided_by=actor,
        reason=reason[:300],
    )
    if won != 1:
        raise MissionsError(
            _("This proposal was decided already, or is out of date."), next_step=_("open the page again.")
        )


def _turn(proposal: PolicyProposal, actor: User, reason: str) -> None:
    if proposal.policy_id is not None:
        policy_dial_set(
            agency=proposal.agency, policy_id=proposal.policy_id, dial=proposal.field, value_from=proposal.value_from,
            value_to=proposal.value_to, actor=actor, reason=reason,
        )  # fmt: skip
        return
    assert proposal.rule_id is not None  # a constraint says so
    rule_weight_set(
        agency=proposal.agency, rule_id=proposal.rule_id, value_from=proposal.value_from, value_to=proposal.value_to,
        actor=actor, reason=reason,
    )  # fmt: skip
