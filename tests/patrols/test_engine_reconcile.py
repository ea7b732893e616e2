"""Four sources, one account: who is believed, and that no minute is counted twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.engine.positions import Pings
from patrols.engine.presence import BoxGrid, Spans, vehicle_presence
from patrols.engine.reconcile import SOURCES, UNKNOWN, Claims, reconcile

SIZE = 250.0
BOXES = BoxGrid(0.0, 0.0, SIZE, 1, 20, np.arange(20, dtype=np.int64))
TIMER, CAD, MANUAL = (SOURCES.index(name) for name in ("timer", "cad", "manual"))


def claims(rows):
    """rows: (unit, box, start, end or None, source, mission)."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    return Claims(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.int64),
        np.array(columns[2], dtype=np.float64),
        np.array([np.nan if end is None else end for end in columns[3]], dtype=np.float64),
        np.array(columns[4], dtype=np.int8),
        np.array(columns[5], dtype=np.int64),
    )


def account(rows, parked=(), from_s=0.0, to_s=10_000.0):
    """parked: (unit, x, from, to), a position each half minute."""
    track = [(u, t, x, 125.0) for u, x, a, b in parked for t in range(a, b + 1, 30)]
    columns = (
        [np.array(c, dtype=np.float64) for c in zip(*track, strict=True)] if track else [np.zeros(0)] * 4
    )
    pings = Pings(columns[0].astype(np.int64), *columns[1:])
    seen = vehicle_presence(pings, BOXES, from_s=from_s, to_s=to_s)
    return reconcile(
        visits=seen.visits, claims=claims(rows), pings=seen.cleaned.pings, boxes=BOXES, from_s=from_s, to_s=to_s
    )  # fmt: skip


def shown(found):
    return [(s.unit, s.box, s.start_s, s.end_s, SOURCES[s.source], s.mission) for s in found.spans]


def test_the_vehicle_is_believed_where_both_tell_of_the_same_visit():
    found = account([(1, 0, 100, 500, TIMER, 7)], [(1, 125.0, 0, 600)])
    assert shown(found) == [
        (1, 0, 0, 100, "avl", UNKNOWN),
        (1, 0, 100, 500, "avl", 7),
        (1, 0, 500, 600, "avl", UNKNOWN),
    ]
    assert found.minutes_by_source() == {"avl": 10.0, "timer": 0, "cad": 0, "manual": 0}


def test_a_timer_adds_what_the_vehicle_did_not_see():
    found = account([(1, 0, 0, 1200, TIMER, 7)], [(1, 125.0, 0, 600)])
    assert found.minutes_by_source()["avl"] == 10.0
    assert found.minutes_by_source()["timer"] == 10.0


def test_officers_on_foot_are_believed_while_their_car_stands_near():
    found = account([(1, 0, 0, 600, TIMER, 7)], [(1, 375.0, 0, 600)])
    assert shown(found) == [(1, 0, 0, 600, "timer", 7)]


def test_a_timer_left_running_counts_only_until_the_car_is_far_away():
    found = account([(1, 0, 0, 1800, TIMER, 7)], [(1, 125.0, 0, 600), (1, 4000.0, 660, 1800)])
    assert shown(found)[0] == (1, 0, 0, 630, "avl", 7)
    assert found.contradicted_minutes == {"timer": pytest.approx(19.5)}
    assert found.minutes_by_source()["timer"] == 0


def test_arriving_elsewhere_ends_a_timer_that_runs_on():
    found = account([(1, 0, 0, 900, TIMER, 7), (1, 9, 300, 600, TIMER, 8)])
    assert [(s.box, s.start_s, s.end_s) for s in found.spans] == [(0, 0, 300), (9, 300, 600), (0, 600, 900)]


def test_a_higher_source_wins_over_a_later_arrival():
    found = account([(1, 0, 0, 900, TIMER, 7), (1, 9, 300, 600, MANUAL, 8)])
    assert shown(found) == [(1, 0, 0, 900, "timer", 7)]


def test_records_of_unknown_units_count_only_what_nobody_else_gave():
    found = account([(1, 0, 0, 600, TIMER, 7), (UNKNOWN, 0, 300, 900, CAD, UNKNOWN)])
    assert found.minutes_by_source() == {"avl": 0, "timer": 10.0, "cad": 5.0, "manual": 0}
    twice = account([(UNKNOWN, 0, 300, 900, CAD, UNKNOWN), (UNKNOWN, 0, 300, 900, CAD, UNKNOWN)])
    assert sum(s.minutes for s in twice.spans) == 10.0


def test_two_units_in_one_box_both_count():
    found = account([(1, 0, 0, 600, TIMER, 7), (2, 0, 0, 600, TIMER, 7)])
    assert sum(s.minutes for s in found.spans) == 20.0


def test_a_timer_nobody_stopped_is_a_record_without_minutes():
    assert shown(account([(1, 0, 50, None, TIMER, 7)])) == [(1, 0, 50, 50, "timer", 7)]
    seen = account([(1, 0, 50, None, TIMER, 7)], [(1, 125.0, 0, 600)])
    assert [s.minutes for s in seen.spans] == [10.0]
    assert account([(1, 0, 50, None, TIMER, 7)], from_s=60.0).spans == []


def test_claims_are_cut_to_the_shift():
    assert sum(s.minutes for s in account([(1, 0, -600, 600, TIMER, 7)]).spans) == 10.0


claim = st.tuples(
    st.sampled_from([UNKNOWN, 0, 1]), st.integers(0, 2), st.integers(0, 40), st.integers(1, 20),
    st.sampled_from([TIMER, CAD, MANUAL]), st.integers(0, 3),
).map(lambda r: (r[0], r[1], r[2], r[2] + r[3], r[4], r[5]))  # fmt: skip
visit = st.tuples(st.sampled_from([0, 1]), st.integers(0, 2), st.integers(1, 12), st.integers(0, 6))


def spans(rows):
    """A unit's visits one after another: (unit, box, length, pause before it)."""
    now, found = {0: 0, 1: 0}, []
    for unit, box, length, pause in rows:
        start = now[unit] + pause + 1
        now[unit] = start + length
        found.append((unit, box, start, now[unit]))
    found.sort(key=lambda r: (r[0], r[2]))
    columns = list(zip(*found, strict=True)) if found else [()] * 4
    return Spans(
        *(np.array(columns[k], dtype=np.int64) for k in (0, 1)),
        *(np.array(columns[k], dtype=np.float64) for k in (2, 3)),
    )


def by_the_second(visits, rows):
    """What each second of each unit and box is, by the rules in words."""
    rank = {}
    seen = list(
        zip(*(c.tolist() for c in (visits.unit, visits.box, visits.start_s, visits.end_s)), strict=True)
    )
    for t in range(100):
        for unit in (0, 1):
            car = next((b for u, b, a, e in seen if u == unit and a <= t < e), None)
            said = [r for r in rows if r[0] == unit and r[2] <= t < r[3]]
            if car is not None and (not said or any(r[1] == car for r in said)):
                rank[unit, car, t] = 0
            elif said:
                best = min(said, key=lambda r: (r[4], -r[2], r[3], r[1], r[5]))
                rank[unit, best[1], t] = best[4]
        for box in range(3):
            said = [r for r in rows if r[0] == UNKNOWN and r[1] == box and r[2] <= t < r[3]]
            if said and not any((unit, box, t) in rank for unit in (0, 1)):
                rank[UNKNOWN, box, t] = min(r[4] for r in said)
    return rank


@settings(max_examples=200, deadline=None)
@given(st.lists(visit, max_size=8), st.lists(claim, max_size=10), st.randoms())
def test_the_account_agrees_with_the_rules_second_by_second(rows, said, random):
    visits, none = spans(rows), np.zeros(0)
    pings = Pings(none.astype(np.int64), none, none, none)

    def go(listed):
        return reconcile(
            visits=visits, claims=claims(listed), pings=pings, boxes=BOXES, from_s=0.0, to_s=100.0
        )

    found = go(said)
    seconds = {}
    for span in found.spans:
        for t in range(int(span.start_s), int(span.end_s)):
            assert (span.unit, span.box, t) not in seconds
            seconds[span.unit, span.box, t] = span.source
    assert seconds == {k: v for k, v in by_the_second(visits, said).items() if k[2] < 100}
    assert sum(found.minutes_by_source().values()) == pytest.approx(len(seconds) / 60)
    shuffled = list(said)
    random.shuffle(shuffled)
    assert go(shuffled).spans == found.spans
