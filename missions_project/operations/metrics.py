"""The measures in Prometheus' form. What the database knows is read when it is asked: no worker needs a port of its own."""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Max, OuterRef, Subquery
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from agencies.models import Agency
from forecasting.models import ForecastRun
from ingestion.models import Feed, ImportRun
from missions_project.lib.runs import RunStatus
from missions_project.operations.backup.services import MARK
from missions_project.operations.measures import counted
from missions_project.operations.pulses import BEAT, DISPATCH, pulse_age
from missions_project.operations.queues import queue_lengths
from missions_project.operations.runs import run_figures
from missions_project.operations.watch import troubles

logger = logging.getLogger(__name__)


def metrics_text() -> bytes:
    """Everything, as text. A database that is away leaves its part out and says so in ``missions_up``."""
    registry = CollectorRegistry()
    registry.register(_Installation())
    return generate_latest(registry) + generate_latest(counted())


class _Installation:
    def describe(self) -> list[Metric]:
        # Said beforehand: registering would else collect everything once, for nothing.
        return []

    def collect(self) -> Iterator[Metric]:
        found: list[Metric] = []
        try:
            found = list(_from_database(timezone.now()))
        except DatabaseError as error:
            logger.error("The metrics of the database could not be read: %s", type(error).__name__)
        yield GaugeMetricFamily(
            "missions_up", "1 where the database could be read.", value=float(bool(found))
        )
        yield from found
        yield from _queues()
        yield from _backup()


def _gauge(name: str, words: str, labels: tuple[str, ...], rows: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, number in rows.items():
        family.add_metric(list(values), number)
    return family


def _from_database(now: datetime) -> Iterator[Metric]:
    figures = list(run_figures(now=now))
    kind = ("kind",)
    yield _gauge(
        "missions_runs_queued", "Runs that wait.", kind, {(row.kind,): row.queued for row in figures}
    )
    yield _gauge(
        "missions_runs_running", "Runs at work.", kind, {(row.kind,): row.running for row in figures}
    )
    waited = {(row.kind,): row.waited_seconds(now) for row in figures}
    yield _gauge("missions_queue_lag_seconds", "How long the oldest waiting run has waited.", kind, waited)
    ended = {(row.kind, "succeeded"): float(row.succeeded) for row in figures}
    ended |= {(row.kind, "failed"): float(row.failed) for row in figures}
    yield _gauge("missions_runs_day", "Runs that ended in the last 24 hours.", ("kind", "status"), ended)
    mean = {(row.kind,): row.mean_seconds for row in figures if row.mean_seconds is not None}
    yield _gauge("missions_run_seconds_mean", "Mean duration of the last 24 hours' runs.", kind, mean)
    longest = {(row.kind,): row.longest_seconds for row in figures if row.longest_seconds is not None}
    yield _gauge("missions_run_seconds_longest", "Longest of the last 24 hours' runs.", kind, longest)
    yield from _ages(now)
    open_troubles: dict[tuple[str, ...], float] = {}
    for trouble in troubles(now=now):
        key = (trouble.kind, trouble.agency)
        open_troubles[key] = open_troubles.get(key, 0) + 1
    yield _gauge("missions_troubles", "What is wrong now.", ("kind", "agency"), open_troubles)
    lives = {(name,): age.total_seconds() for name in (BEAT, DISPATCH) if (age := pulse_age(name, now=now))}
    yield _gauge(
        "missions_pulse_age_seconds", "Since the scheduler and a worker showed life.", ("name",), lives
    )


def _ages(now: datetime) -> Iterator[Metric]:
    """Feeds and forecasts by agency. Two queries."""
    came = (
        ImportRun.objects.filter(feed=OuterRef("pk"), status=RunStatus.SUCCEEDED)
        .order_by()
        .values("feed")
        .annotate(at=Max("finished_at"))
        .values("at")
    )
    feeds = Feed.objects.annotate(came_at=Subquery(came)).exclude(came_at=None)
    fresh = {
        (agency, slug): (now - at).total_seconds()
        for agency, slug, at in feeds.values_list("agency__slug", "slug", "came_at")
    }
    yield _gauge(
        "missions_feed_age_seconds", "Since the last import that succeeded.", ("agency", "feed"), fresh
    )
    made = (
        ForecastRun.objects.filter(agency=OuterRef("pk"), status=RunStatus.SUCCEEDED)
        .order_by()
        .values("agency")
        .annotate(at=Max("finished_at"))
        .values("at")
    )
    rows = (
        Agency.objects.annotate(made_at=Subquery(made)).exclude(made_at=None).values_list("slug", "made_at")
    )
    ages = {(slug,): (now - at).total_seconds() for slug, at in rows}
    yield _gauge(
        "missions_forecast_age_seconds", "Since the last forecast that succeeded.", ("agency",), ages
    )


def _queues() -> Iterator[Metric]:
    try:
        lengths = queue_lengths()
    except Exception as error:  # noqa: BLE001 - each broker's driver has errors of its own
        logger.error("The broker could not be asked: %s", type(error).__name__)
        return
    yield _gauge(
        "missions_queue_tasks", "Tasks that wait.", ("queue",), {(k,): float(n) for k, n in lengths.items()}
    )


def _backup() -> Iterator[Metric]:
    try:
        age = timezone.now().timestamp() - (Path(settings.VAR_DIR) / MARK).stat().st_mtime
    except OSError:
        return
    yield GaugeMetricFamily("missions_backup_age_seconds", "Since the last backup.", value=age)
