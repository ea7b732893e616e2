"""Choosing among many yes-or-no facts about cells: an elastic net first, then steps by BIC, both with Poisson counts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import enet_path

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TINY = 1e-12
_RIDGE = 1e-3
_LARGEST = 30.0
_PATIENCE = 4
_SHORT_STEP = 0.05


@dataclass(frozen=True)
class Table:
    """Cells with their facts: ``forms`` [n, F] yes or no, ``events`` [n] weighted counts, ``exposure`` [n] > 0."""

    forms: npt.NDArray[np.bool_]
    events: Floats
    exposure: Floats


def penalised_screen(table: Table, l1_ratio: float, n_penalties: int) -> Ints:
    """Say which forms an elastic-net Poisson regression keeps: ascending column numbers.

    Columns are standardised. From the penalty that keeps none, down to a thousandth of it, the one with the lowest
    AIC is taken; the path ends where it has not fallen for a while. Coordinate descent on the weighted normal equations of the columns that are or want to be in.
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
    best, kept, since = np.inf, np.zeros(0, dtype=np.int64), 0
    total = float(table.events.sum())
    for penalty in top * np.geomspace(1.0, 1e-3, max(n_penalties, 2)):
        l1, l2 = penalty * l1_ratio, penalty * (1.0 - l1_ratio)
        intercept, log_rate = elastic_net_descend(wide, share, target, beta, intercept, l1, l2)
        likelihood = total * float(share @ (target * log_rate - np.exp(log_rate)))
        criterion = 2.0 * np.count_nonzero(beta) - 2.0 * likelihood
        if criterion < best - 1e-9:
            best, kept, since = criterion, np.flatnonzero(beta), 0
        else:
            since += 1
        # Beyond the best penalty few incidents are fitted ever more exactly, at the cost of most of the path.
        if since >= _PATIENCE:
            break
    return kept


def elastic_net_descend(
    wide: Floats, share: Floats, target: Floats, beta: Floats, intercept: float, l1: float, l2: float
) -> tuple[float, Floats]:
    """Minimise the penalised Poisson loss at one penalty: changes ``beta`` [F] in place, gives (intercept, log rates).

    The loss is sum share (rate - target log rate) + l1 |beta| + half l2 beta'beta, with log rate = intercept +
    wide beta; ``share`` [n] sums to one, ``target`` [n] has mean one, ``wide`` [n, F] are standardised columns.
    """
    log_rate = np.clip(intercept + wide @ beta, -_LARGEST, _LARGEST)
    measured, curvature = np.zeros(0, dtype=np.int64), np.zeros((0, 0))
    moved = np.inf
    for _ in range(30):
        rate = np.exp(log_rate)
        residual = share * (target - rate)
        gradient = residual @ wide
        active = np.flatnonzero((beta != 0) | (np.abs(gradient) > l1))
        if len(active) == 0:
            break
        if moved > _SHORT_STEP or not np.isin(active, measured, assume_unique=True).all():
            # The curvature costs most and only sets the pace: close by, an old one does as well. After a long
            # step it would send the next one too far.
            measured, curvature = active, _curvature(wide[:, active], share * rate)
        now = np.append(intercept, beta[measured])
        pull = np.append(residual.sum(), gradient[measured]) + curvature @ now
        new = _penalised_solution(curvature, pull, now, l1, l2)
        beta[measured], intercept = new[1:], float(new[0])
        log_rate = np.clip(intercept + wide @ beta, -_LARGEST, _LARGEST)
        moved = float(np.abs(new - now).max())
        if moved < 1e-4:
            break
    return intercept, log_rate


def _curvature(columns: Floats, weight: Floats) -> Floats:
    """The weighted products of all columns and an intercept, in single precision: it sets a pace, no result."""
    design = np.ones((len(columns), 1 + columns.shape[1]), dtype=np.float32)
    design[:, 1:] = columns
    design *= np.sqrt(weight).astype(np.float32)[:, None]
    products: Floats = (design.T @ design).astype(np.float64)
    return products


def _penalised_solution(curvature: Floats, pull: Floats, start: Floats, l1: float, l2: float) -> Floats:
    """Minimise half b'Hb - pull'b + l1 |b| + half l2 b'b, the first coordinate unpenalised.

    The intercept is solved for, the rest written as least squares by the root of H: scikit-learn's compiled
    coordinate descent then does the work.
    """
    level = curvature[0, 0]
    slopes = curvature[1:, 1:] - np.outer(curvature[1:, 0], curvature[0, 1:]) / level
    drawn = pull[1:] - curvature[1:, 0] * (pull[0] / level)
    n = len(drawn)
    # Forms of one column overlap: rounding may leave their products a hair from positive definite.
    root = np.linalg.cholesky(slopes + np.eye(n) * (1e-5 * np.trace(slopes) / n + _TINY))
    seen = np.linalg.solve(root, drawn)
    _, found, _ = enet_path(
        np.asfortranarray(root.T),
        seen,
        alphas=[(l1 + l2) / n],
        l1_ratio=l1 / (l1 + l2),
        coef_init=start[1:].copy(),  # changed in place there: the step taken would look like none
        tol=1e-5,
        max_iter=5_000,
    )
    slopes_found = found[:, 0]
    return np.append((pull[0] - curvature[0, 1:] @ slopes_found) / level, slopes_found)


def stepwise_bic(table: Table, candidates: Ints, groups: Ints, most: int) -> tuple[list[int], Floats]:
    """Add and drop forms, one at a time, as long as the BIC falls: (chosen forms, [intercept, their log risks]).

    Starts from the null model. ``groups`` [F] numbers the factor of each form; adding a form puts out another one
    of its factor. Of equally good steps the first counts. Cells alike in all chosen forms are added up before each
    fit, which loses nothing and makes a fit cost patterns instead of cells.
    """
    chosen: list[int] = []
    penalty = float(np.log(max(table.exposure.sum(), 2.0)))
    code = np.zeros(len(table.events), dtype=np.int64)
    level = float(np.log(max(float(table.events.sum()), _TINY) / float(table.exposure.sum())))
    best, coefficients = _fit(*_patterns(table, code, None, chosen), np.array([level]))
    best = -2.0 * best + penalty
    for _ in range(4 * most + 4):
        code = _pattern_code(table, chosen)
        known = dict(zip(chosen, coefficients[1:], strict=True))
        trials = [[form for form in chosen if form != out] for out in chosen]
        for form in candidates:
            rest = [other for other in chosen if groups[other] != groups[form]]
            if form not in chosen and len(rest) < most:
                trials.append([*rest, int(form)])
        step: tuple[float, list[int], Floats] | None = None
        for trial in trials:
            extra = trial[-1] if trial and trial[-1] not in chosen else None
            start = np.array([coefficients[0], *(known.get(form, 0.0) for form in trial)])
            likelihood, found = _fit(*_patterns(table, code, extra, trial), start)
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
    return design, np.asarray(events[there], np.float64), np.asarray(exposure[there], np.float64)


def _fit(design: Floats, events: Floats, exposure: Floats, start: Floats) -> tuple[float, Floats]:
    """Poisson regression by Newton's method from ``start``: (log-likelihood, coefficients).

    A ridge of a thousandth of an incident keeps a form without any incident from running to minus infinity.
    """
    beta = start
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
        if new <= now:
            break
        gained, now, beta = new - now, new, beta + scale * step
        if gained < 1e-12 * max(abs(now), 1.0):
            break
    return now, beta
