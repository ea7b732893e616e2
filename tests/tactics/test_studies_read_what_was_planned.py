"""Published plans become a study's table: as they were drawn, with what was reported, and everything left out is named."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings

from agencies.models import CrimeType
from forecasting.engine.grid import GridSpec
from forecasting.selectors import grid_spec
from ingestion.models import Discovery, Incident
from missions_project.lib.errors import MissionsError
from patrols.engine.codec import design_to_bytes
from patrols.engine.plan import design_digest, design_from_bytes, plan_draw
from patrols.models import Addition, Mission, MissionPlan, PresenceAccount
from patrols.replays import replay_mark
from patrols.selectors import planned_history
from tactics.engine.impact import ShiftDraw, analyse, plan_history, replays
from tactics.engine.impact.replays import replayed
from tactics.studies.inputs import StudyInputs, study_inputs
from tests.tactics.histories import PastWeeks, make_past

pytestmark = pytest.mark.django_db


@pytest.fixture
def past() -> PastWeeks:
    return make_past(days=4)


def read(past: PastWeeks, **options: object) -> StudyInputs:
    asked: dict = {"crime_types": past.types, "first": past.first, "last": past.last}
    return study_inputs(past.agency, **(asked | options))


def draws_of(found: StudyInputs) -> list[ShiftDraw]:
    """The plans that were read, whole, as they are stored."""
    stored = dict(
        MissionPlan.objects.filter(pk__in=[row.pk for row in found.rows]).values_list("pk", "design")
    )
    none = np.zeros(len(found.grid))
    return [
        ShiftDraw(row.starts_at_minute, design_from_bytes(bytes(stored[row.pk])), none) for row in found.rows
    ]


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
    assert before.data_hash != after.data_hash


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
    assert len(found.rows) == len(plans) - 2
    # What they sent out still rests the boxes in every replay.
    assert len(found.history().prior_end_day) == 2


def test_a_forged_draw_with_its_digest_is_found_by_drawing_again(past: PastWeeks) -> None:
    plan = MissionPlan.objects.filter(agency=past.agency).order_by("period_from")[2]
    draw = design_from_bytes(bytes(plan.design))
    at = int(np.flatnonzero(draw.drawn)[0])
    other = int(np.flatnonzero(~draw.drawn & (draw.beat == draw.beat[at]))[0])
    draw.drawn[[at, other]] = draw.drawn[[other, at]]
    MissionPlan.objects.filter(pk=plan.pk).update(
        design=design_to_bytes(draw), design_hash=design_digest(draw)
    )
    assert [(one.plan_id, one.code) for one in read(past).refused] == [(plan.pk, "not_as_drawn")]


def test_plans_are_drawn_again_once_and_then_believed_by_their_mark(
    past: PastWeeks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(*_: object, **__: object) -> None:
        raise AssertionError("drawn again")

    before = read(past)
    marked = MissionPlan.objects.filter(agency=past.agency, replayed_at__isnull=False)
    assert marked.exclude(replay_mark="").count() == len(before.rows)
    monkeypatch.setattr("tactics.studies.plans.replay", again)
    after = read(past)
    assert after.data_hash == before.data_hash
    for column in ("pi", "drawn", "outcome", "forecast", "delivered_minutes", "type_totals"):
        assert np.array_equal(getattr(after.table, column), getattr(before.table, column)), column
    with monkeypatch.context() as other_release:
        other_release.setattr("patrols.replays.REPLAY_VERSION", "next")
        with pytest.raises(AssertionError, match="drawn again"):
            read(past)


def test_a_mark_is_worth_nothing_beside_another_design_or_another_key(past: PastWeeks) -> None:
    read(past)
    plan = MissionPlan.objects.filter(agency=past.agency).order_by("period_from")[2]
    stored, mark = bytes(plan.design), plan.replay_mark
    draw = design_from_bytes(stored)
    at = int(np.flatnonzero(draw.drawn)[0])
    other = int(np.flatnonzero(~draw.drawn & (draw.beat == draw.beat[at]))[0])
    draw.drawn[[at, other]] = draw.drawn[[other, at]]
    forged = MissionPlan.objects.filter(pk=plan.pk)
    forged.update(design=design_to_bytes(draw), design_hash=design_digest(draw))
    assert [(one.plan_id, one.code) for one in read(past).refused] == [(plan.pk, "not_as_drawn")]
    # Whoever writes to the database can copy a mark, but not make one.
    with override_settings(SECRET_KEY="somebody else's"):
        made = replay_mark(
            plan_id=plan.pk, seed=plan.seed, design_hash=design_digest(draw), design=design_to_bytes(draw)
        )
    forged.update(replay_mark=made)
    assert [(one.plan_id, one.code) for one in read(past).refused] == [(plan.pk, "not_as_drawn")]
    forged.update(design=stored, design_hash=plan.design_hash, replay_mark=mark, seed=plan.seed + 1)
    assert [(one.plan_id, one.code) for one in read(past).refused] == [(plan.pk, "not_as_drawn")]


def test_a_large_citys_table_is_narrow_and_says_the_same(
    past: PastWeeks, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = read(past)
    monkeypatch.setattr("tactics.engine.impact.laying.NARROW_ROWS", 0)
    monkeypatch.setattr("tactics.studies.reading.MANY_PLANS", 0)
    large = read(past)
    for column in (
        "drawn",
        "outcome",
        "ring_outcome",
        "week_before",
        "start_minutes",
        "window_minutes",
        "forecast",
    ):
        assert np.array_equal(getattr(large.table, column), getattr(small.table, column)), column
    assert large.table.outcome.dtype == np.uint8
    assert np.allclose(large.table.pi, small.table.pi, rtol=1e-6)
    one, other = analyse(large.study()), analyse(small.study())
    assert one.primary.estimate == pytest.approx(other.primary.estimate, rel=1e-5)
    assert one.displacement.net.low == pytest.approx(other.displacement.net.low, rel=1e-5, nan_ok=True)
    assert [part.part for part in one.by_type] == [part.part for part in other.by_type]
    # Too many to be replayed: what only a replay needs is not kept.
    assert large.history().harm.size == 0
    assert np.array_equal(large.history().layout.cell, small.history().layout.cell)


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
    shifts = draws_of(found)
    theirs = plan_history(found.grid, shifts, ours.harm, found.beat_of_cell)
    assert np.array_equal(ours.k, theirs.k)
    assert np.array_equal(ours.suppressed, theirs.suppressed)
    first = next(iter(replayed(ours, 3, np.random.default_rng(1))))
    cell = ours.layout.cell[ours.layout.valid]
    pi = np.zeros(len(found.grid))
    pi[cell] = first[1][0][ours.layout.valid]
    assert np.allclose(pi[shifts[0].draw.cell], shifts[0].draw.pi, atol=1e-9)


def assert_replays_as_stored(found: StudyInputs) -> None:
    """Forced to draw what was drawn, the replay works out every stored probability: rest, saturation, open boxes."""
    history = found.history()
    shifts = draws_of(found)
    drawn = iter(shifts)
    layout = history.layout

    def as_stored(pi: np.ndarray, **_: object) -> np.ndarray:
        one = next(drawn).draw
        z = np.zeros(len(found.grid), dtype=bool)
        z[one.cell] = one.drawn
        return np.where(layout.valid, z[layout.cell], False)

    class Doses:
        """Stands in for the generator: the dose that was drawn."""

        def __init__(self) -> None:
            self.at = iter(shifts)

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
            stored = shifts[s].draw
            assert np.allclose(cells[stored.cell], stored.pi, atol=1e-9), s
            others = np.setdiff1d(np.arange(len(found.grid)), stored.cell)
            assert not cells[others].any(), s


def test_probabilities_of_a_replay_that_draws_the_same_are_those_stored(past: PastWeeks) -> None:
    assert_replays_as_stored(read(past))


def decide(past: PastWeeks, plan: MissionPlan, *, after_minutes: int) -> MissionPlan:
    """A decision in the middle of a plan's shift, over the boxes of two beats to which nobody is on the way."""
    spec, draw = grid_spec(past.grid), design_from_bytes(bytes(plan.design))
    at = plan.period_from + dt.timedelta(minutes=after_minutes)
    ends = np.nanmax(draw.visit_start_minutes, axis=1) + draw.dose_minutes
    is_open = np.zeros(len(spec), dtype=bool)
    is_open[draw.cell[draw.drawn & (ends > after_minutes)]] = True
    beats = sorted(set(draw.beat.tolist()))[:2]
    minutes, days = planned_history(
        past.agency, grid=past.grid, before=at, window_days=draw.policy.saturation_window_days
    )
    harm = np.zeros(len(spec))
    harm[draw.cell] = draw.harm
    beat_of = np.full(len(spec), -1)
    beat_of[draw.cell] = draw.beat
    x_m, y_m = spec.centres()
    again = plan_draw(
        harm=harm, beat_of_cell=np.where(np.isin(beat_of, beats) & ~is_open, beat_of, -1), beat_k=dict.fromkeys(beats, 1),
        suppressed=np.zeros(len(spec), dtype=bool), planned_minutes=minutes, days_since_last=days, x_m=x_m, y_m=y_m,
        shift_minutes=draw.shift_minutes - after_minutes, policy=draw.policy, seed=99,
    )  # fmt: skip
    made = MissionPlan.objects.create(
        agency=past.agency, shift=plan.shift, on=plan.on, decision=1, period_from=at, period_to=plan.period_to,
        forecast_run=plan.forecast_run, grid=past.grid, seed=99, design=design_to_bytes(again), design_hash=design_digest(again),
        state="published", status="succeeded",
    )  # fmt: skip
    model = plan.missions.all()[0]
    for number, row in enumerate(again.drawn_rows.tolist(), start=50):
        Mission.objects.create(
            agency=past.agency, plan=made, beat_id=int(again.beat[row]), number=number, cell_id=int(spec.cells[again.cell[row]]),
            crime_type=model.crime_type, starts_at=at, dose_minutes=int(again.dose_minutes[row]), expected=0.0, harm=0.0,
            visit_starts=["x" for one in again.visit_start_minutes[row] if not np.isnan(one)], probability=float(again.pi[row]),
        )  # fmt: skip
    return made


def test_a_decision_during_a_shift_is_a_point_of_its_own_and_replays_exactly(past: PastWeeks) -> None:
    plans = list(MissionPlan.objects.filter(agency=past.agency).order_by("period_from"))
    decide(past, plans[-1], after_minutes=180)
    found = read(past)
    assert not found.refused
    assert len(found.rows) == len(plans) + 1
    assert found.out_of_step == 0
    assert_replays_as_stored(found)
    study = found.study()
    of_decision = study.plan_shift == len(plans)
    assert of_decision.sum() == 2
    # The windows of the first draw end where the decision begins.
    rows = study.plan_start[study.plan_shift == len(plans) - 1]
    first = study.start_minutes[rows[0] : study.plan_start[of_decision][0]]
    window = study.window_minutes[rows[0] : study.plan_start[of_decision][0]]
    assert (first + window <= np.maximum(first, 180) + 1e-3).all()
    assert any("points of their own" in note for note in found.notes)


def test_places_that_people_added_rest_boxes_in_every_replay(past: PastWeeks) -> None:
    """An addition before the first draw: its minutes count for all later plans, which were drawn without knowing it."""
    plans = list(MissionPlan.objects.filter(agency=past.agency).order_by("period_from"))
    before = read(past)
    rule = Addition.objects.create(
        agency=past.agency, reason="Fair", dose_minutes=12, crime_type=past.types[0], geometry={},
        starts_at=plans[0].period_from, expires_at=plans[0].period_to,
    )  # fmt: skip
    model = plans[0].missions.all()[0]
    taken = set(plans[0].missions.values_list("cell_id", flat=True))
    cell = next(int(one) for one in grid_spec(past.grid).cells if int(one) not in taken)
    Mission.objects.create(
        agency=past.agency, plan=plans[0], beat=model.beat, number=99, cell_id=cell, crime_type=past.types[0], source="added",
        starts_at=plans[0].period_from, dose_minutes=12, visit_starts=["a", "b"], expected=0.0, harm=0.0, probability=1.0,
        addition=rule,
    )  # fmt: skip
    after = read(past)
    assert before.out_of_step == 0
    assert after.out_of_step > 0
    assert any("order of time" in note for note in after.notes)
    minutes = after.history().prior_minutes
    assert minutes is not None
    assert minutes.sum() == 24.0


def test_delivered_minutes_are_there_only_where_positions_are(past: PastWeeks) -> None:
    assert read(past).study().delivered_minutes is not None
    account = PresenceAccount.objects.filter(agency=past.agency).order_by("pk")[0]
    account.counts = {"positions": 0}
    account.save()
    found = read(past)
    assert found.study().delivered_minutes is None
    assert found.measured_plans().sum() == found.study().plans - 4


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
    assert len(late.history().day) == len(found.rows)
    beat = int(everything.plan_beat[0])
    assert set(read(past, beats=[beat]).study().plan_beat) == {beat}


def test_the_number_of_queries_does_not_grow_with_the_plans(past: PastWeeks) -> None:
    def count(days: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            read(past, last=past.first + dt.timedelta(days=days - 1))
        return len(queries)

    # The first time every plan is drawn again, and that it was is written down: one query more.
    first = count(4)
    assert count(1) == count(4) == first - 1 <= 18


def test_another_agencys_plans_are_not_read(past: PastWeeks) -> None:
    other = make_past("lakeside", days=2, seed=5)
    assert {one.pk for one in read(past).rows}.isdisjoint(
        MissionPlan.objects.filter(agency=other.agency).values_list("pk", flat=True)
    )
    assert isinstance(read(other).grid, GridSpec)
