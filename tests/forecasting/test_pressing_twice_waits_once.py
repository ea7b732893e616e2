"""What people ask for by a button waits once however often they press, and one agency cannot fill the queue of all."""

from __future__ import annotations

import datetime as dt

import pytest

from agencies.models import Shift
from forecasting.models import ForecastRun, TrainingRun
from forecasting.services import forecast_ask, forecast_run_queue, training_ask, training_run_queue
from forecasting.services.asked import MOST_FORECASTS
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from tests.factories import make_agency, make_grid, make_member

pytestmark = pytest.mark.django_db
ON = dt.date(2025, 3, 14)


def test_a_training_that_waits_is_the_one_and_one_at_work_is_not() -> None:
    agency, other = make_agency("riverton"), make_agency("lakeside")
    person, stranger = make_member(agency, "admin"), make_member(other, "admin")
    training_run_queue(agency=agency)
    first = training_ask(agency=agency, person=person)
    assert training_ask(agency=agency, person=person) == first
    assert training_ask(agency=other, person=stranger) != first
    assert TrainingRun.objects.filter(agency=agency).count() == 2, "the schedule's and the person's"
    TrainingRun.objects.filter(pk=first.pk).update(status=RunStatus.RUNNING)
    assert training_ask(agency=agency, person=person) != first


def test_a_forecast_that_waits_is_the_one_and_there_is_an_end_to_others() -> None:
    agency = make_agency("riverton")
    make_grid(agency)
    person = make_member(agency, "analyst")
    evening = Shift.objects.get(agency=agency, slug="evening")
    forecast_run_queue(agency=agency, shift=evening, on=ON)
    first = forecast_ask(agency=agency, shift=evening, on=ON, person=person)
    assert forecast_ask(agency=agency, shift=evening, on=ON, person=person) == first
    for day in range(1, MOST_FORECASTS):
        forecast_ask(agency=agency, shift=evening, on=ON + dt.timedelta(days=day), person=person)
    assert ForecastRun.objects.count() == MOST_FORECASTS + 1
    with pytest.raises(MissionsError) as refused:
        forecast_ask(agency=agency, shift=evening, on=ON + dt.timedelta(days=99), person=person)
    assert "wait until some of them are done" in str(refused.value)
    assert forecast_ask(agency=agency, shift=evening, on=ON, person=person) == first, (
        "what waits is still told"
    )
    ForecastRun.objects.filter(pk=first.pk).update(status=RunStatus.SUCCEEDED)
    assert forecast_ask(agency=agency, shift=evening, on=ON, person=person) != first
