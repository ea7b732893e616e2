"""Direct and net effect: errors by leaving out shifts, limits of a quotient, and the planted truth without its noise."""

from dataclasses import replace

import numpy as np
import pytest

from tactics.engine.impact import displacement as module
from tactics.engine.impact.displacement import displacement, effective_shifts
from tactics.engine.impact.histories import planted_histories
from tactics.engine.impact.scoring import PlantedTruth
from tactics.engine.impact.sums import plan_sums
from tactics.engine.impact.worlds import made_up_world, scenario_named


@pytest.fixture(scope="module")
def planted():
    """Thirty histories of a small city in which all crime of delivered missions is prevented, half of it moving next door."""
    rng = np.random.default_rng(41)
    world = made_up_world(rng, side=16, beats=8)
    scenario = replace(scenario_named("net30"), shifts=63)
    return scenario, list(planted_histories(world, scenario, repetitions=30, rng=rng))


def sums_of(study):
    return plan_sums(study, ("missions",))["missions"]


def test_errors_are_those_of_working_everything_out_again_without_each_shift(planted):
    """A plain loop over shifts, each time on a study that never held that shift."""
    sums = sums_of(planted[1][0].study)
    found = displacement(sums)
    whole = module._shares(module._with_and_without(sums)[0])
    shifts = np.unique(sums.shift)
    each = np.array(
        [
            module._shares(module._with_and_without(sums.take(np.flatnonzero(sums.shift != shift)))[0])
            for shift in shifts
        ]
    )
    n = len(shifts)
    error = np.sqrt(((each - each.mean(axis=0)) ** 2).sum(axis=0) * (n - 1) / n)
    corrected = n * whole - (n - 1) * each.mean(axis=0)
    assert found.direct.estimate == pytest.approx(1 - corrected[0])
    assert found.moved.estimate == pytest.approx(corrected[1])
    assert found.net.estimate == pytest.approx(found.direct.estimate - found.moved.estimate)
    assert found.direct.se_log == pytest.approx(error[0] / corrected[0])
    assert found.moved.se_log == pytest.approx(error[1])
    assert found.net.se_log == pytest.approx(error[2])


def test_errors_by_shift_are_those_of_statsmodels_where_nothing_spills(planted):
    """Without exposure to others' missions the net effect is a ratio of totals: statsmodels' HC3 on shift totals."""
    api = pytest.importorskip(
        "statsmodels.api",
        reason="statsmodels is in requirements-dev.txt: pip install -r requirements-dev.txt",
    )
    study = planted[1][1].study
    zero = np.zeros(len(study))
    one_week = np.zeros(study.plans, dtype=np.int64)
    sums = sums_of(replace(study, spill_in=zero, ring_drawn=zero, ring_spill_in=zero, plan_week=one_week))
    shifts = int(sums.shift.max()) + 1

    def by_shift(name):
        treated, control = sums.arm(name)
        return np.bincount(sums.shift, treated), np.bincount(sums.shift, control)

    (y1, y0), (m1, m0) = by_shift("outcome"), by_shift("forecast")
    (r1, r0), (q1, q0) = by_shift("ring_outcome"), by_shift("ring_forecast")
    # A single week has no other to take the level from: forecasts count as they are.
    expected = y0 + m1 - m0
    assert (expected > 0).all()
    found = displacement(sums)
    for effect, left in ((found.direct, y1), (found.net, y1 + (r1 - r0) - (q1 - q0))):
        # Regression through the origin, weighted by 1 / expected, is the ratio of totals.
        fit = api.WLS(left, expected, weights=1 / expected).fit()
        error = effect.se_log * (1 - effect.estimate) if effect is found.direct else effect.se_log
        assert effect.estimate == pytest.approx(1 - fit.params[0], abs=fit.bse[0] / 10)
        # HC3 is centred on the estimate, the jackknife on its values' mean: the same up to one shift's share.
        assert error == pytest.approx(float(fit.HC3_se[0]), rel=2 / shifts)


def test_without_the_noise_of_crime_direct_and_net_are_the_planted_ones(planted):
    """Outcomes are put to their means: what is left is the luck of the draw, a tenth of the usual error."""
    scenario, histories = planted
    truth, direct, net = PlantedTruth(), [], []
    for one in histories:
        truth.add(one)
        found = displacement(sums_of(replace(one.study, outcome=one.mean, ring_outcome=one.ring_mean)))
        direct.append(found.direct.estimate)
        net.append(found.net.estimate)
    for values, target in ((direct, "direct"), (net, "net")):
        error = np.std(values) / np.sqrt(len(values))
        assert error < 0.03
        assert abs(np.mean(values) - truth.of(target, scenario)) < 4 * error, target


def test_rings_hold_on_average_the_crime_that_the_maker_says(planted):
    histories = planted[1]
    left = np.array([one.study.ring_outcome.sum() - one.ring_mean.sum() for one in histories])
    assert abs(left.mean()) < 4 * left.std() / np.sqrt(len(left))
    assert (np.array([one.ring_mean.sum() / one.ring_crime.sum() for one in histories]) < 1).all()


def test_limits_of_a_quotient_worked_out_by_hand():
    """10 ± 1 over 5 ± 0.5 at two errors: (50 ± 14) / 24."""
    low, high, p_value = module._of_a_quotient(np.array([10.0, 5.0]), np.diag([1.0, 0.25]), 2.0, 1e9)
    assert (low, high) == (pytest.approx(1.5), pytest.approx(64 / 24))
    assert p_value < 1e-20
    # What it is a share of could be nothing at all: no limits.
    low, high, _ = module._of_a_quotient(np.array([10.0, 0.9]), np.diag([1.0, 0.25]), 2.0, 1e9)
    assert np.isnan(low)
    assert np.isnan(high)


def test_an_interval_leaves_zero_out_exactly_where_its_p_value_is_below_five_per_cent(planted):
    for one in planted[1]:
        found = displacement(sums_of(one.study))
        for effect in (found.direct, found.moved, found.net):
            assert effect.low < effect.estimate < effect.high
            assert effect.shows == (effect.p_value < 0.05), effect.name


def test_a_single_shift_has_estimates_and_no_interval(planted):
    sums = sums_of(planted[1][2].study)
    busy = sums.shift[np.argmax(np.bincount(sums.shift, sums.arm("outcome")[0])[sums.shift])]
    found = displacement(sums.take(np.flatnonzero(sums.shift == busy)))
    for effect in (found.direct, found.moved, found.net):
        assert np.isfinite(effect.estimate)
        assert effect.interval == "none"
        assert not effect.shows


def test_equal_shifts_count_fully_and_one_busy_shift_counts_alone(planted):
    sums = sums_of(planted[1][3].study)
    even = replace(sums, expected=1.0 / np.bincount(sums.shift)[sums.shift])
    assert effective_shifts(even) == pytest.approx(63)
    assert effective_shifts(replace(sums, expected=(sums.shift == 5) * 1.0)) == pytest.approx(1)
    assert 30 < effective_shifts(sums) < 63
