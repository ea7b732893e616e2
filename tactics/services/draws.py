"""Drawing the recommended tactic of a plan's missions, every chance stored."""

from collections import defaultdict
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.utils import timezone

from agencies.models import Agency
from forecasting.engine.grid import GridSpec
from patrols.models import Mission, MissionPlan
from tactics.engine.allocation import Allocation, thompson_chances
from tactics.engine.draws import Bools, Floats, cell_uniforms, choose, draw_stream, weight_chances
from tactics.models import DrawMethod, Tactic, TacticDraw, TacticPolicy, TacticRule, TacticUpdate
from tactics.rules import Allowed, allowed_tactics, kinds_asked
from tactics.surroundings import surroundings


def plan_tactics_draw(*, plan: MissionPlan) -> int:
    """Draw the recommended tactic of each drawn mission among those that the rules allow; return how many were drawn.

    Missions that people added have no draw: their place was not drawn either, and what somebody asked for is not to be
    overruled by chance. Missions without an allowed tactic have none. Seven queries, however many missions; called
    in the transaction that writes the missions.
    """
    assert plan.grid is not None  # a drawn plan has a grid
    agency = plan.agency
    missions = list(
        Mission.objects.filter(plan=plan, source=Mission.Source.DRAWN)
        .order_by("pk")
        .values_list("pk", "cell_id", "crime_type_id", "crime_type__slug", "starts_at")
    )
    rules: dict[int, list[TacticRule]] = defaultdict(list)
    everything = list(
        TacticRule.objects.filter(agency=agency, tactic__is_active=True).select_related("tactic")
    )
    for rule in everything:
        rules[rule.crime_type_id].append(rule)
    if not missions or not everything:
        return 0
    spec = GridSpec.from_bytes(bytes(plan.grid.spec))
    around = surroundings(agency, spec, [row[1] for row in missions], kinds_asked(everything), on=plan.on)
    zone = ZoneInfo(agency.time_zone)
    allowed = [
        allowed_tactics(
            rules[crime_type],
            shift_id=plan.shift_id,
            starts=starts.astimezone(zone).time(),
            near=near,
            known=around.known,
        )
        for (_, _, crime_type, _, starts), near in zip(missions, around.near, strict=True)
    ]
    policy = policy_of(agency)
    update = TacticUpdate.objects.filter(agency=agency).first() if is_adaptive(policy) else None
    tactics = sorted({row.rule.tactic for rows in allowed for row in rows}, key=lambda tactic: tactic.slug)
    chances = _chances(allowed, tactics, [row[3] for row in missions], policy, update)
    position = spec.index_of([row[1] for row in missions])
    chosen = choose(chances, cell_uniforms(draw_stream(plan.seed), len(spec), position)) if tactics else []
    now, frozen = timezone.now(), policy_snapshot(policy)
    made = [
        TacticDraw(
            agency=agency,
            mission_id=row[0],
            tactic=tactics[at],
            probabilities={tactics[a].slug: chances[n, a] for a in np.flatnonzero(chances[n]).tolist()},
            method=policy.method if policy else DrawMethod.WEIGHTS,
            seed=plan.seed,
            policy={
                **frozen,
                "weights": {own.rule.tactic.slug: own.preference for own in allowed[n]},
                "near": sorted(around.near[n]),
            },
            update=update,
            drawn_at=now,
        )
        for n, (row, at) in enumerate(zip(missions, chosen, strict=False))
        if at >= 0
    ]
    TacticDraw.objects.bulk_create(made, batch_size=500)
    return len(made)


def policy_of(agency: Agency) -> TacticPolicy | None:
    """The agency's active policy; None where it has none, which means by preferences. One query."""
    return TacticPolicy.objects.filter(agency=agency, is_active=True).first()


def is_adaptive(policy: TacticPolicy | None) -> bool:
    return policy is not None and policy.method == DrawMethod.ADAPTIVE


def policy_snapshot(policy: TacticPolicy | None) -> dict[str, Any]:
    """What a draw keeps of the policy: enough to work its chances out again."""
    if policy is None or not is_adaptive(policy):
        return {"policy": policy.pk if policy else None}
    return {
        "policy": policy.pk,
        "floor": policy.floor,
        "drawn_among": policy.drawn_among,
        "prior_crimes": policy.prior_crimes,
        "window_hours": policy.window_hours,
    }


def _chances(
    allowed: list[list[Allowed]],
    tactics: list[Tactic],
    crime_types: list[str],
    policy: TacticPolicy | None,
    update: TacticUpdate | None,
) -> Floats:
    """The chance of each tactic for each mission, [missions, tactics]; tactics in the order of their slugs."""
    column = {tactic.pk: at for at, tactic in enumerate(tactics)}
    weights = np.zeros((len(allowed), len(tactics)))
    at_most = policy.drawn_among if policy and is_adaptive(policy) else None
    for n, rows in enumerate(allowed):
        for row in rows[:at_most]:
            weights[n, column[row.rule.tactic_id]] = row.preference
    if policy is None or not is_adaptive(policy):
        return weight_chances(weights)
    return adaptive_chances(
        weights > 0,
        [tactic.slug for tactic in tactics],
        crime_types,
        update.totals if update else {},
        Allocation(floor=policy.floor, prior_crimes=policy.prior_crimes),
    )


def adaptive_chances(
    allowed: Bools, slugs: list[str], crime_types: list[str], totals: dict[str, Any], policy: Allocation
) -> Floats:
    """The chances of an adaptive draw from what was counted, worked out once for each crime type and set of tactics."""
    chances = np.zeros(allowed.shape)
    kinds, of = np.unique(np.array(crime_types), return_inverse=True)
    for k, kind in enumerate(kinds.tolist()):
        counted = totals.get(kind, {})
        crimes = np.array([counted.get(slug, {}).get("crimes", 0.0) for slug in slugs])
        expected = np.array([counted.get(slug, {}).get("expected", 0.0) for slug in slugs])
        rows = np.flatnonzero(of == k)
        sets, which = np.unique(allowed[rows], axis=0, return_inverse=True)
        chances[rows] = thompson_chances(crimes, expected, sets, policy)[which.reshape(-1)]
    return chances
