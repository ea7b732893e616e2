"""What each driver adds to a cell's forecast: sums are exact, shares are fair, a layer without influence gets nothing."""

import math
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.candidates import BASELINES, LEARNED
from forecasting.engine.design import Layout, context_family, context_layer, part_family
from forecasting.engine.explain import Explanation, contributions, explain_cells
from forecasting.engine.features import History
from forecasting.engine.periods import days_since_epoch
from forecasting.engine.sampling import rows_sample
from forecasting.engine.train import workshop_of
from forecasting.engine.trained import TypeModel
from tests.forecasting.engine_city import SHIFTS, city, shift_instances, square_grid

DAYS = 120
GRID = square_grid(400.0)
N = len(GRID)
TONIGHT = shift_instances(DAYS + 1).take([DAYS * 3 + 2])
AS_OF = TONIGHT.from_utc[0]
TARGETS = ("burglary", "robbery")
LAYERS = ("bars_150m", "bars_400m", "noise_150m", "event:stadium_400m", "weather:rain")
CELLS = np.array([0, 31, 62, 100, 224])


def layers() -> np.ndarray:
    x, y = GRID.centres()
    bars = [np.exp(-((x - 1_500) ** 2 + (y - 1_500) ** 2) / (2 * width**2)) for width in (400.0, 700.0)]
    noise = np.random.default_rng(9).random(N)
    stadium = np.exp(-((x - 4_500) ** 2 + (y - 4_500) ** 2) / (2 * 500.0**2))
    return np.column_stack([*bars, noise, stadium, np.full(N, 0.4)]).astype(np.float32)


@cache
def models(with_context: bool) -> dict[str, TypeModel]:
    """Every entrant of the league for burglary, fitted on the whole history."""
    table = city(np.random.default_rng(42), n=4_000, days=DAYS)
    context, names = (layers(), LAYERS) if with_context else (None, ())
    workshop = workshop_of(GRID, table, SHIFTS, TARGETS, AS_OF, context, names)
    periods = shift_instances(DAYS).take(np.arange(60, DAYS * 3))
    rows = rows_sample(
        History(GRID, workshop.events), periods, workshop.sources, np.random.default_rng(3), 60
    )
    shape = workshop.shape_fit(rows, 0, float(days_since_epoch(AS_OF)))
    fitted, _ = workshop.fit(rows, 0, shape, workshop.as_of_days, BASELINES + LEARNED)
    return {one.name: TypeModel(shape, one.estimator, N, table.categories) for one in fitted}


@cache
def explained(champion: str, with_context: bool) -> list[Explanation]:
    return explain_cells(
        models={"burglary": models(with_context)[champion]},
        grid=GRID,
        incidents=city(np.random.default_rng(42), n=4_000, days=DAYS),
        period=TONIGHT,
        shifts=SHIFTS,
        context=layers() if with_context else None,
        context_names=LAYERS if with_context else (),
        cells={"burglary": CELLS},
    )["burglary"]


@pytest.mark.parametrize("with_context", [False, True])
@pytest.mark.parametrize("champion", BASELINES + LEARNED)
def test_contributions_add_up_to_the_log_expected_count_for_every_champion(
    champion: str, with_context: bool
) -> None:
    for told in explained(champion, with_context):
        truth = math.log(told.expected / told.reference_expected)
        assert sum(told.contributions.values()) == pytest.approx(truth, abs=2e-5)
        assert 1 <= told.rank <= told.n_cells
    hot = explained(champion, with_context)[CELLS.tolist().index(62)]
    assert hot.expected > 1.5 * hot.reference_expected  # else the sums above would prove little


def test_the_parts_are_families_other_types_and_layers_by_name() -> None:
    (told, *_) = explained("blend", True)
    assert list(told.contributions) == [
        "recent_here", "recent_nearby", "long_run_here", "long_run_nearby", "time_of_day", "other:robbery",
        "context:bars", "context:noise", "event:stadium", "weather:rain", "calendar",
    ]  # fmt: skip
    assert [part_family(part) for part in list(told.contributions)[4:]] == [
        "time_of_day", "other_types", "context", "context", "events", "weather", "calendar",
    ]  # fmt: skip
    assert context_layer("event:stadium_400m") == "stadium"
    assert context_family("bars_150m") == "context"


@pytest.mark.parametrize("champion", LEARNED)
def test_season_and_weather_are_the_same_everywhere_and_explain_no_place(champion: str) -> None:
    for told in explained(champion, True):
        assert told.contributions["calendar"] == 0.0
        assert told.contributions["weather:rain"] == 0.0


@pytest.mark.parametrize("champion", ["log_linear", "mixture", "boosted_mixture", "blend"])
def test_a_layer_without_influence_gets_nothing_and_one_with_influence_gets_its_share(champion: str) -> None:
    hot = max(explained(champion, True), key=lambda told: told.expected)
    assert abs(hot.contributions["context:noise"]) < 0.05
    assert hot.contributions["context:bars"] > 0.2


@pytest.mark.parametrize("champion", BASELINES)
def test_a_plain_count_is_explained_by_what_it_counts_alone(champion: str) -> None:
    for told in explained(champion, True):
        own = ("recent_here", "recent_nearby", "long_run_here", "long_run_nearby", "time_of_day")
        assert all(value == 0.0 for part, value in told.contributions.items() if part not in own)


def test_the_layers_terms_are_the_contexts_rate_itself() -> None:
    shape = models(True)["blend"].shape
    assert shape.scaler is not None
    assert shape.context_rate is not None
    z = shape.scaler.transform(layers())
    for slot in range(len(SHIFTS)):
        gap = np.log(shape.context_rate.rates[slot]) - shape.context_rate.log_terms(z, slot).sum(axis=1)
        assert np.ptp(gap) < 1e-4
        assert np.ptp(np.log(shape.context_rate.rates[slot])) > 0.5


def test_the_shrunk_columns_follow_from_the_others_to_the_last_bit() -> None:
    layout = models(True)["blend"].shape.layout
    rates = np.random.default_rng(0).gamma(0.5, 2.0, (40, len(layout.sources), 47)).astype(np.float32)
    calendar, context = np.zeros((40, 6), np.float32), np.zeros((40, len(LAYERS)), np.float32)
    X = layout.matrix(rates, 812.0, calendar, np.linspace(0.1, 4.0, 40, dtype=np.float32), context)
    again = X.copy()
    again[:, [column for column, part in enumerate(layout.parts[:-11]) if not part][:-1]] = np.nan
    layout.derive(again, 812.0)
    assert np.array_equal(X, again)


class Game:
    """A made-up model: main effects of parts, and products of two parts, on the log scale."""

    def __init__(self, layout: Layout, main: np.ndarray, pairs: np.ndarray) -> None:
        self.columns = [layout.parts.index(name) for name in layout.part_names]
        self.main, self.pairs = main, pairs

    def predict(self, X: np.ndarray) -> np.ndarray:
        values = X[:, self.columns].astype(np.float64)
        return np.exp(values @ self.main + np.einsum("ri,ij,rj->r", values, self.pairs, values))


def game_rows(seed: int) -> tuple[Layout, Game, np.ndarray]:
    layout = Layout(0, ("burglary", "robbery"), ("bars_150m", "weather:rain"), N)
    rng = np.random.default_rng(seed)
    n = len(layout.part_names)
    game = Game(layout, rng.normal(0, 0.5, n), rng.normal(0, 0.1, (n, n)))
    return layout, game, rng.random((4, len(layout.names))).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_effects_and_interactions_of_two_parts_are_split_exactly_as_shapley_would(seed: int) -> None:
    layout, game, rows = game_rows(seed)
    X, reference = rows[:1], rows[1]
    names, parts = contributions(game, layout, X, reference, 100.0)
    # In a game of pairs a part's Shapley value is the mean of its change first of all and last of all.
    for number, name in enumerate(names):
        mine = [column for column, part in enumerate(layout.parts) if part == name]
        first, last = reference.copy(), X[0].copy()
        first[mine], last[mine] = X[0][mine], reference[mine]
        risk = np.log(game.predict(np.stack([first, reference, X[0], last])))
        assert parts[0, number] == pytest.approx(0.5 * (risk[0] - risk[1] + risk[2] - risk[3]), abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_seen_from_the_other_cell_every_contribution_changes_its_sign(seed: int) -> None:
    layout, game, rows = game_rows(seed)
    there, back = (contributions(game, layout, rows[[a]], rows[b], 100.0)[1] for a, b in ((0, 1), (1, 0)))
    assert np.allclose(there, -back, atol=1e-5)
    assert np.array_equal(contributions(game, layout, rows[[1]], rows[1], 100.0)[1], np.zeros_like(there))


def test_a_cell_is_explained_alike_alone_and_among_many() -> None:
    layout, game, rows = game_rows(5)
    many = np.repeat(rows[:3], 300, axis=0)
    _, together = contributions(game, layout, many, rows[3], 100.0)
    for number in range(3):
        _, alone = contributions(game, layout, rows[[number]], rows[3], 100.0)
        assert np.allclose(together[300 * number : 300 * (number + 1)], alone, atol=1e-12)


def test_the_orders_taken_come_near_to_all_orders_for_a_real_model() -> None:
    told = max(explained("blend", False), key=lambda one: one.expected)
    exact = all_orders(told.cell)
    for part, value in told.contributions.items():
        assert value == pytest.approx(
            exact[part], abs=0.05 * abs(math.log(told.expected / told.reference_expected))
        )


def all_orders(cell: int) -> dict[str, float]:
    """The exact values by brute force: six parts that differ, all 720 orders."""
    import forecasting.engine.explain as engine

    def every_order(n: int) -> Any:
        number: dict[bytes, int] = {}
        states: list[np.ndarray] = []
        for bits in [0, 2**n - 1, *range(1, 2**n - 1)]:
            state = np.array([bool(bits >> k & 1) for k in range(n)])
            number[state.tobytes()] = len(states)
            states.append(state)
        paths = []
        for order in permutations(range(n)):
            now, path = np.zeros(n, dtype=bool), [0]
            for player in order:
                now[player] = True
                path.append(number[now.tobytes()])
            paths.append((np.array(path), np.array(order)))
        return np.array(states), paths

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(engine, "_states", every_order)
        (told,) = explain_cells(
            models={"burglary": models(False)["blend"]},
            grid=GRID,
            incidents=city(np.random.default_rng(42), n=4_000, days=DAYS),
            period=TONIGHT,
            shifts=SHIFTS,
            context=None,
            context_names=(),
            cells={"burglary": np.array([cell])},
        )["burglary"]
    return told.contributions
