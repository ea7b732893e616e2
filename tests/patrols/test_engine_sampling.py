"""Draws have exactly K boxes, exactly the promised probabilities, and are spread over the map."""

from collections import defaultdict
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.engine import sampling
from patrols.engine.design import inclusion_probabilities
from patrols.engine.sampling import (
    draw,
    draw_many,
    local_pivotal,
    neighbours,
    randomised_pivotal,
)

DRAWS = 20_000


def square(width, height, size_m=250.0):
    x_m, y_m = np.meshgrid(4.3e5 + size_m * np.arange(width), 4.63e6 + size_m * np.arange(height))
    return x_m.ravel().astype(float), y_m.ravel().astype(float)


def beat_of(width, height, k, seed=3):
    x_m, y_m = square(width, height)
    harm = np.random.default_rng(seed).gamma(0.5, 1.0, len(x_m))
    n = len(x_m)
    pi = inclusion_probabilities(weight=harm, floor=0.15 * k / n, cap=np.full(n, 0.9), k=k)
    return pi, x_m, y_m


@pytest.fixture(scope="module")
def many():
    """20,000 draws of a 36-cell beat with K = 4, by the mixture, by each method alone."""
    pi, x_m, y_m = beat_of(6, 6, 4)
    draws = {
        share: draw_many(
            pi, x_m=x_m, y_m=y_m, rng=np.random.default_rng(11), draws=DRAWS, local_pivotal_share=share
        )
        for share in (0.9, 1.0, 0.0)
    }
    return pi, x_m, y_m, draws


@pytest.mark.parametrize("share", [0.9, 1.0, 0.0])
def test_each_box_is_drawn_as_often_as_its_probability_says(many, share):
    pi, _, _, draws = many
    standard_error = np.sqrt(pi * (1 - pi) / DRAWS)
    assert (np.abs(draws[share].mean(axis=0) - pi) <= 4 * standard_error).all()


@pytest.mark.parametrize("share", [0.9, 1.0, 0.0])
def test_every_draw_has_exactly_k_boxes(many, share):
    assert (many[3][share].sum(axis=1) == 4).all()


def test_every_pair_is_drawn_together_sometimes_under_the_mixture():
    x_m, y_m = square(5, 5)
    pi = np.full(25, 3 / 25)
    rng = np.random.default_rng(6)
    drawn = draw_many(pi, x_m=x_m, y_m=y_m, rng=rng, draws=DRAWS).astype(np.float64)
    assert (drawn.T @ drawn > 0).all()


def test_local_pivotal_alone_keeps_neighbours_apart_more_than_the_mixture(many):
    _, x_m, y_m, draws = many
    near = np.hypot(x_m[:, None] - x_m, y_m[:, None] - y_m) < 260
    np.fill_diagonal(near, False)
    counts = {}
    for share, drawn in draws.items():
        d = drawn.astype(np.float64)
        counts[share] = ((d.T @ d) * near).sum()
    assert counts[1.0] < counts[0.9] < counts[0.0]


def spatial_balance(drawn, pi, x_m, y_m):
    """Stevens and Olsen: the variance of the probability caught by each drawn box's Voronoi cell, ideally 1."""
    total = 0.0
    for row in drawn:
        chosen = np.flatnonzero(row)
        distance = (x_m[:, None] - x_m[chosen]) ** 2 + (y_m[:, None] - y_m[chosen]) ** 2
        closest = distance <= distance.min(axis=1, keepdims=True) * (1 + 1e-9)
        share = closest / closest.sum(axis=1, keepdims=True)
        total += float(((pi @ share - 1.0) ** 2).mean())
    return total / len(drawn)


def test_draws_are_spread_better_than_independent_ones():
    pi, x_m, y_m = beat_of(9, 9, 8, seed=5)
    rng = np.random.default_rng(2)
    mixed = draw_many(pi, x_m=x_m, y_m=y_m, rng=rng, draws=300)
    independent = []
    while len(independent) < 300:
        row = rng.random(len(pi)) < pi
        # Same size: otherwise they would lose by the varying number of boxes alone.
        if row.sum() == 8:
            independent.append(row)
    ours = spatial_balance(mixed, pi, x_m, y_m)
    theirs = spatial_balance(np.array(independent), pi, x_m, y_m)
    assert ours < 0.75 * theirs


def enumerate_exactly(pi, partners):
    """Every possible course of a pivotal draw with its exact probability, in fractions."""
    result = defaultdict(Fraction)

    def play(p, chance):
        alive = tuple(i for i, value in enumerate(p) if 0 < value < 1)
        if len(alive) < 2:
            result[tuple(int(value) for value in p)] += chance
            return
        for i in alive:
            candidates = partners(i, [j for j in alive if j != i])
            for j in candidates:
                way = chance / len(alive) / len(candidates)
                a, b = p[i], p[j]
                total = a + b
                if total < 1:
                    outcomes = [((0, total), b / total), ((total, 0), a / total)]
                else:
                    outcomes = [
                        ((1, total - 1), (1 - b) / (2 - total)),
                        ((total - 1, 1), (1 - a) / (2 - total)),
                    ]
                for (new_a, new_b), odds in outcomes:
                    if odds:
                        q = list(p)
                        q[i], q[j] = Fraction(new_a), Fraction(new_b)
                        play(tuple(q), way * odds)

    play(tuple(pi), Fraction(1))
    return result


TINY_PI = [Fraction(n, 20) for n in (9, 3, 6, 12, 10)]  # adds up to 2
TINY_X, TINY_Y = square(3, 2)
TINY_X, TINY_Y = TINY_X[:5], TINY_Y[:5]


def nearest_partners(i, others):
    distance = {j: (TINY_X[i] - TINY_X[j]) ** 2 + (TINY_Y[i] - TINY_Y[j]) ** 2 for j in others}
    return [j for j in others if distance[j] == min(distance.values())]


@pytest.mark.parametrize("method", ["randomised", "local"])
def test_draws_agree_with_a_brute_force_enumeration_of_all_courses(method):
    exact = enumerate_exactly(TINY_PI, nearest_partners if method == "local" else lambda _i, others: others)
    for i, p in enumerate(TINY_PI):
        assert sum(chance for sample, chance in exact.items() if sample[i]) == p
    pi = np.array([float(p) for p in TINY_PI])
    drawn = draw_many(
        pi,
        x_m=TINY_X,
        y_m=TINY_Y,
        rng=np.random.default_rng(4),
        draws=DRAWS,
        local_pivotal_share=1.0 if method == "local" else 0.0,
    )
    for pair in combinations(range(5), 2):
        sample = tuple(int(i in pair) for i in range(5))
        expected = float(exact.get(sample, Fraction(0)))
        frequency = float(drawn[:, list(pair)].all(axis=1).mean())
        assert abs(frequency - expected) <= 4 * np.sqrt(expected * (1 - expected) / DRAWS)
        if method == "randomised":
            assert expected > 0


def test_local_pivotal_alone_never_draws_some_neighbours_together():
    """Why the mixture exists: two boxes of small probability side by side always play each other first."""
    x_m, y_m = np.array([0.0, 10.0, 1000.0, 1010.0]), np.zeros(4)
    pi = np.full(4, 0.5)
    local = draw_many(pi, x_m=x_m, y_m=y_m, rng=np.random.default_rng(0), draws=500, local_pivotal_share=1.0)
    mixed = draw_many(pi, x_m=x_m, y_m=y_m, rng=np.random.default_rng(0), draws=500)
    assert not local[:, :2].all(axis=1).any()
    assert mixed[:, :2].all(axis=1).any()


@settings(max_examples=100, deadline=None)
@given(
    harm=st.lists(st.floats(0, 10), min_size=1, max_size=50),
    k=st.integers(1, 30),
    seed=st.integers(0, 2**32),
)
def test_any_feasible_beat_draws_exactly_k_by_either_method(harm, k, seed):
    n = len(harm)
    if k > 0.9 * n:
        return
    pi = inclusion_probabilities(weight=np.array(harm), floor=0.1 * k / n, cap=np.full(n, 0.9), k=k)
    rng = np.random.default_rng(seed)
    x_m, y_m = rng.random(n) * 1000, rng.random(n) * 1000
    assert local_pivotal(pi, x_m=x_m, y_m=y_m, rng=rng).sum() == k
    assert randomised_pivotal(pi, rng=rng).sum() == k


def test_probabilities_of_nought_and_one_are_certain():
    pi = np.array([0.0, 1.0, 0.5, 0.5])
    for seed in range(20):
        drawn, _ = draw(pi, x_m=np.arange(4.0), y_m=np.zeros(4), rng=np.random.default_rng(seed))
        assert not drawn[0]
        assert drawn[1]
        assert drawn.sum() == 2


def test_probabilities_that_do_not_add_up_to_a_whole_number_are_refused():
    with pytest.raises(ValueError, match="not to a whole number"):
        randomised_pivotal(np.array([0.3, 0.3]), rng=np.random.default_rng(0))


def test_the_share_of_each_method_is_the_policys():
    pi, x_m, y_m = beat_of(3, 3, 2)
    rng = np.random.default_rng(8)
    used = [draw(pi, x_m=x_m, y_m=y_m, rng=rng)[1] for _ in range(2000)]
    share = used.count("local_pivotal") / 2000
    assert abs(share - 0.9) <= 4 * np.sqrt(0.09 / 2000)


def test_a_beat_larger_than_a_block_keeps_its_probabilities_and_its_spread(monkeypatch):
    monkeypatch.setattr(sampling, "BLOCK_CELLS", 16)
    monkeypatch.setattr(sampling, "NEAREST", 4)
    pi, x_m, y_m = beat_of(8, 8, 7, seed=9)
    rng = np.random.default_rng(1)
    drawn = draw_many(pi, x_m=x_m, y_m=y_m, rng=rng, draws=1500, local_pivotal_share=1.0)
    plain = draw_many(pi, x_m=x_m, y_m=y_m, rng=rng, draws=1500, local_pivotal_share=0.0)
    assert (drawn.sum(axis=1) == 7).all()
    assert (np.abs(drawn.mean(axis=0) - pi) <= 4.5 * np.sqrt(pi * (1 - pi) / 1500)).all()
    assert spatial_balance(drawn[:300], pi, x_m, y_m) < 0.7 * spatial_balance(plain[:300], pi, x_m, y_m)


def test_equally_near_boxes_are_one_group_whatever_the_rounding_of_coordinates():
    x_m, y_m = square(5, 5, size_m=152.4)
    near = neighbours(x_m, y_m)
    tier = near.tier[12]
    assert len(set(tier[:4])) == 1
    assert len(set(tier[4:8])) == 1
    assert tier[3] < tier[4]
    assert sorted(near.order[12][:4]) == [7, 11, 13, 17]


def test_when_all_listed_neighbours_are_decided_the_nearest_other_is_found(monkeypatch):
    monkeypatch.setattr(sampling, "NEAREST", 1)
    pi, x_m, y_m = beat_of(6, 6, 4)
    drawn = draw_many(pi, x_m=x_m, y_m=y_m, rng=np.random.default_rng(5), draws=1500, local_pivotal_share=1.0)
    assert (drawn.sum(axis=1) == 4).all()
    assert (np.abs(drawn.mean(axis=0) - pi) <= 4.5 * np.sqrt(pi * (1 - pi) / 1500)).all()
