"""Plan a shift: who could be visited with what chance, who is, when and for how long; and draw it again for an audit.

The only door to the patrol engine: ``plan_draw`` makes a plan, ``design_to_bytes`` / ``design_from_bytes`` keep it,
``replay`` proves that what is kept is what the seed gives.
"""

from collections.abc import Mapping

import numpy as np

from patrols.engine.codec import (
    DesignCodecError,
    design_digest,
    design_from_bytes,
    design_part,
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
from patrols.engine.drawing import draw_all
from patrols.engine.records import EXCLUSION_REASONS, Notice, PlanDraw
from patrols.engine.replay import ReplayResult, replay
from patrols.engine.schedule import Timetable, timetable

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
    "design_part",
    "design_to_bytes",
    "plan_draw",
    "replay",
]


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
    added: Bools | None = None,
) -> PlanDraw:
    """Plan one shift for all beats: probabilities for every candidate, the draw, start times and doses.

    Arrays have one element a grid cell, shape [N]. ``harm`` >= 0 in any unit; ``beat_of_cell`` is -1 outside all
    beats; ``suppressed`` cells were taken out before the draw, ``added`` ones (none by default) are visited whatever is
    drawn and so are no candidates either; ``planned_minutes`` (never delivered ones) within
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
    if added is not None and (added.shape != harm.shape or added.dtype != np.bool_):
        raise ValueError("added must hold booleans, one a grid cell.")
    _check_numbers(beat_k, beat_units or {}, seed, shift_minutes)

    out = suppressed if added is None else suppressed | added
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
            suppressed=out[cells],
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
        excluded.append(cells[out[cells] | ~has_dose_room(planned_minutes[cells], policy)])

    cell = np.concatenate([np.empty(0, np.int64), *(cells for *_, cells in planned)])
    left_out = np.sort(np.concatenate([np.empty(0, np.int64), *excluded]))
    reason = np.where(out[left_out], EXCLUSION_REASONS.index("added"), EXCLUSION_REASONS.index("at_dose_cap"))
    reason[suppressed[left_out]] = EXCLUSION_REASONS.index("suppressed")
    pi = np.concatenate([np.empty(0), *(d.pi for d, *_ in planned)])
    beat_id = np.array([d.beat for d, *_ in planned], dtype=np.int64)
    ks = np.array([d.k for d, *_ in planned], dtype=np.int64)
    units_of = np.array([units for _, _, units, _ in planned], dtype=np.int64)
    rows = np.cumsum([0, *(len(d.candidate) for d, *_ in planned)])
    beat_of_row = np.repeat(beat_id, np.diff(rows))
    drawn = draw_all(
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
        excluded_cell=left_out,
        excluded_reason=reason.astype(np.int8),
        shift_minutes=shift_minutes,
        seed=seed,
        policy=policy,
        infeasible=tuple(infeasible),
        notices=tuple(notices),
    )


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
