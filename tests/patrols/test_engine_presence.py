"""Minutes from vehicle positions: never more than time passed, whatever the order, the repeats and the jitter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.engine.positions import Pings, PresenceRules, clean_pings
from patrols.engine.presence import NOWHERE, BoxGrid, box_states, vehicle_presence

SIZE = 250.0
RULES = PresenceRules()


def grid(*boxes, n=4):
    return BoxGrid(0.0, 0.0, SIZE, n, n, np.array(sorted(boxes), dtype=np.int64))


def pings(rows, received=None):
    """rows: (unit, second, x, y)."""
    unit, at, x, y = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    got = None if received is None else np.array(received, dtype=np.float64)
    return Pings(unit.astype(np.int64), at, x, y, got)


def minutes(found):
    return {
        (u, b): round(m, 6)
        for u, b, m in zip(found.unit.tolist(), found.box.tolist(), found.minutes.tolist(), strict=True)
    }


def visits(rows, boxes, from_s=0.0, to_s=1e5, **rules):
    return vehicle_presence(pings(rows), boxes, from_s=from_s, to_s=to_s, rules=PresenceRules(**rules)).visits


def standing(unit, x, y, start, stop, every=30):
    return [(unit, t, x, y) for t in range(start, stop + 1, every)]


def test_a_car_that_stands_in_a_box_gives_it_its_minutes():
    assert minutes(visits(standing(1, 125, 125, 0, 600), grid(0))) == {(1, 0): 10.0}


def test_the_crossing_is_put_halfway_between_two_positions():
    rows = [(1, 0, 400, 125), (1, 60, 125, 125), (1, 660, 125, 125), (1, 720, 400, 125)]
    assert minutes(visits(rows, grid(0))) == {(1, 0): 11.0}


def test_jitter_at_the_edge_makes_one_visit_and_not_twenty():
    rng = np.random.default_rng(3)
    rows = [(1, t, 250 + dx, 125) for t, dx in zip(range(0, 1200, 5), rng.normal(0, 8, 240), strict=True)]
    rows[0] = (1, 0, 240, 125)
    assert len(visits(rows, grid(0))) == 1
    assert len(visits(rows, grid(0, 1))) == 1
    assert len(visits(rows, grid(0), leave_m=0.0)) > 20


def test_a_unit_is_in_one_box_at_a_time():
    rows = standing(1, 240, 125, 0, 600) + standing(1, 260, 125, 630, 1200)
    assert minutes(visits(rows, grid(0, 1))) == {(1, 0): 20.0}
    rows += standing(1, 300, 125, 1230, 1800)
    found = visits(rows, grid(0, 1))
    assert minutes(found) == {(1, 0): 20.25, (1, 1): 9.75}


@pytest.mark.parametrize(
    ("silence_s", "expected"),
    [(170, 170 / 60), (600, 10.0), (900, 15.0), (901, 0.0)],
    ids=["short", "a tunnel", "just vouched for", "too long"],
)
def test_a_silence_counts_only_while_somebody_can_vouch_for_it(silence_s, expected):
    found = visits([(1, 0, 125, 125), (1, silence_s, 125, 125)], grid(0))
    assert found.minutes.sum() == pytest.approx(expected)


def test_a_long_silence_between_two_places_counts_for_neither():
    found = visits([(1, 0, 125, 125), (1, 400, 375, 125)], grid(0, 1))
    assert len(found) == 0
    known = vehicle_presence(
        pings([(1, 0, 125, 125), (1, 400, 375, 125)]), grid(0, 1), from_s=0.0, to_s=1e4
    ).known
    assert len(known) == 0


def test_visits_are_cut_to_the_period():
    found = visits(standing(1, 125, 125, 0, 600), grid(0), from_s=120.0, to_s=300.0)
    assert (found.start_s.tolist(), found.end_s.tolist()) == ([120.0], [300.0])


def test_a_clock_that_runs_ahead_of_the_fleet_is_put_right():
    right = [row for unit in (1, 2) for row in standing(unit, 125, 125, 0, 600)]
    ahead = [(3, t + 300, x, y) for _, t, x, y in standing(3, 125, 125, 0, 600)]
    received = [row[1] + 4 for row in right] + [row[1] - 300 + 4 for row in ahead]
    found = vehicle_presence(pings(right + ahead, received), grid(0), from_s=0.0, to_s=1e4)
    assert found.cleaned.skew_s == {3: 300.0}
    assert found.visits.start_s.tolist() == [0.0, 0.0, 0.0]


def test_a_modem_that_sends_in_batches_is_not_taken_for_a_wrong_clock():
    rows = [row for unit in (1, 2) for row in standing(unit, 125, 125, 0, 3000)]
    received = [row[1] + 4 if row[0] == 1 else 3010 for row in rows]
    found = vehicle_presence(pings(rows, received), grid(0), from_s=0.0, to_s=1e4)
    assert found.cleaned.skew_s == {}
    assert minutes(found.visits) == {(1, 0): 50.0, (2, 0): 50.0}


def test_a_clock_wrong_by_hours_makes_a_unit_unusable():
    rows = [row for unit in (1, 2, 3) for row in standing(unit, 125, 125, 0, 600)]
    received = [row[1] + 4 - (90_000 if row[0] == 3 else 0) for row in rows]
    found = vehicle_presence(pings(rows, received), grid(0), from_s=0.0, to_s=1e4)
    assert found.cleaned.unusable == (3,)
    assert set(found.visits.unit.tolist()) == {1, 2}


def test_a_reflection_across_town_does_not_end_a_visit():
    rows = standing(1, 125, 125, 0, 600)
    rows[10] = (1, 300, 90_000, 90_000)
    found = vehicle_presence(pings(rows), grid(0), from_s=0.0, to_s=1e4)
    assert found.cleaned.jumps == 1
    assert minutes(found.visits) == {(1, 0): 10.0}


def test_nothing_gives_nothing_and_bad_margins_are_refused():
    none = np.zeros(0)
    empty = Pings(none.astype(np.int64), none, none, none, none)
    assert len(vehicle_presence(empty, grid(0), from_s=0.0, to_s=1.0).visits) == 0
    with pytest.raises(ValueError, match="half a box"):
        visits([(1, 0, 1, 1)], grid(0), leave_m=125.0)
    with pytest.raises(ValueError, match="ends before"):
        visits([(1, 0, 1, 1)], grid(0), from_s=2.0, to_s=1.0)


# A small town of 3 × 3 boxes of 250 m, not all of them watched; positions cluster at the edges.
places = st.sampled_from(
    [-40.0, -20.0, 5.0, 125.0, 225.0, 245.0, 250.0, 255.0, 275.0, 285.0, 400.0, 490.0, 520.0]
)
row = st.tuples(st.integers(0, 2), st.integers(0, 4000), places, places)
tracks = st.lists(row, min_size=2, max_size=60, unique_by=lambda r: (r[0], r[1]))
watched = st.sets(st.integers(0, 8), min_size=1).map(lambda boxes: grid(*boxes, n=3))
LAW = PresenceRules(top_speed_m_s=1e6, enter_m=4.0)


def law(rows, boxes, from_s=0.0, to_s=5000.0):
    return vehicle_presence(pings(rows), boxes, from_s=from_s, to_s=to_s, rules=LAW).visits


def as_rows(found):
    return list(
        zip(
            found.unit.tolist(), found.box.tolist(), found.start_s.tolist(), found.end_s.tolist(), strict=True
        )
    )


@settings(max_examples=150, deadline=None)
@given(tracks, watched, st.randoms())
def test_order_and_repeats_change_nothing(rows, boxes, random):
    again = rows + random.choices(rows, k=len(rows))
    random.shuffle(again)
    assert as_rows(law(again, boxes)) == as_rows(law(rows, boxes))


@settings(max_examples=150, deadline=None)
@given(tracks, watched, st.integers(0, 4000))
def test_splitting_a_shift_changes_no_minute(rows, boxes, at):
    whole = law(rows, boxes)
    parts = [law(rows, boxes, 0.0, float(at)), law(rows, boxes, float(at), 5000.0)]
    for box in boxes.box.tolist():
        for unit in (0, 1, 2):

            def of(found, unit=unit, box=box):
                return found.minutes[(found.unit == unit) & (found.box == box)].sum()

            assert of(whole) == pytest.approx(sum(of(part) for part in parts))


@settings(max_examples=150, deadline=None)
@given(tracks, watched)
def test_no_unit_is_present_longer_than_time_passed_or_twice_at_once(rows, boxes):
    found = vehicle_presence(pings(rows), boxes, from_s=0.0, to_s=5000.0, rules=LAW)
    for unit in (0, 1, 2):
        mine = found.visits.unit == unit
        times = [row[1] for row in rows if row[0] == unit]
        known = found.known.minutes[found.known.unit == unit].sum()
        assert found.visits.minutes[mine].sum() <= known + 1e-9
        assert known <= (max(times) - min(times)) / 60 + 1e-9 if times else known == 0
        assert (found.visits.start_s[mine][1:] >= found.visits.end_s[mine][:-1]).all()


@settings(max_examples=150, deadline=None)
@given(tracks)
def test_watching_every_box_counts_every_known_minute_inside_the_town(rows):
    inside = [(u, t, min(max(x, 5.0), 745.0), min(max(y, 5.0), 745.0)) for u, t, x, y in rows]
    found = vehicle_presence(
        pings(inside), grid(*range(9), n=3), from_s=0.0, to_s=5000.0,
        rules=PresenceRules(top_speed_m_s=1e6),
    )  # fmt: skip
    assert found.visits.minutes.sum() == pytest.approx(found.known.minutes.sum())


def by_hand(good, boxes, rules):
    """The rule, one position after another, as a person would apply it."""
    state, found = NOWHERE, []
    for k in range(len(good)):
        new = (
            k == 0 or good.unit[k] != good.unit[k - 1] or good.at_s[k] - good.at_s[k - 1] > rules.parked_gap_s
        )
        state = NOWHERE if new else state

        def distance(box, k=k):
            west, south = boxes.x0_m + SIZE * (box % boxes.n_cols), boxes.y0_m + SIZE * (box // boxes.n_cols)
            x, y = good.x_m[k] - west, good.y_m[k] - south
            return max(-x, x - SIZE), max(-y, y - SIZE), x, y

        if state != NOWHERE and max(distance(state)[:2]) > rules.leave_m:
            state = NOWHERE
        if state == NOWHERE:
            for box in boxes.box.tolist():
                dx, dy, x, y = distance(box)
                if 0 <= x < SIZE and 0 <= y < SIZE and -max(dx, dy) >= rules.enter_m:
                    state = box
        found.append(state)
    return found


@settings(max_examples=300, deadline=None)
@given(tracks, watched)
def test_the_fleet_at_once_gives_what_the_rule_gives_position_by_position(rows, boxes):
    good = clean_pings(pings(rows), LAW).pings
    assert box_states(good, boxes, LAW).tolist() == by_hand(good, boxes, LAW)


def test_a_long_random_walk_agrees_with_the_rule_by_hand():
    rng = np.random.default_rng(8)
    walk = np.cumsum(rng.normal(0, 15, (4, 1500, 2)), axis=1) % 900
    rows = [(u, 20 * t, x, y) for u in range(4) for t, (x, y) in enumerate(walk[u].tolist())]
    boxes = grid(0, 1, 2, 5, 6, 9, 10, 15)
    good = clean_pings(pings(rows), LAW).pings
    states = box_states(good, boxes, LAW).tolist()
    assert states == by_hand(good, boxes, LAW)
    assert len(set(states)) >= 6
