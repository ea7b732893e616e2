"""Made-up histories with planted truth: shift after shift of forecasts, draws, crimes and patrols, many cities at once.

A crime that missions prevent is one that would have happened: each history draws its crimes first and then takes out
those in visited boxes, moving some next door. Forecasts learn from what is left, and planned minutes lower tomorrow's
probabilities, as in the product; so every draw depends on all that went before.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tactics.engine.impact.batch import batch_draw, batch_probabilities
from tactics.engine.impact.outcomes import Reach, other_missions, window_counts
from tactics.engine.impact.study import Bools, Floats, Ints, Study
from tactics.engine.impact.worlds import SHIFT_MINUTES, SHIFTS_A_DAY, SHIFTS_A_WEEK, Scenario, World

MEMORY_DAYS, PRIOR_EVENTS = 14.0, 1.0
LATEST_START = 240


@dataclass(frozen=True)
class Planted:
    """One history: the study as an analyst sees it, and beside it what only the maker knows. Columns [n], a row each.

    ``crime``: crimes expected in the row's window without its own mission carried out; ``mean``: expected given all that
    was done (``ring_mean`` the same of the ring, ``ring_crime`` the ring's without missions); ``own_drawn``, ``own_left``: crimes that are prevented in the box on average if it is drawn or not;
    ``added_spill``: what visits that nobody drew are expected to move here; ``delivered`` whether a car came;
    ``dropped`` drawn, but dropped late because it looked quiet. ``harm`` [S, N] and ``plan_k`` [S, B] re-draw the plans.
    ``usual`` the share of a usual week's crime of the cell that falls into the row's window.
    """

    study: Study
    crime: Floats
    mean: Floats
    ring_crime: Floats
    ring_mean: Floats
    own_drawn: Floats
    own_left: Floats
    added_spill: Floats
    delivered: Bools
    dropped: Bools
    usual: Floats
    harm: Floats


def planted_histories(
    world: World, scenario: Scenario, *, repetitions: int, rng: np.random.Generator, at_once: int = 20
) -> Iterator[Planted]:
    """Make histories one after another (worked out ``at_once`` at a time); the same generator state gives the same ones."""
    left = repetitions
    while left > 0:
        size = min(at_once, left)
        yield from _batch(world, scenario, size, rng)
        left -= size


class _State:
    """What a batch of cities carries from shift to shift. Arrays [R, N] by grid cell."""

    def __init__(self, world: World, size: int, scenario: Scenario, rng: np.random.Generator) -> None:
        n = len(world.grid)
        self.base = world.rates.mean(axis=0)
        self.error = np.exp(scenario.forecast_error * rng.standard_normal((size, n)))
        self.recent = rng.poisson(
            np.broadcast_to(self.base * (MEMORY_DAYS * SHIFTS_A_DAY / 2), (size, n))
        ) / (MEMORY_DAYS * SHIFTS_A_DAY / 2)
        self.minutes = np.zeros((SHIFTS_A_WEEK, size, n), dtype=np.float32)
        self.last = np.full((size, n), -np.inf)
        self.counts = rng.poisson(np.broadcast_to(world.rates[:, None, :], (SHIFTS_A_WEEK, size, n))).astype(
            np.int16
        )

    def forecast(self, rates: Floats, learning: float) -> Floats:
        """Crimes expected in the shift, as the agency's model would say: right on average, wrong in places."""
        prior = PRIOR_EVENTS / (MEMORY_DAYS * SHIFTS_A_DAY)
        lately = (self.recent + prior) / (self.base + prior)
        shown: Floats = rates * self.error * (1.0 - learning + learning * lately)
        return shown

    def learn(self, counts: Ints, shift: int) -> None:
        """Take in what was reported."""
        keep = 0.5 ** (2.0 / (MEMORY_DAYS * SHIFTS_A_DAY))
        self.recent = keep * self.recent + (1.0 - keep) * counts
        self.counts[shift % SHIFTS_A_WEEK] = counts


def _batch(world: World, scenario: Scenario, size: int, rng: np.random.Generator) -> Iterator[Planted]:
    layout, policy, n = world.layout, world.policy, len(world.grid)
    beats, width = layout.cell.shape
    slots = layout.cell.ravel()
    valid = np.broadcast_to(layout.valid, (size, beats, width)).reshape(size * beats, width)
    beat_of_group = np.tile(np.arange(beats), size)
    k = np.minimum(world.k, layout.valid.sum(axis=1) // 3)
    state = _State(world, size, scenario, rng)
    names = ("pi", "drawn", "start", "dose", "forecast", "ring", "crime", "delivered", "dropped", "high", "busy",
             "week", "around")  # fmt: skip
    kept: dict[str, list[np.ndarray]] = {name: [] for name in names}
    events: list[tuple[Ints, Ints, Floats]] = []
    harm = np.zeros((scenario.shifts, size, n), dtype=np.float32)
    ring = np.where(world.ring >= 0, world.ring, n)
    for shift in range(scenario.shifts):
        rates = world.rates[shift % SHIFTS_A_WEEK]
        shown = state.forecast(rates, scenario.learning).astype(np.float32).astype(np.float64)
        harm[shift] = shown
        planned = state.minutes.sum(axis=0, dtype=np.float64)
        day = shift / SHIFTS_A_DAY
        pi = batch_probabilities(
            harm=shown[:, slots].reshape(valid.shape),
            allowed=valid,
            planned_minutes=planned[:, slots].reshape(valid.shape),
            days_since_last=np.maximum(day - state.last, 0.0)[:, slots].reshape(valid.shape),
            k=np.tile(k, size),
            policy=policy,
        )
        drawn = batch_draw(
            pi, tier=layout.tier, beat=beat_of_group, rng=rng, local_pivotal_share=policy.local_pivotal_share
        )
        dose = policy.dose_min_minutes + np.floor(
            rng.random(pi.shape) * (policy.dose_max_minutes - policy.dose_min_minutes + 1)
        )
        start = np.floor(rng.random(pi.shape) * LATEST_START)
        busy = rng.random((size, n)) < 0.5
        truth = rates * np.where(busy, 1.0 + scenario.surprise, 1.0 - scenario.surprise)
        high = pi > np.quantile(pi, 0.9, axis=1, keepdims=True)
        looks = busy[:, slots].reshape(valid.shape)
        dropped = drawn & ~looks & (rng.random(pi.shape) < scenario.dropped_quiet)
        delivered = drawn & ~dropped & (rng.random(pi.shape) < scenario.complied)
        delivered |= valid & ~drawn & (pi > 0) & high & looks & (rng.random(pi.shape) < scenario.added_busy)
        counts = rng.poisson(truth)
        at, cell = np.nonzero(counts)
        times = counts[at, cell]
        at, cell = np.repeat(at, times), np.repeat(cell, times)
        minute = rng.random(len(at)) * SHIFT_MINUTES
        from_minute = np.full((size, n + 1), np.inf)
        visited = np.where(delivered, start, np.inf).reshape(size, -1)
        from_minute[:, slots[slots >= 0]] = visited[:, slots >= 0]
        gone = (minute >= from_minute[at, cell]) & (rng.random(len(at)) < scenario.prevented)
        moves = gone & (rng.random(len(at)) < scenario.displaced)
        room = (world.ring[cell] >= 0).sum(axis=1)
        pick = np.floor(rng.random(len(at)) * np.maximum(room, 1)).astype(np.int64)
        order = np.sort(ring[cell], axis=1)
        target = order[np.arange(len(at)), pick]
        cell = np.where(moves, target, cell)
        stays = (~gone | moves) & (cell < n)
        at, cell, minute = at[stays], cell[stays], minute[stays]
        events.append((at * scenario.shifts + shift, cell, minute))
        week = state.counts.sum(axis=0, dtype=np.int64)
        state.learn(np.bincount(at * n + cell, minlength=size * n).reshape(size, n), shift)
        flat = drawn.reshape(size, -1)[:, slots >= 0]
        used = np.zeros((size, n), dtype=np.float32)
        used[:, slots[slots >= 0]] = flat * dose.reshape(size, -1)[:, slots >= 0] * policy.visits_per_cell
        state.minutes[shift % SHIFTS_A_WEEK] = used
        # Rest counts from the end of the shift, as in the product.
        state.last[used > 0] = day + 1.0 / SHIFTS_A_DAY
        around = [
            np.append(one, np.zeros((size, 1)), axis=1)[:, ring[slots]].sum(axis=2) for one in (shown, truth)
        ]
        here = {
            "pi": pi, "drawn": drawn, "start": start, "dose": dose, "delivered": delivered, "dropped": dropped,
            "high": high, "busy": looks, "forecast": shown[:, slots], "crime": np.broadcast_to(rates, (size, n))[:, slots],
            "ring": around[0], "around": around[1], "week": week[:, slots],
        }  # fmt: skip
        for name, value in here.items():
            kept[name].append(np.asarray(value).reshape(size, -1))
    yield from _planted(
        world, scenario, size, {name: np.stack(parts, 1) for name, parts in kept.items()}, events, harm
    )


def _planted(
    world: World,
    scenario: Scenario,
    size: int,
    kept: dict[str, np.ndarray],
    events: list[tuple[Ints, Ints, Floats]],
    harm: np.ndarray,
) -> Iterator[Planted]:
    """Turn what the loop kept [R, S, B x C] into one table for all cities, and cut it by city."""
    slots, shifts, n_cells = world.layout.cell.ravel(), scenario.shifts, len(world.grid)
    where = np.flatnonzero((kept["pi"] > 0).ravel())
    group, slot = np.divmod(where, len(slots))
    cell = slots[slot]
    rows = {name: value.ravel()[where] for name, value in kept.items()}
    start = rows["start"]
    minutes = SHIFT_MINUTES - start
    share = minutes / SHIFT_MINUTES
    lookup = np.full((size * shifts, n_cells), -1, dtype=np.int32)
    lookup[group, cell] = np.arange(len(where), dtype=np.int32)
    shift, place, minute = (np.concatenate([part[at] for part in events]) for at in range(3))
    counted = {
        "outcome": window_counts(
            lookup=lookup, opens_at=start, closes_at=start + minutes, shift=shift, cell=place, at_minute=minute
        ),
        "ring_outcome": window_counts(
            lookup=lookup, opens_at=start, closes_at=start + minutes, shift=shift, cell=place, at_minute=minute,
            ring=world.ring,
        ),
        "before": window_counts(
            lookup=lookup, opens_at=np.zeros_like(start), closes_at=start, shift=shift, cell=place, at_minute=minute
        ),
        "ring_before": window_counts(
            lookup=lookup, opens_at=np.zeros_like(start), closes_at=start, shift=shift, cell=place, at_minute=minute,
            ring=world.ring,
        ),
    }  # fmt: skip
    forecast = rows["forecast"] * share

    def reached(sent: Bools, amount: Floats, reach: Reach = world.reach) -> tuple[Floats, Floats, Floats]:
        return other_missions(
            lookup=lookup,
            shift=group,
            cell=cell,
            drawn=sent,
            start_minutes=start,
            window_minutes=minutes,
            forecast=amount,
            reach=reach,
        )

    spill_in, ring_drawn, ring_spill_in = reached(rows["drawn"], forecast)
    factor = np.where(rows["busy"], 1.0 + scenario.surprise, 1.0 - scenario.surprise)
    true_crime = rows["crime"] * share
    moved = scenario.prevented * scenario.displaced
    arrived, ring_missions, ring_arrived = reached(rows["delivered"], true_crime * factor)
    gone = scenario.prevented * rows["delivered"] * true_crime * factor
    mean = true_crime * factor - gone + moved * arrived
    ring_crime = rows["around"] * share
    # Half of what the box's own mission prevents lands in its ring, and so does what others' missions move there.
    has_ring = world.ring[cell].max(axis=1) >= 0
    ring_mean = ring_crime - scenario.prevented * ring_missions + moved * ring_arrived
    ring_mean += scenario.displaced * gone * has_ring
    # On average over what the forecast does not know: half of the boxes are busy, half quiet.
    busy, quiet = 0.5 * (1.0 + scenario.surprise), 0.5 * (1.0 - scenario.surprise)
    own_drawn = (
        scenario.prevented * scenario.complied * true_crime * (busy + quiet * (1.0 - scenario.dropped_quiet))
    )
    added = scenario.added_busy * busy * rows["high"] * true_crime
    added_spill = moved * reached(rows["high"].astype(bool), added * (1.0 - rows["pi"]), world.next_door)[0]
    usual = rows["crime"] * share / np.maximum(world.rates.sum(axis=0)[cell], 1e-12)
    stops = np.searchsorted(group, np.arange(size + 1) * shifts)
    for r in range(size):
        of = slice(int(stops[r]), int(stops[r + 1]))
        beat = world.beat_of_cell[cell[of]]
        when = group[of] - r * shifts
        first = np.flatnonzero(np.append(True, (np.diff(when) != 0) | (np.diff(beat) != 0)))
        study = Study(
            cell=cell[of],
            pi=rows["pi"][of],
            drawn=rows["drawn"][of].astype(bool),
            start_minutes=start[of],
            window_minutes=minutes[of],
            forecast=forecast[of],
            ring_forecast=(rows["ring"] * share)[of],
            outcome=counted["outcome"][of],
            ring_outcome=counted["ring_outcome"][of],
            before=counted["before"][of],
            ring_before=counted["ring_before"][of],
            week_before=rows["week"][of],
            spill_in=spill_in[of],
            ring_drawn=ring_drawn[of],
            ring_spill_in=ring_spill_in[of],
            dose_minutes=rows["dose"][of],
            plan_start=first,
            plan_shift=when[first],
            plan_beat=beat[first],
            plan_week=when[first] // SHIFTS_A_WEEK,
            plan_district=beat[first] % 4,
            delivered_minutes=np.where(
                rows["delivered"][of], rows["dose"][of] * world.policy.visits_per_cell, 0.0
            ),
        )
        yield Planted(
            study=study,
            crime=true_crime[of],
            mean=mean[of],
            ring_crime=ring_crime[of],
            ring_mean=ring_mean[of],
            own_drawn=own_drawn[of],
            own_left=(scenario.prevented * added)[of],
            added_spill=added_spill[of],
            delivered=rows["delivered"][of].astype(bool),
            dropped=rows["dropped"][of].astype(bool),
            usual=usual[of],
            harm=harm[:, r],
        )
