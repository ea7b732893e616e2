"""Of what is due together the longest work begins first: begun last, it would run when all other workers are idle."""

from __future__ import annotations

import datetime as dt

import pytest

from agencies.models import Agency, Shift
from forecasting.models import Grid, ModelPolicy, TrainingRun
from forecasting.selectors import cells_by_agency
from forecasting.services import refits_queue
from missions_project.lib.runs import HEARTBEAT_LOST_AFTER, RunStatus
from patrols.models import ShiftPlanning
from patrols.services import plannings_claim
from tests.patrols.rounds import HOUR, MINUTE
from tests.patrols.scenes import ON, Scene, make_scene

pytestmark = pytest.mark.django_db
CELLS = {"middle": 8_000, "small": 2_000, "large": 25_000}
LARGEST_FIRST = ["large", "middle", "small"]


@pytest.fixture
def scenes() -> list[Scene]:
    """Three agencies whose evening shifts start at the same instant; the sizes are said, not built."""
    made = [make_scene(slug) for slug in CELLS]
    for scene in made:
        Shift.objects.filter(agency=scene.agency).exclude(pk=scene.shift.pk).delete()
        # By the query set: a grid with forecasts is frozen.
        Grid.objects.filter(pk=scene.grid.pk).update(n_cells=CELLS[scene.agency.slug])
    return made


def slugs(pks: list[int]) -> list[str]:
    rows = ShiftPlanning.objects.select_related("agency").in_bulk(pks)
    return [rows[pk].agency.slug for pk in pks]


def test_an_agencys_size_is_that_of_its_active_grid(scenes: list[Scene]) -> None:
    Grid.objects.filter(agency__slug="small").update(is_active=False)
    assert sorted(cells_by_agency().values()) == [8_000, 25_000]


def test_shifts_that_start_together_are_sent_largest_agency_first(scenes: list[Scene]) -> None:
    assert slugs(plannings_claim(now=scenes[0].run.period_from - 2 * HOUR)) == LARGEST_FIRST


def test_a_shift_that_starts_earlier_goes_before_a_larger_agencys(scenes: list[Scene]) -> None:
    early = scenes[1].shift
    early.starts_at = dt.time(15)
    early.save()
    claimed = plannings_claim(now=scenes[0].run.period_from - 2 * HOUR)
    assert slugs(claimed) == ["small", "large", "middle"]


def test_rounds_whose_messages_were_lost_are_sent_again_in_the_same_order(scenes: list[Scene]) -> None:
    now = scenes[0].run.period_from - 2 * HOUR
    plannings_claim(now=now)
    ShiftPlanning.objects.update(claimed_at=now - HEARTBEAT_LOST_AFTER - MINUTE)
    assert slugs(plannings_claim(now=now)) == LARGEST_FIRST


def test_the_nights_trainings_begin_with_the_largest_agency(scenes: list[Scene]) -> None:
    TrainingRun.objects.update(
        status=RunStatus.SUCCEEDED, queued_at=dt.datetime.combine(ON, dt.time(12), dt.UTC)
    )
    for agency in Agency.objects.order_by("slug"):
        ModelPolicy.objects.get_or_create(agency=agency, defaults={"refit_days": 1})
    ModelPolicy.objects.update(refit_days=1)
    runs = refits_queue(now=dt.datetime.combine(ON, dt.time(12), dt.UTC) + dt.timedelta(days=3))
    assert [run.agency.slug for run in runs] == LARGEST_FIRST
