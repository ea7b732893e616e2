"""Fit a Poisson regression over rows that are made a few at a time, so that no second matrix ever exists.

A fit asks for its rows piece by piece and sums what it needs of each: loss, slope and curvature. A piece fits into the
processor's own memory, which makes a pass several times faster than one over a standardised copy.

Notes
-----
Newton's method with step halving (Nocedal & Wright, Numerical Optimization, 2006, chapter 3) on a convex loss.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.parallel import PIECE_ROWS

Floats = npt.NDArray[np.float64]
Pieces = Callable[[slice], Floats]
"""Gives rows of the matrix, [m, p]; they are overwritten here."""

ENOUGH = 1e-9
"""The last step is taken when it promises less than this of the loss: what then remains is its square."""
_LEAST_GAIN = 1e-4
_HALVINGS = 30


def pieces(n: int) -> Iterator[slice]:
    """All rows, a few at a time, always cut at the same places: sums and products then round in the same way."""
    return (slice(low, min(low + PIECE_ROWS, n)) for low in range(0, n, PIECE_ROWS))


def moments(matrix: Pieces, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted mean and standard deviation of every column: ([p], [p]). ``weight`` [n], not all zero.

    Pieces are merged by their means (Chan, Golub & LeVeque 1983): a difference of large sums would lose digits.
    """
    total, mean, squares = 0.0, np.zeros(1), np.zeros(1)
    for rows in pieces(len(weight)):
        share = weight[rows]
        mass = float(share.sum())
        if mass <= 0:
            continue
        Z = matrix(rows)
        middle = (share @ Z) / mass
        Z -= middle
        apart = middle - mean
        squares = squares + np.einsum("i,ij,ij->j", share, Z, Z) + apart**2 * (total * mass / (total + mass))
        total += mass
        mean = mean + apart * (mass / total)
    return mean, np.sqrt(squares / total)


def poisson_newton(
    matrix: Pieces, y: Floats, weight: Floats, alpha: float, start: Floats, max_iter: int
) -> tuple[Floats, int]:
    """Coefficients with the intercept last, [p + 1], and the steps taken.

    Minimises the weighted mean of mean - y * log mean, plus ``alpha`` / 2 times the squared coefficients (not the
    intercept). ``y`` and ``weight`` [n]; ``start`` [p + 1].
    """
    weight = weight / weight.sum()
    beta = start
    loss, slope, curvature = _sums(matrix, y, weight, alpha, beta)
    for step in range(1, max_iter + 1):
        move = -_solved(curvature, slope)
        promise = -float(slope @ move)
        if promise <= ENOUGH:
            return beta + move, step
        share = 1.0
        for _ in range(_HALVINGS):
            tried = _sums(matrix, y, weight, alpha, beta + share * move)
            # Far from the solution a whole step overshoots: the exponential grows faster than the curvature says.
            if tried[0] <= loss - _LEAST_GAIN * share * promise:
                break
            share /= 2
        else:
            return beta, step
        beta = beta + share * move
        loss, slope, curvature = tried
    return beta, max_iter


def _sums(
    matrix: Pieces, y: Floats, weight: Floats, alpha: float, beta: Floats
) -> tuple[float, Floats, Floats]:
    """Loss, its slope and its curvature at ``beta``: (number, [p + 1], [p + 1, p + 1])."""
    p = len(beta) - 1
    loss, slope, curvature = 0.0, np.zeros(p + 1), np.zeros((p + 1, p + 1))
    for rows in pieces(len(y)):
        Z, share, seen = matrix(rows), weight[rows], y[rows]
        log_mean = Z @ beta[:p] + beta[p]
        with np.errstate(over="ignore"):
            mean = np.exp(log_mean)
        loss += float(share @ (mean - seen * log_mean))
        if not np.isfinite(loss):
            return np.inf, slope, curvature
        missed = share * (mean - seen)
        slope[:p] += missed @ Z
        slope[p] += missed.sum()
        bend = share * mean
        curvature[p, :p] += bend @ Z
        curvature[p, p] += bend.sum()
        Z *= np.sqrt(bend)[:, None]
        # Of a matrix with itself: BLAS then works out one half only.
        curvature[:p, :p] += Z.T @ Z
    curvature[:p, p] = curvature[p, :p]
    curvature[np.arange(p), np.arange(p)] += alpha
    slope[:p] += alpha * beta[:p]
    return loss + alpha / 2 * float(beta[:p] @ beta[:p]), slope, curvature


def _solved(curvature: Floats, slope: Floats) -> Floats:
    try:
        found: Any = np.linalg.solve(curvature, slope)
    except np.linalg.LinAlgError:
        found = np.linalg.lstsq(curvature, slope, rcond=None)[0]
    result: Floats = found
    return result
