"""Estimators say what they should: by hand on small cases, against independent code, and on planted truth."""

from dataclasses import replace

import numpy as np
import pytest

from tactics.engine.impact.displacement import displacement, weighted_displacement_difference
from tactics.engine.impact.dose import complier_effect, dose_response
from tactics.engine.impact.estimators import cross_fitted_level, ratio_effect, ratio_parts
from tactics.engine.impact.groups import holm, part_effects
from tactics.engine.impact.histories import planted_histories
from tactics.engine.impact.power import Precision, design_experiment, study_precision
from tactics.engine.impact.replays import PlanHistory
from tactics.engine.impact.scoring import product_estimator, score_estimator
from tactics.engine.impact.study import Study
from tactics.engine.impact.sums import WEIGHTINGS, plan_sums, row_weight, type_sums
from tactics.engine.impact.worlds import Scenario, made_up_world, scenario_named


def study_of(pi, drawn, outcome, forecast=None, plan_start=(0,), week=None, **more):
    n, plans = len(pi), len(plan_start)
    zero = np.zeros(n)
    return Study(
        cell=np.arange(n),
        pi=np.array(pi, dtype=float),
        drawn=np.array(drawn, dtype=bool),
        start_minutes=np.full(n, 120.0),
        window_minutes=np.full(n, 360.0),
        forecast=np.ones(n) if forecast is None else np.array(forecast, dtype=float),
        ring_forecast=zero,
        outcome=np.array(outcome),
        ring_outcome=zero,
        before=zero,
        week_before=zero,
        spill_in=zero,
        ring_drawn=zero,
        ring_spill_in=zero,
        dose_minutes=more.pop("dose_minutes", np.full(n, 12.0)),
        plan_start=np.array(plan_start),
        plan_shift=np.arange(plans),
        plan_beat=np.zeros(plans, dtype=int),
        plan_week=np.zeros(plans, dtype=int) if week is None else np.array(week),
        plan_district=np.zeros(plans, dtype=int),
        **more,
    )


@pytest.fixture(scope="module")
def planted():
    """Forty histories of a small city in which two thirds of the crime of delivered missions is prevented."""
    rng = np.random.default_rng(20)
    world = made_up_world(rng, side=16, beats=8)
    scenario = replace(scenario_named("net20"), shifts=84)
    return world, scenario, list(planted_histories(world, scenario, repetitions=40, rng=rng))


def test_weighted_totals_worked_out_by_hand():
    study = study_of([0.5, 0.25, 0.25, 0.5, 0.5], [1, 0, 0, 0, 1], [1, 2, 0, 3, 1], plan_start=(0, 3))
    sums = plan_sums(study)["missions"]
    y1, y0 = sums.arm("outcome")
    assert y1.tolist() == [1.0, 1.0]
    assert y0.tolist() == pytest.approx([2 * (0.25 / 0.75), 3.0])
    assert sums.expected.tolist() == [1.0, 1.0]
    assert ratio_parts(sums, method="aipw", bias_corrected=False).ratio == pytest.approx(
        2.0 / (2 / 3 + 3 + (1 - 2 / 3) + (1 - 1))
    )
    hajek = ratio_parts(sums, method="hajek", bias_corrected=False)
    assert hajek.ratio == pytest.approx((2 / 2) / ((2 / 3 + 3) / (2 / 3 + 1)))


def test_totals_of_chunks_are_those_of_a_plain_loop(planted, monkeypatch):
    _, _, histories = planted
    study = histories[0].study
    whole = plan_sums(study)
    monkeypatch.setattr("tactics.engine.impact.study.CHUNK_ROWS", 1_000)
    cut = plan_sums(study)
    stops = np.append(study.plan_start[1:], len(study))
    for weighting in WEIGHTINGS:
        np.testing.assert_allclose(cut[weighting].treated, whole[weighting].treated)
        np.testing.assert_allclose(cut[weighting].control, whole[weighting].control)
        weight = row_weight(weighting, study.pi)
        for plan in range(0, study.plans, 50):
            rows = slice(study.plan_start[plan], stops[plan])
            z, pi, w = study.drawn[rows], study.pi[rows], weight[rows]
            for name in ("outcome", "ring_outcome") if weighting == "missions" else ("outcome",):
                y = getattr(study, name)[rows]
                treated, control = whole[weighting].arm(name)
                assert treated[plan] == pytest.approx((w * z * y / pi).sum())
                assert control[plan] == pytest.approx((w * ~z * y / (1 - pi)).sum())


def test_other_weightings_keep_what_an_effect_is_made_of(planted):
    _, _, histories = planted
    sums = plan_sums(histories[0].study)
    assert sums["overlap"].columns == sums["missions"].effect_only().columns == ("one", "outcome", "forecast")
    with pytest.raises(ValueError, match="not in tuple"):
        sums["overlap"].arm("ring_outcome")
    assert ratio_effect(sums["missions"].effect_only()) == ratio_effect(sums["missions"])


def test_both_arms_weigh_the_same_on_average(planted):
    _, _, histories = planted
    for weighting in WEIGHTINGS:
        gap = np.concatenate(
            [np.subtract(*plan_sums(one.study, (weighting,))[weighting].arm("one")) for one in histories]
        )
        assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap)) + 1e-12


def test_estimates_are_centred_on_the_planted_truth(planted):
    world, scenario, _ = planted
    board = score_estimator(world, scenario, product_estimator, repetitions=60, seed=3)
    for target in ("contrast", "direct", "contrast, overlap", "contrast, hajek", "contrast, plain", "net"):
        one = board.score(target)
        assert abs(one.bias) < 4.5 * one.bias_error, target
        assert one.coverage > 0.83, target
    assert board.score("contrast").truth > 0.35
    assert board.score("net").truth == pytest.approx(0.5 * board.score("direct").truth)
    wrong = {name: (mean, error) for name, mean, error in board.wrong}
    assert set(wrong) == {"before/after", "overridden cells dropped"}


def test_the_wrong_analyses_find_effects_where_there_is_none():
    rng = np.random.default_rng(21)
    world = made_up_world(rng, side=16, beats=8)
    board = score_estimator(
        world, replace(scenario_named("null"), shifts=84), product_estimator, repetitions=60, seed=4
    )
    dropped = {name: (mean, error) for name, mean, error in board.wrong}["overridden cells dropped"]
    assert dropped[0] < -3 * dropped[1]
    assert abs(board.score("contrast").bias) < 4.5 * board.score("contrast").bias_error


def test_the_ring_contrast_alone_would_mistake_neighbours_missions_for_displacement(planted):
    """Half of the prevented crime moves: corrected, 'moved' is half of 'direct'; the raw ring contrast is larger."""
    _, _, histories = planted
    moved, raw, direct = [], [], []
    for one in histories:
        sums = plan_sums(one.study, ("missions",))["missions"]
        found = displacement(sums)
        moved.append(found.moved.estimate)
        direct.append(found.direct.estimate)
        ring1, ring0 = sums.arm("ring_outcome")
        expected1, expected0 = sums.arm("ring_forecast")
        level = ring0.sum() / expected0.sum()
        raw.append(((ring1 - ring0) - level * (expected1 - expected0)).sum() / sums.arm("outcome")[1].sum())
        assert found.net.estimate == pytest.approx(found.direct.estimate - found.moved.estimate)
    error = np.std(moved) / np.sqrt(len(moved))
    assert abs(np.mean(moved) - 0.5 * np.mean(direct)) < 4 * error
    assert np.mean(raw) > np.mean(moved)


def test_cluster_robust_errors_are_those_of_statsmodels(planted):
    """The weighted difference of arms is a weighted regression on Z; statsmodels clusters its errors by plan."""
    api = pytest.importorskip(
        "statsmodels.api",
        reason="statsmodels is in requirements-dev.txt: pip install -r requirements-dev.txt",
    )
    _, _, histories = planted
    study = histories[1].study
    sums = plan_sums(study, ("missions",))["missions"]
    weight = np.where(study.drawn, 1.0, study.pi / (1 - study.pi))
    plan = np.repeat(np.arange(study.plans), np.diff(np.append(study.plan_start, len(study))))
    fit = api.WLS(
        study.outcome.astype(float), api.add_constant(study.drawn.astype(float)), weights=weight
    ).fit(cov_type="cluster", cov_kwds={"groups": plan, "use_correction": False})
    ours = ratio_parts(sums, method="hajek", bias_corrected=False)
    assert ours.ratio == pytest.approx(1.0 + fit.params[1] / fit.params[0])
    # Delta method on statsmodels' covariance of (control mean, difference).
    mean0, gap = fit.params
    gradient = np.array([-gap / mean0**2, 1 / mean0])
    theirs = float(np.sqrt(gradient @ fit.cov_params() @ gradient))
    assert np.sqrt(ours.score @ ours.score) / ours.n0 == pytest.approx(theirs, rel=1e-6)


def test_the_published_example_of_the_weighted_displacement_difference():
    """Wheeler and Ratcliffe (2018): -118 crimes, variance 1,568, z -2.98, 95 % interval -196 to -40."""
    found = weighted_displacement_difference(
        control=(308, 318), treated=(207, 110), control_ring=(150, 140), treated_ring=(178, 157)
    )
    # By hand: (110 - 207) - (318 - 308) + (157 - 178) - (140 - 150) = -97 - 10 - 21 + 10.
    assert found.estimate == -118
    assert found.standard_error**2 == pytest.approx(1568)
    assert round(found.z, 2) == -2.98
    assert (round(found.low), round(found.high)) == (-196, -40)


def test_the_forecasts_level_is_taken_from_other_weeks():
    level = cross_fitted_level(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 3.0]), np.array([0, 0, 1]))
    assert level.tolist() == [3.0, 3.0, 1.5]
    assert cross_fitted_level(np.array([5.0]), np.array([1.0]), np.array([0])).tolist() == [1.0]


def test_no_crime_in_an_arm_gives_no_interval():
    gone = ratio_effect(plan_sums(study_of([0.5, 0.5], [1, 0], [0, 2]))["missions"])
    assert gone.estimate == 1.0
    nothing = plan_sums(study_of([0.5, 0.5], [1, 0], [2, 0]))["missions"]
    assert np.isnan(ratio_effect(nothing).estimate)
    for effect in (gone, ratio_effect(nothing)):
        assert effect.interval == "none"
        assert not effect.shows
    assert np.isnan(displacement(nothing).net.estimate)


def test_a_good_forecast_shortens_the_interval(planted):
    _, _, histories = planted
    plain, helped = [], []
    for one in histories[:10]:
        sharp = replace(one.study, forecast=one.crime)
        plain.append(ratio_effect(plan_sums(one.study)["missions"], method="hajek").length)
        helped.append(ratio_effect(plan_sums(sharp)["missions"]).length)
    assert np.mean(helped) < np.mean(plain)


def test_complier_effect_by_hand_and_infinite_where_nothing_was_delivered():
    rng = np.random.default_rng(122)
    n, plans = 4_000, 1_000
    pi = np.full(n, 0.25)
    drawn = np.zeros(n, dtype=bool)
    drawn[np.arange(plans) * 4 + rng.integers(0, 4, plans)] = True
    minutes = np.where(drawn & (rng.random(n) < 0.6), 30.0, 0.0)
    y = rng.poisson(1.0 - 0.01 * minutes)
    study = study_of(pi, drawn, y, plan_start=np.arange(plans) * 4, delivered_minutes=minutes)
    found = complier_effect(plan_sums(study)["missions"])
    assert found.bounded
    assert found.low < 0.1 < found.high
    assert found.minutes_moved == pytest.approx(18.0, abs=2.0)
    lost = replace(study, delivered_minutes=np.where(np.arange(n) == 0, 1.0, 0.0))
    assert not complier_effect(plan_sums(lost)["missions"]).bounded
    assert complier_effect(plan_sums(replace(study, delivered_minutes=None))["missions"]) is None


def test_longer_drawn_doses_are_found_to_prevent_more():
    rng = np.random.default_rng(23)
    n = 20_000
    drawn = np.arange(n) % 4 == 0
    dose = rng.integers(5, 26, n).astype(float)
    y = rng.poisson(np.where(drawn, 1.0 - 0.02 * dose, 1.0))
    study = study_of(
        np.full(n, 0.25), drawn, y, plan_start=np.arange(n // 4) * 4, dose_minutes=dose,
        week=np.arange(n // 4) // 500,
    )  # fmt: skip
    found = dose_response(study, plan_sums(study)["missions"])
    assert found.low < 0.2 < found.high
    assert found.low > 0
    assert [one.seen_per_expected for one in found.bins] == sorted(
        (one.seen_per_expected for one in found.bins), reverse=True
    )
    alike = replace(study, dose_minutes=np.full(n, 12.0))
    assert dose_response(alike, plan_sums(alike)["missions"]) is None


def test_holm_never_lowers_a_p_value_and_multiplies_the_smallest():
    p = np.array([0.04, 0.001, 0.3, 0.02])
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert adjusted.tolist() == pytest.approx([0.08, 0.004, 0.3, 0.06])


def test_parts_are_pulled_together_when_they_do_not_differ(planted):
    _, _, histories = planted
    sums = plan_sums(histories[2].study)["missions"]
    parts = {str(d): sums.take(np.flatnonzero(sums.beat % 2 == d)) for d in (0, 1)}
    found = part_effects(parts.items())
    own = [one.own.estimate for one in found]
    pulled = [one.pulled for one in found]
    assert abs(pulled[0] - pulled[1]) <= abs(own[0] - own[1]) + 1e-12
    assert all(one.adjusted_p >= one.own.p_value for one in found)


def test_crime_types_have_their_own_totals(planted):
    _, _, histories = planted
    study = histories[3].study
    half = study.outcome // 2
    typed = replace(
        study,
        type_names=("a", "b"),
        type_outcome=np.stack([half, study.outcome - half]),
        type_forecast=np.stack([study.forecast / 2, study.forecast / 2]),
    )
    whole = plan_sums(typed)["missions"]
    parts = [type_sums(typed, whole, at) for at in (0, 1)]
    np.testing.assert_allclose(sum(one.arm("outcome")[1] for one in parts), whole.arm("outcome")[1])
    np.testing.assert_allclose(sum(one.expected for one in parts), whole.expected)


def test_the_detectable_effect_has_the_power_asked_for_and_shrinks_with_time():
    precision = Precision(400.0, 400.0, 120.0, 1.1)
    assert precision.power(precision.detectable()) == pytest.approx(0.8, abs=1e-6)
    assert precision.power(0.0) == pytest.approx(0.05)
    assert precision.times(4).detectable() < precision.detectable()
    longer = precision.times(precision.times_longer(0.1))
    assert longer.power(0.1) == pytest.approx(0.8, abs=0.01)
    assert Precision(0.0, 0.0, 0.0).detectable() == 1.0
    assert Precision(1.0, 1.0, 0.2).times_longer(0.0) == np.inf


def test_precision_foretold_is_the_standard_error_found(planted):
    _, _, histories = planted
    told, found = [], []
    for one in histories:
        sums = plan_sums(one.study)["missions"]
        effect = ratio_effect(sums)
        told.append(study_precision(sums).se_log(effect.estimate))
        found.append(effect.se_log)
    assert np.mean(told) == pytest.approx(np.mean(found), rel=0.05)


def test_the_designer_prefers_longer_studies_more_boxes_and_pooled_types(planted):
    world, _, histories = planted
    beats = len(world.layout.beat_id)
    history = PlanHistory(
        world.layout, world.policy, np.arange(21) / 3, np.arange(1, 21 + 1) / 3, histories[0].harm[:21].astype(float),
        np.ones((21, beats), dtype=int), np.full((21, beats), 3),
    )  # fmt: skip
    options = design_experiment(
        history,
        crime={"theft": 0.6 * world.rates, "robbery": 0.4 * world.rates},
        ks=(1, 2),
        days=(30, 180),
        pools=(("theft",), ("theft", "robbery")),
        doses=((10, 16), (5, 25)),
        rng=np.random.default_rng(24),
    )
    assert len(options) == 16
    by = {(one.k, one.days, one.types, one.dose_max_minutes): one for one in options}
    base = by[1, 30, ("theft",), 16]
    assert by[1, 180, ("theft",), 16].detectable < base.detectable
    assert by[2, 30, ("theft",), 16].expected_events > base.expected_events
    assert by[1, 30, ("theft", "robbery"), 16].expected_events == pytest.approx(
        base.expected_events / 0.6, rel=0.1
    )
    assert by[1, 180, ("theft",), 25].dose_slope < by[1, 180, ("theft",), 16].dose_slope
    chances = [chance for _, chance in base.curve]
    assert chances == sorted(chances)


def test_scores_of_a_stubborn_estimator_are_poor():
    """An estimator that always answers 'nothing' never rejects, and covers only where nothing is true."""
    rng = np.random.default_rng(25)
    world = made_up_world(rng, side=8, beats=4)
    board = score_estimator(
        world,
        Scenario("strong", prevented=1.0, shifts=21),
        lambda study: {"contrast": (0.0, -0.01, 0.01)},
        repetitions=8,
        seed=1,
    )
    assert [one.target for one in board.scores] == ["contrast"]
    assert board.score("contrast").rejected == 0.0
    assert board.score("contrast").coverage == 0.0
