"""Published plans become a study's table: as they were drawn, with what was reported, and everything left out is named."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agencies.models import CrimeType
from forecasting.engine.grid import GridSpec
from ingestion.models import Discovery, Incident
from missions_project.lib.errors import MissionsError
from patrols.engine.codec import design_to_bytes
from patrols.engine.plan import design_from_bytes
from patrols.models import Mission, MissionPlan, PresenceAccount
from tactics.engine.impact import plan_history
from tactics.engine.impact.replays import replayed
from tactics.study_inputs import StudyInputs, study_inputs
from tests.tactics.histories import PastWeeks, make_past

pytestmark = pytest.mark.django_db


@pytest.fixture
def past() -> PastWeeks:
    return make_past(days=4)


def read(past: PastWeeks, **options: object) -> StudyInputs:
    asked: dict = {"crime_types": past.types, "first": past.first, "last": past.last}
    return study_inputs(past.agency, **(asked | options))


def test_every_candidate_is_there_with_its_probability_and_its_draw(past: PastWeeks) -> None:
    found = read(past)
    study = found.study()
    plans = list(MissionPlan.objects.filter(agency=past.agency).order_by("period_from"))
    draws = [design_from_bytes(bytes(plan.design)) for plan in plans]
    assert len(study) == sum(len(draw) for draw in draws)
    assert np.array_equal(study.pi, np.concatenate([draw.pi for draw in draws]))
    assert study.drawn.sum() == Mission.objects.filter(agency=past.agency).count()
    assert not found.refused
    assert not found.gaps
    assert found.out_of_step == 0
    assert not study.problems()


def test_crimes_are_counted_once_and_only_those_the_public_reported(past: PastWeeks) -> None:
    before = read(past)
    some = Incident.objects.filter(agency=past.agency).order_by("pk")[:30]
    Incident.objects.filter(pk__in=[one.pk for one in some[:20]]).update(
        discovery=Discovery.OFFICER_INITIATED
    )
    Incident.objects.filter(pk__in=[one.pk for one in some[20:]]).update(discovery=Discovery.SENSOR)
    after = read(past)
    assert len(before.events.at_minute) - len(after.events.at_minute) == 30
    assert before.data_hash() != after.data_hash()


def test_one_crime_type_counts_its_own_crimes(past: PastWeeks) -> None:
    robbery = [one for one in past.types if one.slug == "robbery"]
    found = read(past, crime_types=robbery)
    assert len(found.events.at_minute) == Incident.objects.filter(crime_type=robbery[0]).count()
    assert found.study().type_outcome is None


def test_a_crime_known_by_an_interval_counts_at_its_middle(past: PastWeeks) -> None:
    one = Incident.objects.filter(agency=past.agency).order_by("occurred_from")[5]
    earlier = read(past)
    one.occurred_to = one.occurred_from + dt.timedelta(hours=20)
    one.save()
    found = read(past)
    middle = (one.occurred_from + dt.timedelta(hours=10)).timestamp() / 60
    assert np.isclose(found.events.at_minute, middle, atol=1e-6).any()
    assert len(found.events.at_minute) == len(earlier.events.at_minute)
    assert any("middle of its interval" in note for note in found.notes)


def test_a_changed_design_is_named_and_never_dropped_in_silence(past: PastWeeks) -> None:
    plans = list(MissionPlan.objects.filter(agency=past.agency).order_by("period_from"))
    draw = design_from_bytes(bytes(plans[3].design))
    draw.drawn[:] = ~draw.drawn
    MissionPlan.objects.filter(pk=plans[3].pk).update(design=design_to_bytes(draw))
    MissionPlan.objects.filter(pk=plans[5].pk).update(design=b"torn")
    found = read(past)
    assert {one.plan_id: one.code for one in found.refused} == {
        plans[3].pk: "not_as_drawn",
        plans[5].pk: "unreadable",
    }
    assert len(found.shifts) == len(plans) - 2
    # What they sent out still rests the boxes in every replay.
    assert len(found.history().prior_end_day) == 2


def test_a_forged_draw_with_its_digest_is_found_by_drawing_again(past: PastWeeks) -> None:
    from patrols.engine.plan import design_digest

    plan = MissionPlan.objects.filter(agency=past.agency).order_by("period_from")[2]
    draw = design_from_bytes(bytes(plan.design))
    at = int(np.flatnonzero(draw.drawn)[0])
    other = int(np.flatnonzero(~draw.drawn & (draw.beat == draw.beat[at]))[0])
    draw.drawn[[at, other]] = draw.drawn[[other, at]]
    MissionPlan.objects.filter(pk=plan.pk).update(
        design=design_to_bytes(draw), design_hash=design_digest(draw)
    )
    assert [(one.plan_id, one.code) for one in read(past).refused] == [(plan.pk, "not_as_drawn")]


def test_missing_plans_and_unfinished_windows_are_named(past: PastWeeks) -> None:
    plans = MissionPlan.objects.filter(agency=past.agency).order_by("period_from")
    plans[4].delete()
    last = plans.last()
    found = read(past, now=last.period_to - dt.timedelta(hours=1))
    assert len(found.gaps) == 1
    assert [one.code for one in found.refused] == ["not_over"]


def test_a_period_without_plans_says_what_to_do(past: PastWeeks) -> None:
    with pytest.raises(MissionsError, match="No plan was published"):
        read(past, first=dt.date(2020, 1, 1), last=dt.date(2020, 1, 31))
    CrimeType.objects.filter(agency=past.agency, slug="robbery").update(is_active=False)
    inactive = list(CrimeType.objects.filter(agency=past.agency, slug="robbery"))
    with pytest.raises(MissionsError, match="Not active"):
        read(past, crime_types=inactive)


def test_the_history_is_the_one_that_the_engine_makes_and_draws_again(past: PastWeeks) -> None:
    found = read(past)
    ours = found.history()
    theirs = plan_history(found.grid, found.shifts, found.harm, found.beat_of_cell)
    assert np.array_equal(ours.k, theirs.k)
    assert np.array_equal(ours.suppressed, theirs.suppressed)
    first = next(iter(replayed(ours, 3, np.random.default_rng(1))))
    cell = ours.layout.cell[ours.layout.valid]
    pi = np.zeros(len(found.grid))
    pi[cell] = first[1][0][ours.layout.valid]
    assert np.allclose(pi[found.shifts[0].draw.cell], found.shifts[0].draw.pi, atol=1e-9)


def test_probabilities_of_a_replay_that_draws_the_same_are_those_stored(past: PastWeeks) -> None:
    """Rest and saturation: forced to draw what was drawn, the replay works out every stored probability."""
    found = read(past)
    history = found.history()
    from tactics.engine.impact import replays

    drawn = iter(found.shifts)
    layout = history.layout

    def as_stored(pi: np.ndarray, **_: object) -> np.ndarray:
        one = next(drawn).draw
        z = np.zeros(len(found.grid), dtype=bool)
        z[one.cell] = one.drawn
        return np.where(layout.valid, z[layout.cell], False)

    class Doses:
        """Stands in for the generator: the dose that was drawn."""

        def __init__(self) -> None:
            self.at = iter(found.shifts)

        def random(self, shape: tuple[int, ...]) -> np.ndarray:
            one = next(self.at).draw
            dose = np.zeros(len(found.grid))
            dose[one.cell] = one.dose_minutes
            low, high = one.policy.dose_min_minutes, one.policy.dose_max_minutes
            return ((dose[layout.cell] - low + 0.5) / (high - low + 1)).reshape(shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replays, "batch_draw", as_stored)
        for s, pi, _ in replayed(history, 1, Doses()):  # type: ignore[arg-type]
            cells = np.zeros(len(found.grid))
            cells[layout.cell[layout.valid]] = pi[0][layout.valid]
            stored = found.shifts[s].draw
            assert np.allclose(cells[stored.cell], stored.pi, atol=1e-9), s


def test_delivered_minutes_are_there_only_where_positions_are(past: PastWeeks) -> None:
    assert read(past).study().delivered_minutes is not None
    account = PresenceAccount.objects.filter(agency=past.agency).order_by("pk")[0]
    account.counts = {"positions": 0}
    account.save()
    found = read(past)
    assert found.study().delivered_minutes is None
    part = found.measured_part()
    assert part is not None
    assert part.plans == found.study().plans - 4


def test_districts_beats_and_shifts_narrow_what_is_studied_and_not_what_is_drawn_again(
    past: PastWeeks,
) -> None:
    found = read(past)
    everything = found.study()
    district = next(iter(found.district_names))
    half = read(past, districts=[district]).study()
    assert 0 < half.plans < everything.plans
    assert set(half.plan_district) == {district}
    evening = past.agency.shift_set.get(slug="evening").pk
    late = read(past, shifts=[evening])
    assert late.study().plans == everything.plans // 3
    assert len(late.history().day) == len(found.shifts)
    beat = int(everything.plan_beat[0])
    assert set(read(past, beats=[beat]).study().plan_beat) == {beat}


def test_the_number_of_queries_does_not_grow_with_the_plans(past: PastWeeks) -> None:
    def count(days: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            read(past, last=past.first + dt.timedelta(days=days - 1))
        return len(queries)

    count(1)
    assert count(1) == count(4) <= 19


def test_another_agencys_plans_are_not_read(past: PastWeeks) -> None:
    other = make_past("lakeside", days=2, seed=5)
    assert {one.pk for one in read(past).rows}.isdisjoint(
        MissionPlan.objects.filter(agency=other.agency).values_list("pk", flat=True)
    )
    assert isinstance(read(other).grid, GridSpec)
