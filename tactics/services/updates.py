"""Telling adaptive draws what followed: batch by batch, each batch a row."""

import datetime as dt
from collections import defaultdict
from copy import deepcopy
from typing import Any

from django.db import transaction
from django.db.models import Min

from agencies.models import Agency
from tactics.models import DrawMethod, TacticDraw, TacticPolicy, TacticUpdate
from tactics.services.draws import is_adaptive, policy_of
from tactics.trial_inputs import trial_inputs


def tactic_updates_due(*, now: dt.datetime) -> list[int]:
    """Return the agencies whose adaptive draws are due an update. One query, and two for each adaptive policy."""
    found = []
    for policy in TacticPolicy.objects.filter(is_active=True, method=DrawMethod.ADAPTIVE):
        last = TacticUpdate.objects.filter(agency=policy.agency_id).first()
        own = TacticDraw.objects.filter(agency=policy.agency_id, method=DrawMethod.ADAPTIVE)
        since = last.made_at if last else own.aggregate(at=Min("drawn_at"))["at"]
        if since is not None and since + dt.timedelta(days=policy.batch_days) <= now:
            found.append(policy.agency_id)
    return found


@transaction.atomic
def tactic_update_make(*, agency: Agency, now: dt.datetime) -> TacticUpdate | None:
    """Count what followed the missions whose late reports are in, and add it to what is known of each tactic.

    Each mission is counted once and keeps what was counted, so that the draws that follow can be drawn again from what they
    were told. Returns None where the agency's policy is not adaptive, or no update is due (another worker was quicker).
    """
    # Two workers at once: the second waits here and finds the first one's update.
    Agency.objects.select_for_update().only("pk").get(pk=agency.pk)
    policy = policy_of(agency)
    if policy is None or not is_adaptive(policy) or agency.pk not in tactic_updates_due(now=now):
        return None
    last = TacticUpdate.objects.filter(agency=agency).first()
    until = now - dt.timedelta(days=policy.settle_days)
    inputs = trial_inputs(
        agency,
        first=dt.date.min,
        last=now.date(),
        window_hours=float(policy.window_hours),
        until=until,
        uncounted_only=True,
    )
    update = TacticUpdate(
        agency=agency,
        number=last.number + 1 if last else 1,
        made_at=now,
        counted_until=until,
        n_missions=len(inputs.draw_ids),
    )
    totals: dict[str, Any] = defaultdict(dict, deepcopy(last.totals) if last else {})
    trial = inputs.trial
    for arm, kind, crimes, expected in zip(
        trial.arm.tolist(), trial.kind.tolist(), trial.crimes.tolist(), trial.expected.tolist(), strict=True
    ):
        none = {"missions": 0, "crimes": 0.0, "expected": 0.0}
        one = totals[inputs.kinds[kind]].setdefault(inputs.slugs[arm], none)
        one["missions"] += 1
        one["crimes"] += crimes
        one["expected"] += expected
    update.totals = dict(totals)
    update.full_clean()
    update.save()
    counted = [
        TacticDraw(pk=pk, counted_in=update, counted_crimes=int(crimes), counted_expected=expected)
        for pk, crimes, expected in zip(
            inputs.draw_ids, trial.crimes.tolist(), trial.expected.tolist(), strict=True
        )
    ]
    TacticDraw.objects.bulk_update(
        counted, ["counted_in", "counted_crimes", "counted_expected"], batch_size=300
    )
    return update
