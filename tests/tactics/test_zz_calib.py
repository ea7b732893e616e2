import numpy as np
import pytest

from tactics.engine.impact import analyse
from tactics.study_inputs import study_inputs
from tests.tactics.histories import make_past


@pytest.mark.django_db
def test_x():
    ps = []
    for seed in range(24):
        p = make_past(f"a{seed}", days=6, per_shift=60, seed=seed)
        i = study_inputs(p.agency, crime_types=p.types, first=p.first, last=p.last)
        r = analyse(i.study())
        ps.append(
            [c.effect.p_value for c in r.controls]
            + [
                r.primary.low < p.planted.contrast < r.primary.high,
                r.displacement.net.low < p.planted.net < r.displacement.net.high,
                r.checks.balance_z,
            ]
        )
        print(seed, ps[-1], flush=True)
    a = np.array(ps, float)
    print((a[:, :2] < 0.05).mean(0), (a[:, :2] < 0.2).mean(0), a[:, 2:4].mean(0), a[:, 4].std())
