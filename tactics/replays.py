"""Proof that the recommended tactics of a plan are what its seed and the stored chances gave."""

import numpy as np
from django.utils.translation import gettext as _

from forecasting.engine.grid import GridSpec
from missions_project.lib.errors import MissionsError
from patrols.models import Mission, MissionPlan
from tactics.engine.allocation import Allocation
from tactics.engine.draws import cell_uniforms, choose, draw_stream, weight_chances
from tactics.models import DrawMethod, TacticDraw
from tactics.services.draws import adaptive_chances

CLOSE = 1e-9
"""Chances are worked out again by the same arithmetic; another machine's last digit may differ."""


def tactic_differences(plan: MissionPlan) -> list[str]:
    """Return where a plan's tactics are not what its seed and stored chances give, in words; empty when they are. Two queries.

    For each draw: the chances follow from the weights that it kept, or, for an adaptive one, from what had been counted;
    they sum to 1; the seed is the plan's; the tactic is the one that the mission's random number falls on. Raises
    ``MissionsError`` for a plan without a grid or without draws.
    """
    draws = list(
        TacticDraw.objects.filter(mission__plan=plan).select_related(
            "mission__crime_type", "tactic", "update"
        )
    )
    if plan.grid is None or not draws:
        raise MissionsError(
            _("Plan %(pk)s has no drawn tactics.") % {"pk": plan.pk},
            next_step=_(
                "choose a finished plan that was made after tactics began to be drawn, with rules for its crime types."
            ),
        )
    spec = GridSpec.from_bytes(bytes(plan.grid.spec))
    uniforms = cell_uniforms(
        draw_stream(plan.seed), len(spec), spec.index_of([draw.mission.cell_id for draw in draws])
    )
    found: list[str] = []
    for draw, uniform in zip(draws, uniforms, strict=True):
        found += [
            f"Mission {draw.mission.number}: {text}" for text in _differences(plan, draw, float(uniform))
        ]
    return found


def _differences(plan: MissionPlan, draw: TacticDraw, uniform: float) -> list[str]:
    found = []
    if draw.mission.source != Mission.Source.DRAWN:
        found.append("a person added it, and yet it has a draw.")
    if draw.seed != plan.seed:
        found.append("its draw keeps another seed than the plan's.")
    slugs = sorted(draw.probabilities)
    stored = np.array([[draw.probabilities[slug] for slug in slugs]], dtype=np.float64)
    if abs(stored.sum() - 1.0) > CLOSE or (stored <= 0).any():
        return [*found, "its chances do not sum to 1."]
    again = _chances_again(draw, slugs)
    if np.abs(again - stored).max() > CLOSE:
        found.append("its chances are not those that its weights, or what had been counted, give.")
    chosen = slugs[int(choose(stored, np.array([uniform]))[0])]
    if chosen != draw.tactic.slug:
        found.append(f"“{draw.tactic.slug}” stands as drawn, its random number gives “{chosen}”.")
    return found


def _chances_again(draw: TacticDraw, slugs: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    weights = draw.policy.get("weights", {})
    if draw.method == DrawMethod.WEIGHTS:
        return weight_chances(np.array([[weights.get(slug, 0.0) for slug in slugs]]))
    return adaptive_chances(
        np.ones((1, len(slugs)), dtype=np.bool_),
        slugs,
        [draw.mission.crime_type.slug],
        draw.update.totals if draw.update else {},
        Allocation(floor=draw.policy["floor"], prior_crimes=draw.policy["prior_crimes"]),
    )
