"""The words of an explanation: every number in them is counted again from the raw incidents and layers."""

import json
import math
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.explain import Explanation
from forecasting.engine.nearby import LayerAmount, RecentCount
from forecasting.engine.train import explain, explain_many, forecast
from forecasting.engine.wording import (
    HEADLINE_LENGTH,
    RAISES,
    Labels,
    clauses,
    counted,
    headline,
    mission_clauses,
    words,
)
from tests.forecasting.engine_city import SHIFTS
from tests.forecasting.test_engine_train import (
    AS_OF,
    GRID,
    TARGETS,
    TONIGHT,
    context_layer,
    incidents,
    live,
    live_with_context,
)

LABELS = Labels({"burglary": "Burglary", "robbery": "Robbery"}, {"bars": "Bars"}, "Evening")
CELLS = np.arange(0, len(GRID), 3)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def given_city() -> dict[str, object]:
    return {"grid": GRID, "incidents": incidents(), "shifts": SHIFTS, "as_of_utc": AS_OF, "period": TONIGHT}


@cache
def told() -> list[Explanation]:
    """A third of the city's cells for both types, with the reference cell among them."""
    found = explain_many(trained=live(), cells=dict.fromkeys(TARGETS, CELLS), **given_city())  # type: ignore[arg-type]
    return [one for rows in found.values() for one in rows]


class Recount:
    """Counts around one cell, incident by incident."""

    def __init__(self, cell: int) -> None:
        table = incidents()
        known = np.flatnonzero((table.known_utc < AS_OF) & (table.occurred_utc <= TONIGHT.from_utc[0]))
        self.table = table.take(known)
        self.age = (TONIGHT.from_utc[0] - self.table.occurred_utc) / np.timedelta64(1, "s") / 86_400
        self.years = min(float(self.age.max()), 3 * 365.25) / 365.25
        x, y = GRID.centres()
        self.distance = np.hypot(self.table.x_m - x[cell], self.table.y_m - y[cell])
        self.cell = cell
        hour = (
            self.table.occurred_local - self.table.occurred_local.astype("datetime64[D]")
        ) / np.timedelta64(1, "h")
        self.in_evening = (hour >= 16) & (hour < 24)

    def near(self, category: str, radius_m: float, days: float = math.inf) -> np.ndarray:
        of_type = self.table.category == self.table.categories.index(category)
        return of_type & (self.distance <= radius_m) & (self.age <= days)

    def per_year(self, category: str, cell: int) -> float:
        at = GRID.locate(self.table.x_m, self.table.y_m)
        return (
            float(((at == cell) & (self.table.category == self.table.categories.index(category))).sum())
            / self.years
        )


def plural(slug: str) -> str:
    return {"burglary": "burglar(?:y|ies)", "robbery": "robber(?:y|ies)"}[slug]


def checked(one: Explanation, text: str) -> bool:
    """Take a clause apart with patterns of its own, count everything again, and leave no number unread."""
    again = Recount(one.cell)
    middle = Recount(one.reference_cell)
    for slug in TARGETS:
        if found := re.fullmatch(
            rf"(\d+) {plural(slug)} within (\d+) m in (two weeks|45 days)"
            r"(?: \((usual|middle cell) ([\d.]+)\))?",
            text,
        ):
            days = 14 if found[3] == "two weeks" else 45
            assert int(found[1]) == again.near(slug, float(found[2]), days).sum()
            if found[4]:
                where = again if found[4] == "usual" else middle
                usual = where.near(slug, float(found[2])).sum() * days / (again.years * 365.25)
                assert found[5] == f"{usual:.1f}"
            return True
        if found := re.fullmatch(
            rf"([\d.]+) {plural(slug)} a year within (\d+) m(?: \(middle cell ([\d.]+)\))?", text
        ):
            assert found[1] == f"{again.near(slug, float(found[2])).sum() / again.years:.1f}"
            assert not found[3] or found[3] == f"{middle.near(slug, float(found[2])).sum() / again.years:.1f}"
            return True
    name = plural(one.target)
    if found := re.fullmatch(r"long run: ([\d.]+) a year here, ([\d.]+) in the cells around", text):
        assert found[1] == f"{again.per_year(one.target, one.cell):.1f}"
        row, col = GRID.rows[one.cell], GRID.cols[one.cell]
        around = np.flatnonzero((abs(GRID.rows - row) <= 1) & (abs(GRID.cols - col) <= 1))
        mean = np.mean([again.per_year(one.target, int(cell)) for cell in around if cell != one.cell])
        assert found[2] == f"{mean:.1f}"
        return True
    if found := re.fullmatch(
        rf"(\w+) evening: ([\d.]+) % of {name} within (\d+) m fall in this shift \(city ([\d.]+) %\)", text
    ):
        near = again.near(one.target, float(found[3]))
        everywhere = again.near(one.target, math.inf)
        assert found[2] == f"{100 * again.in_evening[near].mean():.0f}"
        assert found[4] == f"{100 * again.in_evening[everywhere].mean():.0f}"
        assert found[1] == TONIGHT.local_from[0].astype("datetime64[s]").item().strftime("%A")
        return True
    if found := re.fullmatch(rf"\w+ evening: ([\d.]+) {name} a year within (\d+) m in this shift", text):
        near = again.near(one.target, float(found[2]))
        assert found[1] == f"{again.in_evening[near].sum() / again.years:.1f}"
        return True
    return False


def test_every_number_in_every_clause_is_what_counting_again_gives() -> None:
    seen = set()
    for one in told():
        for clause in clauses(one, LABELS):
            assert checked(one, clause.text), clause.text
            seen.add((clause.parts[0].split(":")[0], clause.value > 0))
    assert {("recent_here", True), ("long_run_here", True), ("time_of_day", True), ("other", True)} <= seen
    assert any(not raises for _, raises in seen)


def test_every_number_of_a_headline_stands_in_the_clauses_it_was_made_of() -> None:
    for one in told():
        line = headline(one, LABELS)
        assert 0 < len(line) <= HEADLINE_LENGTH
        known = {number for clause in clauses(one, LABELS) for number in NUMBER.findall(clause.text)}
        times = one.expected / one.reference_expected
        known.add(f"{times:.1f}" if times >= 0.95 else f"{times:.2g}")
        assert set(NUMBER.findall(line)) <= known


def test_clauses_speak_only_of_parts_that_matter_and_strongest_first() -> None:
    for one in told():
        found = clauses(one, LABELS)
        for clause in found:
            assert clause.value == pytest.approx(sum(one.contributions[part] for part in clause.parts))
            assert abs(clause.value) >= RAISES
        raising = [clause.value for clause in found if clause.value > 0]
        assert raising == sorted(raising, reverse=True)
        assert mission_clauses(one, LABELS) == [clause.text for clause in found if clause.value > 0][:3]
        for clause in found:
            said = clause.text[:1].upper() + clause.text[1:]
            ending = "." if clause.value > 0 else ": lowers the expected count."
            assert f"{said}{ending}" in words(one, LABELS)


def test_the_first_sentences_repeat_the_forecast() -> None:
    surface = forecast(trained=live(), **given_city())["burglary"]  # type: ignore[arg-type]
    cell = int(np.argmax(surface))
    (one,) = explain(trained=live(), cells=np.array([cell]), target="burglary", **given_city())
    assert one.expected == pytest.approx(float(surface[cell]), rel=1e-5)
    assert (one.rank, one.cell_id) == (1, GRID.cells[cell])
    assert one.reference_expected == pytest.approx(float(np.sort(surface)[len(surface) // 2]), rel=1e-5)
    first, second, *_ = words(one, LABELS)
    assert first == f"Expected in this shift: {one.expected:.4f} burglaries; rank 1 of {len(GRID)} cells."
    assert second == f"That is {one.expected / one.reference_expected:.1f} times the city's middle cell."
    json.dumps(one.as_dict())


def test_where_a_layer_was_counted_the_count_is_told_and_else_the_column() -> None:
    extra = {"context": context_layer(), "context_names": ("bars", "noise")}
    surface = forecast(trained=live_with_context(), **given_city(), **extra)["burglary"]  # type: ignore[arg-type]
    cells = np.argsort(-surface)[:3]
    found = explain(trained=live_with_context(), cells=cells, target="burglary", **given_city(), **extra)
    for one, cell in zip(found, cells, strict=True):
        one = replace(one, contributions=one.contributions | {"context:bars": 0.5})
        value, mean = context_layer()[cell, 0], context_layer()[:, 0].mean()
        assert f"bars {value:.3g} (average cell {mean:.3g})" in [row.text for row in clauses(one, LABELS)]
        counted_near = (
            LayerAmount("bars", 150.0, "places", 4.0, 0.0),
            LayerAmount("bars", 400.0, "places", 9.0, 2.0),
        )
        told_near = [row.text for row in clauses(replace(one, layers=counted_near), LABELS)]
        assert "near 4 bars (within 150 m; middle cell 0)" in told_near


def made_up(**changes: object) -> Explanation:
    row = RecentCount("robbery", 14, 250.0, 3, 0.8, 20.9, 1.0)
    base = Explanation(
        target="robbery", cell=1, cell_id=7, expected=0.02, reference_cell=0, reference_expected=0.005, rank=2,
        n_cells=100, recent=(row,), per_year_here=5.2, per_year_neighbours=1.1, per_year_city_mean=0.4,
        shift_slug="evening", weekday=4, shift_radius_m=400.0, shift_share=0.41, city_shift_share=0.33,
        shift_per_year=9.1, context=(), contributions={}, layers=(LayerAmount("bars", 150.0, "places", 4.0, 1.0),),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name


def test_the_sergeants_example_reads_as_it_was_asked_for() -> None:
    parts = {
        "recent_here": 0.5,
        "recent_nearby": 0.4,
        "context:bars": 0.5,
        "time_of_day": 0.3,
        "long_run_here": 0.1,
    }
    one = made_up(contributions=parts)
    assert mission_clauses(one, LABELS) == [
        "3 robberies within 250 m in two weeks (usual 0.8)",
        "near 4 bars (within 150 m; middle cell 1)",
        "Friday evening: 41 % of robberies within 400 m fall in this shift (city 33 %)",
    ]
    assert headline(one, LABELS) == (
        "3 robberies within 250 m in two weeks; near 4 bars; Friday evening (41 % in this shift, city 33 %)"
    )


def test_what_the_counts_do_not_bear_out_is_left_to_the_table() -> None:
    quiet = RecentCount("robbery", 14, 250.0, 0, 0.8, 20.9, 1.0)
    assert clauses(made_up(contributions={"recent_here": 0.5}, recent=(quiet,)), LABELS) == []
    assert clauses(made_up(contributions={"recent_here": -0.5}), LABELS) == []
    assert clauses(made_up(contributions={"time_of_day": -0.5}), LABELS) == []
    assert clauses(made_up(contributions={"calendar": 0.5, "context:unknown": 0.5}), LABELS) == []
    equal = made_up(contributions={"time_of_day": 0.4}, shift_share=0.333, city_shift_share=0.33)
    assert [row.text for row in clauses(equal, LABELS)] == [
        "Friday evening: 9.1 robberies a year within 400 m in this shift"
    ]
    assert (
        headline(made_up(contributions={"calendar": 0.5}), LABELS)
        == "Expected count 4.0 times the middle cell's"
    )


def test_layers_of_lines_and_areas_say_their_unit_and_what_is_missing_is_said() -> None:
    def said(value: float, *layers: LayerAmount) -> list[str]:
        one = made_up(contributions={"context:bars": value}, layers=layers)
        return [row.text for row in clauses(one, LABELS)]

    assert said(0.3, LayerAmount("bars", 150.0, "km", 1.23, 0.4)) == [
        "near 1.2 km of bars (within about 150 m; middle cell 0.4 km)"
    ]
    assert said(0.3, LayerAmount("bars", 150.0, "places", 0.0, 2.0)) == [
        "no bars within 150 m (middle cell 2)"
    ]
    assert said(-0.3, LayerAmount("bars", 150.0, "ha", 0.5, 2.0)) == [
        "bars: only 0.5 ha within about 150 m (middle cell 2.0 ha)"
    ]
    # Both alike around the corner: what differs is further away.
    assert said(
        0.3, LayerAmount("bars", 150.0, "places", 1.0, 1.0), LayerAmount("bars", 400.0, "places", 6.0, 1.0)
    ) == ["near 6 bars (within 400 m; middle cell 1)"]
    assert said(0.3, LayerAmount("bars", 150.0, "places", 1.0, 1.0)) == []


@pytest.mark.parametrize(
    ("count", "name", "text"),
    [
        (3, "Robbery", "3 robberies"), (1, "Robbery", "1 robbery"), (2, "Motor vehicle theft", "2 motor vehicle thefts"),
        (1, "Calls for service", "1 call for service"), (0, "Calls for service", "0 calls for service"),
        (2, "Gunfire", "2 gunfire alerts"), (1, "Bus stops", "1 bus stop"), (1, "Libraries", "1 library"),
        (1, "Churches", "1 church"), (2, "CTA stations", "2 CTA stations"), (2, "Theft (retail)", "2 theft (retail)"),
    ],
)  # fmt: skip
def test_things_are_counted_in_english(count: int, name: str, text: str) -> None:
    assert counted(count, name) == text


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-2, 2), min_size=5, max_size=5),
    st.integers(0, 30), st.floats(0, 30), st.floats(0, 300), st.floats(0, 1), st.floats(0, 1), st.text(max_size=200),
)  # fmt: skip
def test_whatever_the_numbers_a_headline_is_one_short_line(
    values: list[float], count: int, usual: float, per_year: float, share: float, city: float, name: str
) -> None:
    parts = dict(
        zip(
            ("recent_here", "long_run_here", "time_of_day", "other:robbery", "context:bars"),
            values,
            strict=True,
        )
    )
    one = made_up(
        contributions=parts, recent=(RecentCount("robbery", 14, 250.0, count, usual, per_year, 1.0),),
        per_year_here=per_year, shift_share=share, city_shift_share=city,
    )  # fmt: skip
    labels = Labels({"robbery": name}, {"bars": name}, name)
    line = headline(one, labels)
    assert 0 < len(line) <= HEADLINE_LENGTH
    assert len(mission_clauses(one, labels)) <= 3
