"""A blend without one family of columns really never sees it: neither in the fit nor afterwards."""

import numpy as np
import pytest

from forecasting.engine.bench.contest import models_choose
from forecasting.engine.candidates import BASELINES, LEARNED
from forecasting.engine.design import FAMILIES, Layout
from forecasting.engine.leftout import LEFT_OUT, PREFIX
from forecasting.engine.workshop import entrant

LAYOUT = Layout(0, ("burglary", "robbery"), ("bars", "schools"), 500)
FILLED = sorted(set(LAYOUT.families))


def rows(seed: int, n: int = 900) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.gamma(1.0, 1.0, (n, len(LAYOUT.names))).astype(np.float32)
    y = rng.poisson(X[:, 0]).astype(float)
    return X, y, np.ones(n)


@pytest.mark.parametrize("family", FILLED)
def test_other_values_in_the_family_change_nothing(family: str) -> None:
    X, y, weight = rows(1)
    columns = [number for number, of in enumerate(LAYOUT.families) if of == family]
    other = X.copy()
    other[:, columns] = np.random.default_rng(2).gamma(2.0, 1.0, (len(X), len(columns)))
    fitted = [entrant(f"{PREFIX}{family}", LAYOUT, 500).fit(given, y, weight) for given in (X, other)]
    assert np.array_equal(fitted[0].predict(X), fitted[1].predict(other))
    assert np.isfinite(fitted[0].predict(X)).all()
    assert not np.allclose(fitted[0].predict(X), fitted[0].predict(rows(3)[0])), "it still sees the others"


def test_they_take_part_only_where_they_are_asked_for() -> None:
    assert models_choose([], []) == (*BASELINES, *LEARNED)
    assert models_choose(["blend", "without_context"], []) == (*BASELINES, "blend", "without_context")
    assert tuple(f"without_{family}" for family in FAMILIES) == LEFT_OUT
