"""Draw a stored plan again: the proof that nobody chose who was sent where after the fact."""

from dataclasses import dataclass

import numpy as np

from patrols.engine.codec import DesignCodecError, design_digest, design_from_bytes
from patrols.engine.design import Infeasible, beat_design
from patrols.engine.drawing import draw_all
from patrols.engine.records import PlanDraw
from patrols.engine.schedule import timetable


@dataclass(frozen=True)
class ReplayResult:
    """Whether a stored plan is what its seed gives; ``differences`` says where not, in words."""

    identical: bool
    differences: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.identical


def replay(
    design: bytes | memoryview | PlanDraw, seed: int | None = None, *, digest: str | None = None
) -> ReplayResult:
    """Draw a stored plan again from its design and seed and compare every bit; damage is reported, not raised.

    ``seed`` and ``digest`` are those kept beside the plan (the mission plan's row); without them, only the design
    itself is checked, and a forger who changed a harm that moves no probability would not be noticed. Draws,
    start times, doses and methods are compared bit for bit. Probabilities are worked out again from harm, doses and
    policy and may differ by 1e-9 (processors round powers differently); floors and caps by as much.
    """
    try:
        plan = design if isinstance(design, PlanDraw) else design_from_bytes(design)
    except DesignCodecError as error:
        return ReplayResult(False, (str(error),))
    differences: list[str] = []
    if seed is not None and seed != plan.seed:
        differences.append(f"The design holds seed {plan.seed}, the plan's row {seed}.")
    if digest is not None and digest != design_digest(plan):
        differences.append("The design's digest is not the digest kept beside the plan.")
    differences += _design_differences(plan)
    if differences:
        return ReplayResult(False, tuple(differences))
    fitted = [
        timetable(k=int(k), units=int(units), shift_minutes=plan.shift_minutes, policy=plan.policy)
        for k, units in zip(plan.beat_k, plan.beat_units, strict=True)
    ]
    tables = [table for table in fitted if table is not None]
    if len(tables) < len(fitted):
        return ReplayResult(False, ("The stored shift is shorter than one dose: no plan can come of it.",))
    again = draw_all(
        beat=plan.beat,
        pi=plan.pi,
        x_m=plan.x_m,
        y_m=plan.y_m,
        beat_id=plan.beat_id,
        tables=tables,
        policy=plan.policy,
        seed=plan.seed,
    )
    visits = np.array([table.visits for table in tables], dtype=np.int64)
    for name, stored, drawn_again in (
        ("draw", plan.drawn, again.drawn),
        ("start times", plan.visit_start_minutes, again.start),
        ("doses", plan.dose_minutes, again.dose),
        ("methods", plan.beat_method, again.method),
        ("visits per beat", plan.beat_visits, visits),
    ):
        if stored.tobytes() != drawn_again.tobytes():
            differences.append(f"The {name} stored are not those that seed {plan.seed} gives.")
    return ReplayResult(not differences, tuple(differences))


def _design_differences(plan: PlanDraw) -> list[str]:
    """Which beats' probabilities do not follow from the stored harm, doses and policy."""
    if plan.policy.problems():
        return ["The stored policy is not one that a plan can have."]
    if (np.diff(plan.beat_id) <= 0).any() or (np.diff(plan.beat) < 0).any() or (plan.beat_units < 1).any():
        return ["The stored beats are not in order, or one has no unit."]
    inputs = (plan.harm, plan.planned_minutes, plan.days_since_last, plan.x_m, plan.y_m, plan.pi)
    if any(np.isnan(column).any() for column in inputs):
        return ["A stored harm, dose, place or probability is not a number."]
    if not np.array_equal(np.unique(plan.beat), plan.beat_id):
        return ["The stored candidates and the stored beats do not belong together."]
    found: list[str] = []
    for beat, k in zip(plan.beat_id.tolist(), plan.beat_k.tolist(), strict=True):
        rows = slice(*np.searchsorted(plan.beat, [beat, beat + 1]).tolist())
        design = beat_design(
            beat=beat,
            k=k,
            harm=plan.harm[rows],
            suppressed=np.zeros(len(plan.harm[rows]), dtype=np.bool_),
            planned_minutes=plan.planned_minutes[rows],
            days_since_last=plan.days_since_last[rows],
            policy=plan.policy,
        )
        if isinstance(design, Infeasible):
            found.append(f"Beat {beat} cannot be planned from what is stored: {design.message}")
            continue
        if len(design.pi) != len(plan.pi[rows]) or not all(
            np.allclose(stored, worked_out, rtol=0.0, atol=1e-9)
            for stored, worked_out in (
                (plan.pi[rows], design.pi),
                (plan.cap[rows], design.cap),
                (plan.floor[rows], design.floor),
            )
        ):
            found.append(
                f"Beat {beat}: the stored probabilities do not follow from the stored harm and policy."
            )
    return found
