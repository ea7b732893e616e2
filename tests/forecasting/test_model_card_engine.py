"""The card's figures: the same crimes as the league, counted another way, and an ablation that a brute force agrees with."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from forecasting.engine.ablation import KeptRows, ablation, neutral_columns
from forecasting.engine.card import (
    Groups,
    Tally,
    curve_cells,
    hits_within,
)
from forecasting.engine.design import CALENDAR, FAMILIES, Layout
from forecasting.engine.metrics import log_score, worst_ranks
from forecasting.engine.train import TrainedType, forecast, train
from tests.forecasting.engine_city import SHIFTS, city, shift_instances, square_grid

DAYS = 170
GRID = square_grid(400.0)
CATEGORIES = ("burglary", "robbery")
LAYOUT = Layout(0, CATEGORIES, ("bars",), len(GRID))


def quarters() -> Groups:
    """Four quarters of the city; the first column of cells belongs to none."""
    x, y = GRID.centres()
    number = 2 * (x > 3_000) + (y > 3_000)
    return Groups(np.where(x < 400, -1, number).astype(np.int64), ("SW", "NW", "SE", "NE"))


@cache
def trained() -> dict[str, TrainedType]:
    return train(
        grid=GRID,
        incidents=city(np.random.default_rng(42), n=4_000, days=DAYS),
        periods=shift_instances(DAYS),
        shifts=SHIFTS,
        targets=CATEGORIES,
        as_of_utc=shift_instances(DAYS).to_utc[-1],
        rng=np.random.default_rng(1),
        groups=quarters(),
    )


def test_shifts_weeks_and_risk_groups_each_hold_every_tested_crime_once() -> None:
    one = trained()["burglary"]
    for part in ("shifts", "weeks", "reliability"):
        assert sum(row["observed"] for row in one.card[part]) == one.tested_events
    expected = sum(row["expected"] for row in one.card["shifts"])
    for part in ("weeks", "reliability"):
        assert sum(row["expected"] for row in one.card[part]) == pytest.approx(expected)
    assert sum(row["periods"] for row in one.card["shifts"]) == one.tested_periods
    assert sum(row["share_of_cells"] for row in one.card["reliability"]) == pytest.approx(1.0)


def test_areas_hold_the_crimes_of_their_cells_and_no_others() -> None:
    one = trained()["burglary"]
    rows = {row["name"]: row for row in one.card["areas"]}
    assert list(rows) == ["SW", "NW", "SE", "NE"]
    inside = int((quarters().of_cell >= 0).sum())
    assert sum(row["cells"] for row in rows.values()) == inside < len(GRID)
    assert sum(row["observed"] for row in rows.values()) < one.tested_events
    # The hot corner of the made-up city.
    assert max(rows, key=lambda name: rows[name]["observed"]) == "SW"
    for row in rows.values():
        assert row["observed_low"] <= row["observed"] <= row["observed_high"]


def test_the_curve_passes_through_the_leagues_hit_rates() -> None:
    one = trained()["burglary"]
    curve = one.card["curve"]
    rate = {cells: row["value"] for cells, row in zip(curve["cells"], curve["champion"], strict=True)}
    champion = next(row for row in one.league if row.name == one.champion)
    shared = [area for area in champion.areas if area.cells in rate]
    assert shared
    for area in shared:
        assert rate[area.cells] == pytest.approx(area.hit_rate.value)
    values = [row["value"] for row in curve["champion"]]
    assert values == sorted(values)
    assert curve["share"][-1] == pytest.approx(0.2, abs=0.01)


def test_groups_of_risk_ascend_and_each_expects_about_a_tenth() -> None:
    rows = trained()["burglary"].card["reliability"]
    per_cell = [row["expected_per_cell"] for row in rows]
    assert per_cell == sorted(per_cell)
    total = sum(row["expected"] for row in rows)
    # Steps of a fifth in risk cannot cut exact tenths where many cells share one risk.
    assert 4 <= len(rows) <= 10
    assert max(row["expected"] for row in rows) < 0.4 * total
    for row in rows:
        assert row["low_per_cell"] <= row["observed_per_cell"] <= row["high_per_cell"]


def test_the_card_is_plain_json_and_names_champion_and_baseline() -> None:
    for one in trained().values():
        record = json.loads(json.dumps(one.summary(), allow_nan=False))
        assert record["card"]["champion"] == one.champion
        plain = [row["name"] for row in record["league"] if row["is_baseline"]]
        assert record["card"]["baseline"] == plain[0]
        assert record["card"]["dispersion"] >= 1
        assert len(json.dumps(record["card"])) < 60_000


def test_the_best_plain_count_is_kept_beside_a_learned_champion_and_forecasts_the_same_total() -> None:
    for one in trained().values():
        plain = one.plain()
        if not one.beats_baseline:
            assert plain is None
            continue
        assert plain is not None
        given: dict[str, Any] = {
            "grid": GRID, "incidents": city(np.random.default_rng(42), n=4_000, days=DAYS), "shifts": SHIFTS,
            "period": shift_instances(DAYS + 1).take([3 * DAYS]), "as_of_utc": shift_instances(DAYS).to_utc[-1],
        }  # fmt: skip
        both = forecast(trained={"model": one, "plain": plain}, **given)
        assert both["plain"].sum() == pytest.approx(both["model"].sum(), rel=1e-4)
        assert not np.allclose(both["plain"], both["model"])


class OneColumn:
    """A model that reads a single column."""

    def __init__(self, column: int) -> None:
        self.column = column

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X[:, self.column].astype(np.float64) + 0.1


def kept_rows(
    n_periods: int = 6, n: int = 30
) -> tuple[KeptRows, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    rng = np.random.default_rng(0)
    kept, blocks = KeptRows(), []
    for number in range(n_periods):
        X = rng.gamma(1.0, 1.0, (n, len(LAYOUT.names))).astype(np.float32)
        cells, counts = np.array([1, 4, 9]), np.array([1.0, 2.0, 1.0])
        kept.add(number, n_periods, X, np.full(n, 0.1), cells, counts, rng)
        blocks.append((X, cells, counts))
    return kept, blocks


@pytest.mark.parametrize(
    "name", ["450d_here", "3d_400m", "450d_200m_same_shift", "context:bars", "context_rate"]
)
def test_ablation_of_a_small_city_equals_the_difference_of_log_scores(name: str) -> None:
    column = LAYOUT.names.index(name)
    family = LAYOUT.families[column]
    kept, shifts = kept_rows()
    model = OneColumn(column)
    calendar = np.zeros((len(shifts), len(CALENDAR)), np.float32)
    rows = ablation(
        model, LAYOUT, kept, calendar, np.arange(len(shifts)), np.zeros((1, len(shifts)), np.int64), np.random.default_rng(0)
    )  # fmt: skip
    lost = {row["family"]: row["lost"]["value"] for row in rows}
    # Events and weather have no column here: nothing can be held back of them.
    assert set(lost) == set(FAMILIES) - {"events", "weather"}
    total = crimes = 0.0
    for X, cells, counts in shifts:
        changed = X.copy()
        for place, (kind, what) in neutral_columns(LAYOUT, family).items():
            changed[:, place] = X[:, what] if kind == "column" else what
        full, without = (5.0 * risk / risk.sum() for risk in (model.predict(X), model.predict(changed)))
        total += log_score(full, cells, counts) - log_score(without, cells, counts)
        crimes += counts.sum()
    assert lost[family] == pytest.approx(total / crimes, abs=1e-9)
    for other, value in lost.items():
        assert other == family or value == pytest.approx(0.0, abs=1e-9)


def test_ablation_leaves_out_what_no_sensor_covers() -> None:
    """There nothing is expected, with any family or without it, and an alert there tells nothing of either."""
    column, watched = LAYOUT.names.index("450d_here"), np.arange(30) % 3 != 0
    rng = np.random.default_rng(0)
    kept, lost, seen = KeptRows(), 0.0, 0.0
    cells, counts = np.array([1, 4, 9]), np.array([1.0, 2.0, 1.0])
    model = OneColumn(column)
    for number in range(6):
        X = rng.gamma(1.0, 1.0, (30, len(LAYOUT.names))).astype(np.float32)
        kept.add(number, 6, X, np.where(watched, 0.1, 0.0), cells, counts, rng, watched)
        changed = X.copy()
        for place, (kind, what) in neutral_columns(LAYOUT, LAYOUT.families[column]).items():
            changed[:, place] = X[:, what] if kind == "column" else what
        full, without = (watched * model.predict(rows) for rows in (X, changed))
        lost += log_score(5.0 * full / full.sum(), cells, counts) - log_score(
            5.0 * without / without.sum(), cells, counts
        )
        seen += counts[watched[cells]].sum()
    found = ablation(
        model, LAYOUT, kept, np.zeros((6, len(CALENDAR)), np.float32), np.arange(6), np.zeros((1, 6), np.int64), rng
    )  # fmt: skip
    by_family = {row["family"]: row["lost"]["value"] for row in found}
    assert by_family[LAYOUT.families[column]] == pytest.approx(lost / seen, abs=1e-9)


def test_sums_over_a_large_city_are_estimated_from_few_cells() -> None:
    rng = np.random.default_rng(3)
    column, n = LAYOUT.names.index("450d_here"), 30_000
    X = np.zeros((n, len(LAYOUT.names)), np.float32)
    X[:, column] = rng.gamma(0.3, 1.0, n)
    risk = OneColumn(column).predict(X)
    kept = KeptRows()
    for number in range(40):
        kept.add(number, 40, X, risk, np.array([7]), np.array([1.0]), rng)
    assert len(kept.X[0]) < 300
    estimates = [weight @ risk_of(block, column) for weight, block in zip(kept.weight, kept.X, strict=True)]
    assert np.mean(estimates) == pytest.approx(risk.sum(), rel=0.03)


def risk_of(block: np.ndarray, column: int) -> np.ndarray:
    # The first row is the cell with crime, which the sample's weights do not cover.
    return OneColumn(column).predict(block[1:])


def test_a_rate_of_this_shift_gives_way_to_the_same_rate_of_all_hours() -> None:
    stand_in = neutral_columns(LAYOUT, "time_of_day")
    same_shift = LAYOUT.names.index("450d_200m_same_shift")
    assert stand_in[same_shift] == ("column", LAYOUT.names.index("450d_200m"))
    others = neutral_columns(LAYOUT, "other_types")
    assert set(others.values()) == {("value", 1)}
    assert neutral_columns(LAYOUT, "context")[LAYOUT.names.index("context:bars")] == ("value", 0)
    assert neutral_columns(LAYOUT, "calendar") == {}


def test_hits_within_counts_what_the_leagues_ranks_say() -> None:
    rng = np.random.default_rng(1)
    score, cells, counts = rng.random(200), np.array([3, 50, 120]), np.array([2.0, 1.0, 4.0])
    ranks = worst_ranks(score, cells, counts)
    ks = curve_cells(1_000)
    assert hits_within(ranks, counts, ks).tolist() == [counts[ranks <= k].sum() for k in ks]
    assert hits_within(ranks[:0], counts[:0], ks).sum() == 0


def test_a_tally_takes_in_a_shift_without_any_crime() -> None:
    tally = Tally.empty(1, 1, 3, 4)
    nothing = np.zeros(0)
    tally.add(0, 0, np.full(len(GRID), 0.01), np.zeros(0, np.int64), nothing, np.zeros(3), quarters())
    assert tally.fine_observed.sum() == 0
    assert tally.fine_expected.sum() == pytest.approx(0.01 * len(GRID))
    assert tally.group_log.sum() == pytest.approx(-0.01 * (quarters().of_cell >= 0).sum())


def test_an_area_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no name"):
        Groups(np.array([0, 2]), ("A", "B"))


def test_groups_of_risk_hold_watched_cells_only() -> None:
    """Cells that no sensor covers are no cells of low risk, and what happened there tests no forecast."""
    tally = Tally.empty(1, 1, 3, 0)
    expected = np.array([0.0, 0.0, 0.2, 0.4])
    watched = expected > 0
    tally.add(0, 0, expected, np.array([0, 3]), np.array([5.0, 1.0]), np.zeros(3), None, watched)
    assert (tally.fine_cells.sum(), tally.fine_observed.sum()) == (2, 1)
    assert tally.fine_expected.sum() == pytest.approx(0.6)
