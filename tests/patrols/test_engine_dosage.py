"""Minutes of presence: clipped to the shift, no minute of a unit counted twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.engine.dosage import PRESENCE_CODES, presence_minutes

START = np.datetime64("2026-03-01T16:00:00", "s")
END = START + np.timedelta64(8 * 60, "m")


def presence(rows):
    """rows: (unit, mission, arrived minute, left minute or None), minutes after the start of the shift."""

    def at(minute):
        return np.datetime64("NaT", "s") if minute is None else START + np.timedelta64(int(minute * 60), "s")

    return presence_minutes(
        unit=np.array([row[0] for row in rows], dtype=np.int64),
        mission=np.array([row[1] for row in rows], dtype=np.int64),
        arrived_utc=np.array([at(row[2]) for row in rows], dtype="datetime64[s]"),
        left_utc=np.array([at(row[3]) for row in rows], dtype="datetime64[s]"),
        shift_from_utc=START,
        shift_to_utc=END,
    )


@pytest.mark.parametrize(
    ("rows", "minutes"),
    [
        ([(1, 1, 10, 25)], [15]),
        ([(1, 1, 10, 22.5)], [12.5]),
        ([(1, 1, -5, 10), (1, 2, 470, 500)], [10, 10]),
        ([(1, 1, 10, 30), (1, 1, 20, 40)], [20, 10]),
        ([(1, 1, 10, 60), (1, 1, 20, 30)], [50, 0]),
        ([(1, 1, 0, 60), (1, 1, 5, 10), (1, 2, 20, 30)], [20, 0, 10]),
        ([(1, 1, 0, 60), (1, 2, 20, 30), (1, 1, 40, 50)], [20, 10, 10]),
        ([(1, 1, 10, 30), (2, 1, 10, 30)], [20, 20]),
        ([(1, 1, 10, 10)], [0]),
    ],
    ids=[
        "plain",
        "seconds count",
        "clipped to the shift",
        "merged at one mission",
        "one inside the other",
        "arriving elsewhere ends a merged run",
        "there and back",
        "two units both count",
        "no stay",
    ],
)
def test_minutes_are_counted_once(rows, minutes):
    assert presence(rows).minutes.tolist() == minutes


def test_engagements_that_count_for_nothing_say_why():
    found = presence(
        [
            (1, 1, 10, None),
            (2, 1, 30, 20),
            (3, 1, -60, -30),
            (3, 1, 480, 500),
            (4, 1, 0, 60),
            (4, 1, 20, 30),
        ]
    )
    assert [PRESENCE_CODES[code] for code in found.code] == [
        "still_open",
        "left_before_arrival",
        "outside_shift",
        "outside_shift",
        "counted",
        "covered_by_another",
    ]
    assert found.minutes.tolist() == [0, 0, 0, 0, 60, 0]


def test_an_open_engagement_elsewhere_ends_the_one_before():
    assert presence([(1, 1, 0, 60), (1, 2, 20, None)]).minutes.tolist() == [20, 0]


def test_a_visit_outside_the_shift_does_not_cut_one_inside():
    assert presence([(1, 1, -10, 30), (1, 2, -5, -1), (1, 3, 490, 500)]).minutes.tolist() == [30, 0, 0]


def test_no_engagement_gives_no_minutes():
    assert len(presence([]).minutes) == 0


def test_a_missing_arrival_or_a_reversed_shift_is_refused():
    with pytest.raises(ValueError, match="no arrival time"):
        presence([(1, 1, None, 5)])
    with pytest.raises(ValueError, match="ends before it starts"):
        presence_minutes(
            unit=np.array([1]),
            mission=np.array([1]),
            arrived_utc=np.array([START]),
            left_utc=np.array([END]),
            shift_from_utc=END,
            shift_to_utc=START,
        )


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(-60, 540), st.integers(0, 90)),
        max_size=12,
    )
)
def test_a_unit_is_never_present_for_longer_than_the_time_it_was_engaged_at_all(rows):
    rows = [(unit, mission, arrived, arrived + stay) for unit, mission, arrived, stay in rows]
    found = presence(rows)
    for unit in (1, 2):
        covered = np.zeros(480, dtype=bool)
        for who, _, arrived, left in rows:
            if who == unit:
                covered[max(arrived, 0) : max(left, 0)] = True
        mine = found.minutes[[row[0] == unit for row in rows]].sum()
        assert mine <= covered.sum() + 1e-9
    one_mission = presence([(unit, 1, arrived, left) for unit, _, arrived, left in rows])
    for unit in (1, 2):
        covered = np.zeros(480, dtype=bool)
        for who, _, arrived, left in rows:
            if who == unit:
                covered[max(arrived, 0) : max(left, 0)] = True
        mine = one_mission.minutes[[row[0] == unit for row in rows]].sum()
        assert mine == pytest.approx(covered.sum())
