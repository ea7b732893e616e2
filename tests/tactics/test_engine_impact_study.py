"""A study's table is laid from plans and crimes alone, and counts what a person with a pencil would count."""

from dataclasses import replace

import numpy as np
import pytest

from forecasting.engine.grid import GridSpec
from patrols.engine.plan import DesignPolicy, plan_draw
from tactics.engine.impact import CrimeEvents, OutcomeWindow, ShiftDraw, StudyError, build_study
from tactics.engine.impact.laying import TableLayer, _Column
from tactics.engine.impact.outcomes import Reach, neighbours_of
from tactics.engine.impact.stored import study_part
from tactics.engine.impact.sums import plan_sums, type_sums

SIDE, SHIFTS = 7, 5
DAY = 24 * 60.0


@pytest.fixture(scope="module")
def scene():
    """A city of 7 × 7 cells with a hole in it, two beats, five shifts of eight hours, 400 crimes of two types."""
    rng = np.random.default_rng(8)
    cells = np.delete(np.arange(SIDE * SIDE), 24)
    grid = GridSpec(32615, 1000.0, 2000.0, 250.0, SIDE, SIDE, cells)
    x_m, y_m = grid.centres()
    beat = np.where(grid.cols < 4, 3, 8).astype(np.int64)
    shifts = []
    for s in range(SHIFTS):
        harm = rng.gamma(1.0, 1.0, len(grid))
        draw = plan_draw(
            harm=harm,
            beat_of_cell=beat,
            beat_k={3: 2, 8: 3},
            suppressed=rng.random(len(grid)) < 0.1,
            planned_minutes=np.zeros(len(grid)),
            days_since_last=np.full(len(grid), np.inf),
            x_m=x_m,
            y_m=y_m,
            shift_minutes=480,
            policy=DesignPolicy(),
            seed=s,
        )
        shifts.append(
            ShiftDraw(
                s * 480.0,
                draw,
                harm / 10,
                np.stack([harm / 20, harm / 20]),
                delivered_minutes=rng.random(len(grid)),
            )
        )
    n = 400
    events = CrimeEvents(
        rng.uniform(-8 * DAY, 3 * DAY, n),
        1000 + rng.uniform(-100, SIDE * 250 + 100, n),
        2000 + rng.uniform(-100, SIDE * 250 + 100, n),
        rng.integers(0, 2, n),
    )
    return grid, shifts, events


def rows_of(grid, shifts, window):
    """Every row by a plain loop: shift, cell, drawn, opens, closes in minutes."""
    for s, one in enumerate(shifts):
        for i in range(len(one.draw)):
            opens = one.starts_at_minute + one.draw.visit_start_minutes[i, 0]
            closes = opens + window.minutes
            if window.stop_at_next_draw:
                end = (
                    shifts[s + 1].starts_at_minute
                    if s + 1 < len(shifts)
                    else one.starts_at_minute + one.draw.shift_minutes
                )
                closes = max(min(closes, end), opens)
            yield s, int(one.draw.cell[i]), bool(one.draw.drawn[i]), opens, closes


def counted(grid, events, cells, opens, closes, kind=None):
    total = 0
    for at, x, y, t in zip(events.at_minute, events.x_m, events.y_m, events.type_index, strict=True):
        col, row = int((x - grid.x0_m) // grid.cell_size_m), int((y - grid.y0_m) // grid.cell_size_m)
        if 0 <= col < SIDE and 0 <= row < SIDE and row * SIDE + col in cells and opens <= at < closes:
            total += kind is None or kind == t
    return total


@pytest.mark.parametrize("stretch_rows", [500_000, 100])
@pytest.mark.parametrize("window", [OutcomeWindow(), OutcomeWindow(300.0, stop_at_next_draw=False)])
def test_counts_are_those_of_a_plain_loop_over_crimes(scene, window, stretch_rows, monkeypatch):
    monkeypatch.setattr("tactics.engine.impact.laying.STRETCH_ROWS", stretch_rows)
    grid, shifts, events = scene
    study = build_study(
        grid=grid, shifts=shifts, events=events, window=window, type_names=("theft", "robbery")
    )
    assert study.problems() == ()
    for i, (s, cell, drawn, opens, closes) in enumerate(rows_of(grid, shifts, window)):
        flat = int(grid.cells[cell])
        row, col = divmod(flat, SIDE)
        ring = {
            r * SIDE + c
            for r in range(row - 1, row + 2)
            for c in range(col - 1, col + 2)
            if 0 <= r < SIDE and 0 <= c < SIDE and (r, c) != (row, col) and r * SIDE + c != 24
        }
        start = shifts[s].starts_at_minute
        assert study.cell[i] == cell
        assert study.drawn[i] == drawn
        assert study.outcome[i] == counted(grid, events, {flat}, opens, closes)
        assert study.ring_outcome[i] == counted(grid, events, ring, opens, closes)
        assert study.before[i] == counted(grid, events, {flat}, start, opens)
        assert study.ring_before[i] == counted(grid, events, ring, start, opens)
        assert study.week_before[i] == counted(grid, events, {flat}, start - 7 * DAY, start)
        assert study.type_outcome[1, i] == counted(grid, events, {flat}, opens, closes, 1)
        assert study.forecast[i] == pytest.approx(shifts[s].forecast[cell] * (closes - opens) / 480)
        positions = grid.index_of(np.array(sorted(ring)))
        assert study.ring_forecast[i] == pytest.approx(
            shifts[s].forecast[positions].sum() * (closes - opens) / 480
        )
    assert study.type_outcome.sum() == study.outcome.sum()


def test_other_missions_reach_is_that_of_a_plain_loop(scene):
    grid, shifts, events = scene
    study = build_study(grid=grid, shifts=shifts, events=events)
    ring = [set(one[one >= 0].tolist()) for one in neighbours_of(grid)]
    stops = np.append(study.plan_start[1:], len(study))
    shift = np.repeat(study.plan_shift, stops - study.plan_start)
    opens, closes = study.start_minutes, study.start_minutes + study.window_minutes
    for i in range(0, len(study), 7):
        spill = inside = further = 0.0
        for j in np.flatnonzero((shift == shift[i]) & study.drawn):
            if j == i:
                continue
            overlap = max(0.0, min(closes[i], closes[j]) - max(opens[i], opens[j])) / study.window_minutes[j]
            mine, theirs = ring[study.cell[i]], ring[study.cell[j]]
            spill += study.forecast[j] * overlap * (study.cell[i] in theirs) / len(theirs)
            inside += study.forecast[j] * overlap * (study.cell[j] in mine)
            further += study.forecast[j] * overlap * len(mine & theirs) / len(theirs)
        assert study.spill_in[i] == pytest.approx(spill)
        assert study.ring_drawn[i] == pytest.approx(inside)
        assert study.ring_spill_in[i] == pytest.approx(further)


def test_a_window_past_the_next_draw_is_said_to_include_later_policy(scene):
    grid, shifts, events = scene
    crossing = build_study(
        grid=grid, shifts=shifts, events=events, window=OutcomeWindow(600.0, stop_at_next_draw=False)
    )
    stopped = build_study(grid=grid, shifts=shifts, events=events, window=OutcomeWindow(600.0))
    assert crossing.includes_later_policy
    assert not stopped.includes_later_policy
    assert (stopped.start_minutes + stopped.window_minutes).max() <= 480


def test_plans_and_weeks_are_told_apart(scene):
    grid, shifts, events = scene
    study = build_study(grid=grid, shifts=shifts, events=events, district_of_beat={3: 1, 8: 2})
    assert study.plans == 2 * SHIFTS
    assert study.plan_beat.tolist() == [3, 8] * SHIFTS
    assert study.plan_district.tolist() == [1, 2] * SHIFTS
    assert set(study.plan_week.tolist()) == {0}


def test_chunks_cover_every_row_once_and_cut_no_plan(scene, monkeypatch):
    grid, shifts, events = scene
    study = build_study(grid=grid, shifts=shifts, events=events)
    monkeypatch.setattr("tactics.engine.impact.study.CHUNK_ROWS", 40)
    chunks = study.chunks()
    assert len(chunks) > 1
    assert np.concatenate([np.arange(rows.start, rows.stop) for _, rows in chunks]).tolist() == list(
        range(len(study))
    )
    assert all(rows.start == study.plan_start[plans.start] for plans, rows in chunks)


def test_shifts_out_of_order_are_refused_with_the_next_step(scene):
    grid, shifts, events = scene
    with pytest.raises(StudyError, match="ascending order of start"):
        build_study(grid=grid, shifts=shifts[::-1], events=events)


def test_a_probability_of_one_is_named_as_a_problem(scene):
    grid, shifts, events = scene
    study = build_study(grid=grid, shifts=shifts, events=events)
    certain = replace(study, pi=np.where(np.arange(len(study)) == 3, 1.0, study.pi))
    assert "not between 0 and 1" in certain.problems()[0]


def test_two_rings_of_a_cell_in_the_middle_have_24_cells():
    grid = GridSpec(32615, 0.0, 0.0, 100.0, 5, 5, np.arange(25))
    reach = Reach.of(neighbours_of(grid))
    assert set(reach.cell[12].tolist()) == set(range(25)) - {12}
    assert reach.into_cell[12].sum() == pytest.approx(1.0)
    # A crime displaced from the middle lands in the ring of each neighbour that shares boxes with it.
    right = reach.cell[12].tolist().index(13)
    assert reach.into_ring[12, right] == pytest.approx(4 / 8)


@pytest.mark.parametrize("narrow_rows", [5_000_000, 0])
def test_a_table_laid_for_a_part_of_town_is_that_part_of_the_whole(scene, narrow_rows, monkeypatch):
    monkeypatch.setattr("tactics.engine.impact.laying.NARROW_ROWS", narrow_rows)
    monkeypatch.setattr("tactics.engine.impact.laying.STRETCH_ROWS", 100)
    grid, shifts, events = scene
    names, districts = ("theft", "robbery"), {3: 1, 8: 2}
    whole = build_study(grid=grid, shifts=shifts, events=events, type_names=names, district_of_beat=districts)
    layer = TableLayer(
        grid, events, most_rows=SHIFTS * len(grid), type_names=names, types_by_plan=True, measured=True,
        district_of_beat=districts, districts=frozenset((2,)),
    )  # fmt: skip
    for s, one in enumerate(shifts):
        layer.add(one, studied=s != 1)
    laid = layer.finish()
    part = study_part(whole, (whole.plan_district == 2) & (whole.plan_shift != 1))
    for name in ("cell", "drawn", "outcome", "week_before", "spill_in", "start_minutes", "delivered_minutes"):
        assert np.array_equal(getattr(laid, name), getattr(part, name)), name
    for name in ("plan_start", "plan_shift", "plan_beat", "plan_week", "plan_district"):
        assert np.array_equal(getattr(laid, name), getattr(part, name)), name
    one, other = (plan_sums(study, ("missions",))["missions"] for study in (laid, part))
    for index in range(2):
        by_plan, by_row = type_sums(laid, one, index), type_sums(part, other, index)
        assert np.allclose(by_plan.treated, by_row.treated, rtol=1e-6)
        assert np.allclose(by_plan.design_b, by_row.design_b, rtol=1e-6)
        assert np.array_equal(by_plan.treated_events, by_row.treated_events)


def test_a_column_widens_when_a_number_does_not_fit_and_keeps_what_it_had():
    column = _Column(5, (np.uint8, np.uint16, np.float32))
    column.put(slice(0, 2), np.array([3, 255]))
    assert column.values.dtype == np.uint8
    column.put(slice(2, 3), np.array([256]))
    assert column.values.dtype == np.uint16
    column.put(slice(3, 5), np.array([1.5, -2.0]))
    assert column.values.dtype == np.float32
    assert column.values.tolist() == [3.0, 255.0, 256.0, 1.5, -2.0]


def test_a_part_of_town_without_a_plan_says_so(scene):
    grid, shifts, events = scene
    layer = TableLayer(grid, events, most_rows=1000, beats=frozenset((99,)))
    layer.add(shifts[0])
    with pytest.raises(StudyError, match="No plan of the study lies"):
        layer.finish()
