"""Where a feed has no report times the analyst says how late it is, and the forecast listens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from agencies.models import Shift, User
from forecasting.engine.lag import ReportingLag
from forecasting.models import ForecastRun
from forecasting.selectors import expected_by_type, why_here
from forecasting.selectors.lag import lags_record, lags_recorded, said_lags
from forecasting.services import forecast_run, forecast_run_queue
from ingestion.models import CallForService, Discovery, Feed, Incident
from ingestion.selectors import feeds_lateness
from tests import factories
from tests.forecasting.scenes import Scene


def forecast_again(scene: Scene) -> ForecastRun:
    shift = Shift.objects.get(agency=scene.agency, slug="evening")
    run = forecast_run_queue(
        agency=scene.agency, shift=shift, on=(timezone.now() + dt.timedelta(days=1)).date()
    )
    return forecast_run(run=run)


def total(run: ForecastRun) -> float:
    return float(sum(values.sum() for values in expected_by_type(run).values()))


def set_lag(scene: Scene, median: float | None, p90: float | None) -> None:
    Feed.objects.filter(agency=scene.agency).update(lag_median_hours=median, lag_p90_hours=p90)


@pytest.mark.parametrize(
    ("median", "p90", "field", "words"),
    [
        (48.0, None, "lag_p90_hours", "Set both"),
        (None, 48.0, "lag_median_hours", "Set both"),
        (0.0, 48.0, "lag_median_hours", "above zero"),
        (48.0, 24.0, "lag_p90_hours", "between the first number"),
        (48.0, 5_000.0, "lag_p90_hours", "half a year"),
    ],
)
def test_a_lag_that_makes_no_sense_is_refused_with_the_reason(
    db: None, median: float | None, p90: float | None, field: str, words: str
) -> None:
    feed = Feed(
        agency=factories.make_agency(), name="RMS", slug="rms", lag_median_hours=median, lag_p90_hours=p90
    )
    with pytest.raises(ValidationError) as refused:
        feed.full_clean()
    assert words in " ".join(refused.value.message_dict[field])


@pytest.mark.parametrize(("median", "p90"), [(48.0, None), (-1.0, 5.0), (48.0, 24.0)])
def test_the_database_refuses_it_too(db: None, median: float, p90: float | None) -> None:
    agency = factories.make_agency()
    with pytest.raises(IntegrityError), transaction.atomic():
        Feed.objects.create(agency=agency, name="RMS", slug="rms", lag_median_hours=median, lag_p90_hours=p90)


def test_the_lag_is_set_in_the_admin_by_the_agency_s_administrator(
    sign_in: Callable[[User | None], Client], scene: Scene
) -> None:
    feed = Feed.objects.get(agency=scene.agency)
    client = sign_in(factories.make_member(scene.agency, "admin"))
    page = f"/admin/ingestion/feed/{feed.pk}/change/"
    assert "half known after (hours)" in client.get(page).content.decode()
    sent = {
        "agency": scene.agency.pk,
        "name": feed.name,
        "slug": feed.slug,
        "record_kind": feed.record_kind,
        "kind": feed.kind,
        "params": "{}",
        "is_active": "on",
        "lag_median_hours": "36",
        "lag_p90_hours": "12",
    }
    assert "between the first number" in client.post(page, sent).content.decode()
    assert client.post(page, sent | {"lag_p90_hours": "120"}).status_code == 302
    feed.refresh_from_db()
    assert (feed.lag_median_hours, feed.lag_p90_hours) == (36.0, 120.0)


def test_only_rows_without_a_report_time_take_the_lag_of_their_feed(scene: Scene) -> None:
    now = timezone.now()
    set_lag(scene, 48.0, 240.0)
    assert said_lags(scene.agency, as_of=now) == ({}, [])
    burglary = scene.crime_type()
    mine = list(Incident.objects.filter(agency=scene.agency, crime_type=burglary).order_by("pk"))
    half = [row.pk for row in mine[: len(mine) // 2]]
    Incident.objects.filter(pk__in=half).update(reported_at=None)
    lags, remarks = said_lags(scene.agency, as_of=now)
    assert list(lags) == ["burglary"]
    late = ReportingLag.from_quantiles(48.0, 240.0)
    part = len(half) / len(mine)
    for age in (0.0, 1.0, 5.0, 30.0):
        assert float(lags["burglary"].known(age)) == pytest.approx(
            1 - part + part * float(late.known(age)), abs=1e-3
        )
    assert len(remarks) == 1
    assert "half within 48 h, 90 % within 240 h" in remarks[0]
    assert lags_recorded(lags_record(lags)) == lags


def test_what_officers_initiated_and_untold_calls_are_counted_as_the_table_holds_them(scene: Scene) -> None:
    now = timezone.now()
    feed = Feed.objects.create(agency=scene.agency, name="CAD", slug="cad", record_kind="calls")
    for number, discovery in enumerate([Discovery.REPORTED, Discovery.OFFICER_INITIATED]):
        CallForService.objects.create(
            agency=scene.agency,
            feed=feed,
            external_id=str(number),
            occurred_from=now - dt.timedelta(days=3),
            occurred_to=now - dt.timedelta(days=3),
            lon=-87.69,
            lat=41.81,
            discovery=discovery,
            content_hash=number,
        )
    found = {
        (row.category, row.feed.slug): (row.rows, row.untimed)
        for row in feeds_lateness(scene.agency, since=now - dt.timedelta(days=365), until=now)
    }
    assert found["calls", "cad"] == (1, 1)
    assert sum(rows for (category, _), (rows, _) in found.items() if category != "calls") == (
        Incident.objects.filter(agency=scene.agency).count()
    )
    assert found["burglary", "rms"][1] == 0
    _, remarks = said_lags(scene.agency, as_of=now)
    assert "recent days look too quiet" in remarks[0]
    assert "reporting lag" in remarks[0]


def test_a_late_feed_s_forecast_expects_more_and_the_run_keeps_the_lag(scene: Scene) -> None:
    Incident.objects.filter(agency=scene.agency).update(reported_at=None)
    before = forecast_again(scene)
    assert before.config_snapshot["lag"] == {}
    set_lag(scene, 72.0, 400.0)
    after = forecast_again(scene)
    kept = after.config_snapshot["lag"]["burglary"]
    assert kept["median_hours"] == pytest.approx(72.0, rel=0.05)
    assert total(after) > 1.03 * total(before)


def test_why_here_is_told_with_the_lag_of_its_run_whatever_is_set_later(scene: Scene) -> None:
    Incident.objects.filter(agency=scene.agency).update(reported_at=None)
    set_lag(scene, 72.0, 400.0)
    run = forecast_again(scene)
    values = expected_by_type(run)[scene.crime_type()]
    cell = int(values.argmax())
    set_lag(scene, None, None)
    (row,) = why_here(run, [cell], scene.crime_type())
    # The typical cell's value is worked out anew, the cell's own is the stored one: only one lag fits both.
    parts = sum(row["numbers"]["contributions"].values())
    assert row["expected"] == pytest.approx(float(values[cell]))
    assert row["times_typical"] == pytest.approx(2.718281828**parts, rel=1e-3)
