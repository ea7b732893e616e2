"""Choosing among many yes-or-no facts about cells: an elastic net first, then steps by BIC, both with Poisson counts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TINY = 1e-12
_RIDGE = 1e-3
_LARGEST = 30.0


@dataclass(frozen=True)
class Table:
    """Cells with their facts: ``forms`` [n, F] yes or no, ``events`` [n] weighted counts, ``exposure`` [n] > 0."""

    forms: npt.NDArray[np.bool_]
    events: Floats
    exposure: Floats


def penalised_screen(table: Table, l1_ratio: float, n_penalties: int) -> Ints:
    """Say which forms an elastic-net Poisson regression keeps: ascending column numbers.

    Columns are standardised. From the penalty that keeps none, down to a thousandth of it, the one with the lowest
    AIC is taken. Coordinate descent on the weighted normal equations of the columns that are or want to be in.
    """
    share = table.exposure / table.exposure.sum()
    wide = table.forms.astype(np.float64)
    mean = share @ wide
    wide -= mean
    wide /= np.sqrt(np.maximum(mean * (1.0 - mean), _TINY))
    rate = table.events / table.exposure
    # Relative to the mean rate, penalties mean the same for rare and frequent crimes.
    target = rate / (share @ rate)
    beta, intercept = np.zeros(wide.shape[1]), 0.0
    gradient = (share * (target - 1.0)) @ wide
    top = float(np.abs(gradient).max()) / l1_ratio
    best, kept = np.inf, np.zeros(0, dtype=np.int64)
    total = float(table.events.sum())
    for penalty in top * np.geomspace(1.0, 1e-3, max(n_penalties, 2)):
        l1, l2 = penalty * l1_ratio, penalty * (1.0 - l1_ratio)
        intercept, log_rate = _descend(wide, share, target, beta, intercept, l1, l2)
        likelihood = total * float(share @ (target * log_rate - np.exp(log_rate)))
        criterion = 2.0 * np.count_nonzero(beta) - 2.0 * likelihood
        if criterion < best - 1e-9:
            best, kept = criterion, np.flatnonzero(beta)
    return kept


def _descend(
    wide: Floats, share: Floats, target: Floats, beta: Floats, intercept: float, l1: float, l2: float
) -> tuple[float, Floats]:
    """Minimise the penalised Poisson loss at one penalty; changes ``beta`` in place, gives intercept and log rates."""
    log_rate = np.clip(intercept + wide @ beta, -_LARGEST, _LARGEST)
    for _ in range(8):
        rate = np.exp(log_rate)
        weight = share * rate
        residual = share * (target - rate)
        gradient = residual @ wide
        active = np.flatnonzero((beta != 0) | (np.abs(gradient) > l1))
        if len(active) == 0:
            break
        columns = np.hstack([np.ones((len(wide), 1)), wide[:, active]])
        curvature = (columns * weight[:, None]).T @ columns
        now = np.append(intercept, beta[active])
        pull = np.append(residual.sum(), gradient[active]) + curvature @ now
        new = _coordinates(curvature, pull, now, l1, l2)
        beta[active], intercept = new[1:], float(new[0])
        log_rate = np.clip(intercept + wide @ beta, -_LARGEST, _LARGEST)
        if np.abs(new - now).max() < 1e-4:
            break
    return intercept, log_rate


def _coordinates(curvature: Floats, pull: Floats, start: Floats, l1: float, l2: float) -> Floats:
    """Minimise half b'Hb - pull'b + l1 |b| + half l2 b'b, the first coordinate unpenalised."""
    b = start.copy()
    fitted = curvature @ b
    for _ in range(100):
        largest = 0.0
        for j in range(len(b)):
            own = curvature[j, j]
            if own <= _TINY:
                continue
            free = pull[j] - fitted[j] + own * b[j]
            new = free / own if j == 0 else np.sign(free) * max(abs(free) - l1, 0.0) / (own + l2)
            if new != b[j]:
                fitted += curvature[:, j] * (new - b[j])
                largest = max(largest, abs(new - b[j]))
                b[j] = new
        if largest < 1e-5:
            break
    return b


def stepwise_bic(table: Table, candidates: Ints, groups: Ints, most: int) -> tuple[list[int], Floats]:
    """Add and drop forms, one at a time, as long as the BIC falls: (chosen forms, [intercept, their log risks]).

    Starts from the null model. ``groups`` [F] numbers the factor of each form; adding a form puts out another one
    of its factor. Of equally good steps the first counts. Cells alike in all chosen forms are added up before each
    fit, which loses nothing and makes a fit cost patterns instead of cells.
    """
    chosen: list[int] = []
    penalty = float(np.log(max(table.exposure.sum(), 2.0)))
    code = np.zeros(len(table.events), dtype=np.int64)
    best, coefficients = _fit(*_patterns(table, code, None, chosen))
    best = -2.0 * best + penalty
    for _ in range(4 * most + 4):
        code = _pattern_code(table, chosen)
        trials = [[form for form in chosen if form != out] for out in chosen]
        for form in candidates:
            rest = [other for other in chosen if groups[other] != groups[form]]
            if form not in chosen and len(rest) < most:
                trials.append([*rest, int(form)])
        step: tuple[float, list[int], Floats] | None = None
        for trial in trials:
            extra = trial[-1] if trial and trial[-1] not in chosen else None
            likelihood, found = _fit(*_patterns(table, code, extra, trial))
            criterion = -2.0 * likelihood + penalty * (1 + len(trial))
            if criterion < (best if step is None else step[0]) - 1e-6:
                step = criterion, trial, found
        if step is None:
            break
        best, chosen, coefficients = step
    return chosen, coefficients


def _pattern_code(table: Table, chosen: list[int]) -> Ints:
    """A number for each cell, equal for cells alike in the chosen forms."""
    code = np.zeros(len(table.events), dtype=np.int64)
    for form in chosen:
        code = 2 * code + table.forms[:, form]
    return np.unique(code, return_inverse=True)[1].astype(np.int64)


def _patterns(table: Table, code: Ints, extra: int | None, trial: list[int]) -> tuple[Floats, Floats, Floats]:
    """Cells added up by pattern: (design with intercept [g, 1 + trial], events [g], exposure [g])."""
    both = code if extra is None else 2 * code + table.forms[:, extra]
    size = int(both.max()) + 1
    exposure = np.bincount(both, table.exposure, minlength=size)
    events = np.bincount(both, table.events, minlength=size)
    one_of = np.zeros(size, dtype=np.int64)
    one_of[both] = np.arange(len(both))
    there = np.flatnonzero(exposure > 0)
    design = np.ones((len(there), 1 + len(trial)))
    design[:, 1:] = table.forms[one_of[there]][:, trial]
    return design, events[there], exposure[there]


def _fit(design: Floats, events: Floats, exposure: Floats) -> tuple[float, Floats]:
    """Poisson regression by Newton's method: (log-likelihood, coefficients).

    A ridge of a thousandth of an incident keeps a form without any incident from running to minus infinity.
    """
    beta = np.zeros(design.shape[1])
    beta[0] = np.log(max(float(events.sum()), _TINY) / float(exposure.sum()))
    ridge = np.full(len(beta), _RIDGE)
    ridge[0] = 0.0

    def value(at: Floats) -> float:
        log_rate = np.clip(design @ at, -50.0, 50.0)
        return float(events @ log_rate - exposure @ np.exp(log_rate) - 0.5 * ridge @ at**2)

    now = value(beta)
    for _ in range(40):
        expected = exposure * np.exp(np.clip(design @ beta, -50.0, 50.0))
        slope = (events - expected) @ design - ridge * beta
        curvature = (design * expected[:, None]).T @ design + np.diag(ridge + 1e-9)
        step = np.linalg.solve(curvature, slope)
        scale, new = 1.0, value(beta + step)
        # A full step can overshoot where few incidents lie: halve it until it helps.
        while new < now and scale > 1e-4:
            scale *= 0.5
            new = value(beta + scale * step)
        if new <= now + 1e-9 * max(abs(now), 1.0) * 1e-3:
            beta = beta + scale * step if new > now else beta
            now = max(new, now)
            break
        beta, now = beta + scale * step, new
    return now, beta
