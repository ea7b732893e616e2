"""What a study would be able to show, before anybody starts: in the boxes themselves, and for the plan as a whole.

The contrast in visited boxes comes from ``tactics.engine.impact.design_experiment``. The *net* effect (boxes less what appears
around them) is what a council asks for, and it takes many more shifts: the eight boxes around hold eight times the crime of one.
Its error is worked out here by planning the agency's past again.

Notes
-----
At no effect, the estimate of ``tactics.engine.impact.displacement`` is a sum over crimes: one in cell c moves it by a linear
combination of its own coefficient a = (Z - pi) / (1 - pi) and of the sum of those around. Crimes vary as Poisson numbers
(times ``overdispersion``), so the variance is the sum of expected crimes times those squares. The exposure
correction for neighbours' missions enters by its 2 x 2 matrix. Held against planted histories in the tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from forecasting.engine.grid import GridSpec
from missions_project.lib.progress import Progress, no_progress
from patrols.engine.design import DesignPolicy
from patrols.engine.schedule import start_minutes, timetable
from tactics.engine.impact import DesignOption, PlanHistory, design_experiment
from tactics.engine.impact.outcomes import neighbours_of
from tactics.engine.impact.power import EFFECTS
from tactics.engine.impact.replays import replayed
from tactics.engine.impact.study import Floats, Ints

OVERLAP = 0.85
"""Share of another mission's window that overlaps a box's own, on average, where starts are drawn over the shift."""
DRAWS = 4
"""Times that the stretch is drawn again: the neighbours' missions enter by their mean."""


@dataclass(frozen=True)
class NetPrecision:
    """How precisely a study sees the net effect. ``expected`` crimes in visited boxes and the sums over the stretch from
    which its error follows; all of them grow in proportion to the study's length."""

    expected: float
    own_variance: float
    cross_variance: float
    ring_variance: float
    spill: float
    own: float
    further: float
    overdispersion: float = 1.0

    def times(self, factor: float) -> "NetPrecision":
        """The same for a study ``factor`` times as long."""
        grown = {name: getattr(self, name) * factor for name in _GROWING}
        return replace(self, **grown)

    @property
    def standard_error(self) -> float:
        """Standard error of the net effect; infinity where no crime is expected."""
        matrix = np.array([[self.expected, self.spill], [self.own, self.expected + self.further]])
        if self.expected <= 0 or abs(np.linalg.det(matrix)) < 1e-12 * self.expected**2:
            return np.inf
        # The net effect is 1 - ratio less what moved: minus the sum of both solutions.
        row = np.linalg.solve(matrix.T, np.ones(2))
        variance = (
            row[0] ** 2 * self.own_variance
            + 2.0 * row[0] * row[1] * self.cross_variance
            + row[1] ** 2 * self.ring_variance
        )
        return float(np.sqrt(max(self.overdispersion * variance, 0.0)))

    def power(self, effect: float, alpha: float = 0.05) -> float:
        """The chance that the interval of the net effect leaves out zero, if the plan prevents this share net."""
        error = self.standard_error
        if not np.isfinite(error) or error <= 0:
            return alpha
        shift, limit = abs(effect) / error, special.ndtri(1.0 - alpha / 2.0)
        return float(special.ndtr(shift - limit) + special.ndtr(-limit - shift))

    def detectable(self, power: float = 0.8, alpha: float = 0.05) -> float:
        """The smallest net effect that is shown with this power; at most 1."""
        need = special.ndtri(1.0 - alpha / 2.0) + special.ndtri(power)
        return float(min(need * self.standard_error, 1.0))


_GROWING = ("expected", "own_variance", "cross_variance", "ring_variance", "spill", "own", "further")


@dataclass(frozen=True)
class ExperimentOption:
    """One way to run an experiment: what it would show of the contrast in the boxes, and of the net effect.

    ``net_curve`` maps a net effect of carried-out missions to its chance of being shown.
    """

    contrast: DesignOption
    net_detectable: float
    net_curve: tuple[tuple[float, float], ...]


def first_start_share(
    policy: DesignPolicy, *, k: int, shift_minutes: int, rng: np.random.Generator, draws: int = 200
) -> float:
    """The share of a shift that is over when a box's drawn first visit starts, on average (0..1), for one unit a beat.

    0 where not even one visit fits: then nothing is planned either.
    """
    table = timetable(k=k, units=1, shift_minutes=shift_minutes, policy=policy)
    if table is None:
        return 0.0
    drawn = np.arange(4 * k) < k
    firsts = [
        start_minutes(drawn=drawn, table=table, visits_per_cell=policy.visits_per_cell, rng=rng)[:, 0].mean()
        for _ in range(draws)
    ]
    return float(np.mean(firsts)) / shift_minutes


def net_precisions(
    history: PlanHistory,
    grid: GridSpec,
    crime: Mapping[str, Floats],
    pools: tuple[tuple[str, ...], ...],
    *,
    window_share: float,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> dict[tuple[str, ...], NetPrecision]:
    """Plan the stretch again and add up, for each pool of crime types, what decides the net effect's error.

    ``crime`` float64[S, N] by type. Crimes in cells outside all beats count where they lie around a box.
    """
    ring = neighbours_of(grid)
    size = np.maximum((ring >= 0).sum(axis=1), 1)
    padded = np.where(ring >= 0, ring, len(grid))
    totals = {pool: np.zeros(len(_GROWING)) for pool in pools}
    valid, cell = history.layout.valid, history.layout.cell

    def around(values: Floats) -> Floats:
        """The sum over the boxes around each: [R, N]."""
        wide = np.concatenate([values, np.zeros((len(values), 1))], axis=1)
        summed: Floats = sum((wide[:, padded[:, at]] for at in range(padded.shape[1])), np.zeros_like(values))
        return summed

    for s, pi_here, drawn_here in replayed(history, draws, rng):
        pi, drawn = np.zeros((draws, len(grid))), np.zeros((draws, len(grid)))
        pi[:, cell[valid]], drawn[:, cell[valid]] = pi_here[:, valid], drawn_here[:, valid]
        a = np.where(pi > 0, (drawn - pi) / (1.0 - pi), 0.0)
        a_ring = around(a)
        for pool in pools:
            m = sum((crime[name][s] for name in pool), np.zeros(len(grid))) * window_share
            sent = drawn * m * OVERLAP
            spilt = around(sent / size)
            parts = (
                pi * m,
                m * a * a,
                m * a * a_ring,
                m * a_ring * a_ring,
                a * spilt,
                a * around(sent),
                a * (around(spilt) - sent),
            )
            totals[pool] += [float(part.sum()) / draws for part in parts]
    return {pool: NetPrecision(*total.tolist()) for pool, total in totals.items()}


def experiment(
    history: PlanHistory,
    grid: GridSpec,
    *,
    crime: dict[str, Floats],
    ks: tuple[int, ...],
    days: tuple[int, ...],
    pools: tuple[tuple[str, ...], ...],
    doses: tuple[tuple[int, int], ...],
    shift_minutes: int,
    compliance: float = 1.0,
    overdispersion: float = 1.0,
    rng: np.random.Generator,
    progress: Progress = no_progress,
) -> tuple[ExperimentOption, ...]:
    """Every combination of boxes per beat, length, pools and doses, from the agency's own history; contrast and net.

    ``compliance``: share of missions carried out (0..1, not 0). Doses that the policy cannot have are left out.
    """
    found: list[ExperimentOption] = []
    span_days = _span_days(history.day)
    steps, done = len(ks) * len(doses), 0
    for k in ks:
        for low, high in doses:
            progress(done, steps, f"Planning the past again with {k} per beat, {low} to {high} minutes")
            done += 1
            policy = replace(history.policy, dose_min_minutes=low, dose_max_minutes=high)
            if policy.problems():
                continue
            share = 1.0 - first_start_share(policy, k=k, shift_minutes=shift_minutes, rng=rng)
            options = design_experiment(
                history, crime=crime, ks=(k,), days=days, pools=pools, doses=((low, high),), window_share=share,
                compliance=compliance, overdispersion=overdispersion, rng=rng,
            )  # fmt: skip
            planned = replace(history, policy=policy, k=np.where(history.k > 0, k, 0))
            net = net_precisions(planned, grid, crime, pools, window_share=share, rng=rng)
            for option in options:
                precision = replace(net[option.types], overdispersion=overdispersion).times(
                    option.days / span_days
                )
                found.append(
                    ExperimentOption(
                        option,
                        min(precision.detectable() / compliance, 1.0),
                        tuple((effect, precision.power(effect * compliance)) for effect in EFFECTS),
                    )
                )
    progress(steps, steps, "Done")
    return tuple(found)


def _span_days(day: Floats) -> float:
    """How long the stretch is, as ``design_experiment`` counts it: to the end of its last shift's turn."""
    usual = float(np.median(np.diff(day))) if len(day) > 1 else 1.0
    return float(day[-1] - day[0]) + usual


def counted(*, shift_of: Ints, cell: Ints, weight: Floats | None = None, shifts: int, cells: int) -> Floats:
    """Crimes by shift and cell, float32[S, N]; those outside all shifts or cells (-1) are ignored."""
    inside = (shift_of >= 0) & (cell >= 0)
    flat = shift_of[inside] * cells + cell[inside]
    made = np.bincount(flat, None if weight is None else weight[inside], minlength=shifts * cells)
    laid: Floats = made.reshape(shifts, cells).astype(np.float32)
    return laid


def plain_counts(counts: Floats, ring: Ints, share_around: float = 0.3) -> Floats:
    """What a plain count says of each cell: its own crimes and a part of those around, never quite zero. float64[N].

    ``counts`` [N] crimes of a year; ``ring`` int64[N, 8], -1 where there is none. A city without any crime is even.
    """
    wide = np.append(counts, 0.0)
    near = wide[np.where(ring >= 0, ring, len(counts))].sum(axis=1) / np.maximum((ring >= 0).sum(axis=1), 1)
    prior = max(float(counts.sum()) / max(len(counts), 1), 1e-9) * 0.1
    smoothed: Floats = counts + share_around * near + prior
    return smoothed
