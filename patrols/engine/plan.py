"""Plan a shift: who could be visited with what chance, who is, when and for how long; and draw it again for an audit.

The only door to the patrol engine: ``plan_draw`` makes a plan, ``design_to_bytes`` / ``design_from_bytes`` keep it,
``replay`` proves that what is kept is what the seed gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from patrols.engine.codec import (
    DesignCodecError,
    design_digest,
    design_from_bytes,
    design_to_bytes,
)
from patrols.engine.design import (
    BeatDesign,
    Bools,
    DesignPolicy,
    Floats,
    Infeasible,
    Ints,
    PolicyError,
    beat_design,
    has_dose_room,
)
from patrols.engine.records import EXCLUSION_REASONS, METHODS, Codes, Notice, PlanDraw
from patrols.engine.sampling import draw
from patrols.engine.schedule import Timetable, dose_minutes, start_minutes, timetable

__all__ = [
    "DesignCodecError",
    "DesignPolicy",
    "Infeasible",
    "Notice",
    "PlanDraw",
    "PolicyError",
    "ReplayResult",
    "design_digest",
    "design_from_bytes",
    "design_to_bytes",
    "plan_draw",
    "replay",
]

_STREAM_DRAW, _STREAM_START, _STREAM_DOSE = 0, 1, 2
"""Second half of a stream's key; never renumber: stored plans would no longer re-draw."""


def plan_draw(
    *,
    harm: Floats,
    beat_of_cell: Ints,
    beat_k: Mapping[int, int],
    suppressed: Bools,
    planned_minutes: Floats,
    days_since_last: Floats,
    x_m: Floats,
    y_m: Floats,
    shift_minutes: int,
    policy: DesignPolicy,
    seed: int,
    beat_units: Mapping[int, int] | None = None,
) -> PlanDraw:
    """Plan one shift for all beats: probabilities for every candidate, the draw, start times and doses.

    Arrays have one element a grid cell, shape [N]. ``harm`` >= 0 in any unit; ``beat_of_cell`` is -1 outside all
    beats; ``suppressed`` cells were taken out before the draw; ``planned_minutes`` (never delivered ones) within
    ``policy.saturation_window_days``; ``days_since_last`` planned mission, infinity for never; ``x_m``, ``y_m`` cell
    centres in projected metres. ``beat_k``: cells to visit per beat, fixed before the draw; a beat with cells but no
    entry counts as K = 0. ``beat_units``: units on duty per beat, 1 where absent; they decide how many visits can
    overlap. ``shift_minutes`` is elapsed time (a 23-hour day is the caller's business).

    Equal arguments give equal plans, whatever the order of the mappings. Each beat has its own random stream, keyed
    by its id: changing one beat leaves the others' draws as they were.

    Beats that cannot be planned come back in ``infeasible``, each naming the setting and the next step. Raises
    ``PolicyError`` for a policy that cannot work, ``ValueError`` for arrays that do not fit together or hold NaN.
    """
    problems = policy.problems()
    if problems:
        raise PolicyError(problems)
    _check_arrays(harm, beat_of_cell, suppressed, planned_minutes, days_since_last, x_m, y_m)
    _check_numbers(beat_k, beat_units or {}, seed, shift_minutes)

    by_beat = np.argsort(beat_of_cell, kind="stable")
    sorted_beat = beat_of_cell[by_beat]
    beats = sorted({int(b) for b in np.unique(sorted_beat) if b >= 0} | {int(b) for b in beat_k})
    first = np.searchsorted(sorted_beat, beats, side="left")
    last = np.searchsorted(sorted_beat, beats, side="right")

    infeasible: list[Infeasible] = []
    notices: list[Notice] = []
    planned: list[tuple[BeatDesign, Timetable, int, Ints]] = []
    excluded: list[Ints] = []
    for beat, start, stop in zip(beats, first, last, strict=True):
        cells = by_beat[start:stop]
        k, units = int(beat_k.get(beat, 0)), int((beat_units or {}).get(beat, 1))
        design = beat_design(
            beat=beat,
            k=k,
            harm=harm[cells],
            suppressed=suppressed[cells],
            planned_minutes=planned_minutes[cells],
            days_since_last=days_since_last[cells],
            policy=policy,
        )
        if isinstance(design, Infeasible):
            infeasible.append(design)
            continue
        table = timetable(k=k, units=units, shift_minutes=shift_minutes, policy=policy)
        if table is None:
            infeasible.append(
                Infeasible(
                    beat,
                    "shift_too_short",
                    "dose_max_minutes",
                    f"Beat {beat}: the shift lasts {shift_minutes} minutes, less than one dose of "
                    f"{policy.dose_max_minutes}. Lower dose_max_minutes or lengthen the shift.",
                )
            )
            continue
        notices += _notices(beat, k, units, table, shift_minutes, policy)
        planned.append((design, table, units, cells[design.candidate]))
        excluded.append(cells[suppressed[cells] | ~has_dose_room(planned_minutes[cells], policy)])

    cell = np.concatenate([np.empty(0, np.int64), *(cells for *_, cells in planned)])
    out = np.sort(np.concatenate([np.empty(0, np.int64), *excluded]))
    reason = np.where(
        suppressed[out], EXCLUSION_REASONS.index("suppressed"), EXCLUSION_REASONS.index("at_dose_cap")
    )
    pi = np.concatenate([np.empty(0), *(d.pi for d, *_ in planned)])
    beat_id = np.array([d.beat for d, *_ in planned], dtype=np.int64)
    ks = np.array([d.k for d, *_ in planned], dtype=np.int64)
    units_of = np.array([units for _, _, units, _ in planned], dtype=np.int64)
    rows = np.cumsum([0, *(len(d.candidate) for d, *_ in planned)])
    beat_of_row = np.repeat(beat_id, np.diff(rows))
    drawn = _draw_all(
        beat=beat_of_row,
        pi=pi,
        x_m=x_m[cell],
        y_m=y_m[cell],
        beat_id=beat_id,
        tables=[table for _, table, *_ in planned],
        policy=policy,
        seed=seed,
    )
    return PlanDraw(
        cell=cell,
        beat=beat_of_row,
        harm=harm[cell],
        planned_minutes=planned_minutes[cell],
        days_since_last=days_since_last[cell],
        x_m=x_m[cell],
        y_m=y_m[cell],
        floor=np.concatenate([np.empty(0), *(d.floor for d, *_ in planned)]),
        cap=np.concatenate([np.empty(0), *(d.cap for d, *_ in planned)]),
        pi=pi,
        drawn=drawn.drawn,
        visit_start_minutes=drawn.start,
        dose_minutes=drawn.dose,
        beat_id=beat_id,
        beat_k=ks,
        beat_units=units_of,
        beat_visits=np.array([table.visits for _, table, *_ in planned], dtype=np.int64),
        beat_method=drawn.method,
        excluded_cell=out,
        excluded_reason=reason.astype(np.int8),
        shift_minutes=shift_minutes,
        seed=seed,
        policy=policy,
        infeasible=tuple(infeasible),
        notices=tuple(notices),
    )


@dataclass(frozen=True)
class _Drawn:
    drawn: Bools
    start: Floats
    dose: Floats
    method: Codes


def _draw_all(
    *,
    beat: Ints,
    pi: Floats,
    x_m: Floats,
    y_m: Floats,
    beat_id: Ints,
    tables: list[Timetable],
    policy: DesignPolicy,
    seed: int,
) -> _Drawn:
    """Everything that chance decides, from stored numbers and the seed alone: the part that a replay repeats.

    Candidates come sorted by beat. Nothing here may look at harm: a replay on another machine, where a power is
    rounded differently, must still give the same bits.
    """
    n = len(pi)
    drawn = np.zeros(n, dtype=np.bool_)
    start = np.full((n, policy.visits_per_cell), np.nan)
    dose = np.zeros(n)
    method = np.zeros(len(beat_id), dtype=np.int8)
    first = np.searchsorted(beat, beat_id, side="left")
    last = np.searchsorted(beat, beat_id, side="right")
    for b, (key, table, lo, hi) in enumerate(
        zip(beat_id.tolist(), tables, first.tolist(), last.tolist(), strict=True)
    ):
        rows = slice(lo, hi)
        drawn[rows], used = draw(
            pi[rows],
            x_m=x_m[rows],
            y_m=y_m[rows],
            rng=_stream(seed, key, _STREAM_DRAW),
            local_pivotal_share=policy.local_pivotal_share,
        )
        method[b] = METHODS.index(used)
        start[rows] = start_minutes(
            drawn=drawn[rows],
            table=table,
            visits_per_cell=policy.visits_per_cell,
            rng=_stream(seed, key, _STREAM_START),
        )
        dose[rows] = dose_minutes(n=hi - lo, policy=policy, rng=_stream(seed, key, _STREAM_DOSE))
    return _Drawn(drawn, start, dose, method)


def _stream(seed: int, beat: int, purpose: int) -> np.random.Generator:
    """The beat's own random numbers for one purpose, independent of which other beats are planned."""
    # PCG64 by name: default_rng may change its bit generator in a later NumPy.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(beat, purpose))))


@dataclass(frozen=True)
class ReplayResult:
    """Whether a stored plan is what its seed gives; ``differences`` says where not, in words."""

    identical: bool
    differences: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.identical


def replay(design: bytes | PlanDraw, seed: int | None = None, *, digest: str | None = None) -> ReplayResult:
    """Draw a stored plan again from its design and seed and compare every bit; damage is reported, not raised.

    ``seed`` and ``digest`` are those kept beside the plan (the mission plan's row); without them, only the design
    itself is checked, and a forger who changed a harm that moves no probability would not be noticed. Draws,
    start times, doses and methods are compared bit for bit. Probabilities are worked out again from harm, doses and
    policy and may differ by 1e-9 (processors round powers differently); floors and caps by as much.
    """
    try:
        plan = design_from_bytes(design) if isinstance(design, bytes) else design
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
    again = _draw_all(
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


def _notices(
    beat: int, k: int, units: int, table: Timetable, shift_minutes: int, policy: DesignPolicy
) -> list[Notice]:
    if table.is_tight:
        return [
            Notice(
                beat,
                "units_overlap",
                "capacity",
                f"Beat {beat}: {k} mission(s) for {units} unit(s) do not fit one after another into "
                f"{shift_minutes} minutes; they are spread evenly and overlap. Lower K or add a unit.",
            )
        ]
    if table.visits < policy.visits_per_cell:
        return [
            Notice(
                beat,
                "visits_reduced",
                "visits_per_cell",
                f"Beat {beat}: {table.visits} visit(s) per box instead of {policy.visits_per_cell}, so that {units} "
                f"unit(s) can do {k} mission(s) in {shift_minutes} minutes. Lower K, min_spacing_minutes or the "
                "dose, or add a unit, for more.",
            )
        ]
    return []


def _check_arrays(
    harm: Floats,
    beat_of_cell: Ints,
    suppressed: Bools,
    planned_minutes: Floats,
    days_since_last: Floats,
    x_m: Floats,
    y_m: Floats,
) -> None:
    n = len(harm)
    numbers = {"harm": harm, "planned_minutes": planned_minutes, "days_since_last": days_since_last}
    places = {"x_m": x_m, "y_m": y_m}
    others: dict[str, Floats | Ints | Bools] = {"beat_of_cell": beat_of_cell, "suppressed": suppressed}
    for name, column in {**numbers, **places, **others}.items():
        if column.shape != (n,):
            raise ValueError(
                f"{name} has shape {column.shape}, harm has ({n},): pass one element a grid cell."
            )
    if suppressed.dtype != np.bool_:
        # An integer array would be taken as positions, and cell 0 or 1 would be suppressed.
        raise ValueError("suppressed must hold booleans, one a grid cell.")
    for name, column in {**numbers, **places}.items():
        bad = np.isnan(column) if name == "days_since_last" else ~np.isfinite(column)
        if name in numbers:
            bad |= column < 0
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise ValueError(
                f"{name} is {column[at]} at cell index {at}; it must be a number, not negative. Check the forecast "
                "or selector that fills it."
            )


def _check_numbers(
    beat_k: Mapping[int, int], beat_units: Mapping[int, int], seed: int, shift_minutes: int
) -> None:
    if seed < 0:
        raise ValueError(f"seed is {seed}; pass 0 or more.")
    if shift_minutes != int(shift_minutes) or shift_minutes <= 0:
        raise ValueError(f"shift_minutes is {shift_minutes}; pass the shift's elapsed whole minutes.")
    for name, numbers, least in (("K", beat_k, 0), ("units", beat_units, 1)):
        for beat, number in numbers.items():
            if beat < 0:
                raise ValueError(f"Beat id {beat} is negative; -1 means outside all beats.")
            if number != int(number) or number < least:
                raise ValueError(f"{name} of beat {beat} is {number}; pass a whole number, {least} or more.")
