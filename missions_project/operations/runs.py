"""The kinds of run rows that an installation has, and what waits, works and failed among them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db.models import Avg, Count, F, Max, Min

from missions_project.lib.runs import AbstractRun, RunStatus

WITHIN = timedelta(hours=24)


@dataclass(frozen=True)
class RunFigures:
    """One kind of run: now, and in the last 24 hours."""

    kind: str
    label: str
    queued: int
    running: int
    oldest_queued_at: datetime | None
    succeeded: int
    failed: int
    mean_seconds: float | None
    longest_seconds: float | None

    def waited_seconds(self, now: datetime) -> float:
        """How long the oldest that is queued has waited; 0 where none is."""
        return (
            0.0 if self.oldest_queued_at is None else max(0.0, (now - self.oldest_queued_at).total_seconds())
        )


def run_models() -> list[type[AbstractRun]]:
    """Each model that is a run."""
    return [model for model in apps.get_models() if issubclass(model, AbstractRun)]


def run_figures(*, now: datetime) -> Iterator[RunFigures]:
    """The figures of each kind of run. Two queries a kind."""
    for model in run_models():
        rows: Any = model._default_manager.order_by()
        waiting = dict(
            rows.filter(status__in=(RunStatus.QUEUED, RunStatus.RUNNING))
            .values_list("status")
            .annotate(Count("pk"))
        )
        done = rows.filter(finished_at__gt=now - WITHIN)
        seconds = F("finished_at") - F("started_at")
        ended = {
            row["status"]: row
            for row in done.values("status").annotate(n=Count("pk"), mean=Avg(seconds), longest=Max(seconds))
        }
        good = ended.get(RunStatus.SUCCEEDED, {})
        yield RunFigures(
            kind=str(model._meta.model_name),
            label=str(model._meta.verbose_name_plural),
            queued=waiting.get(RunStatus.QUEUED, 0),
            running=waiting.get(RunStatus.RUNNING, 0),
            oldest_queued_at=(
                rows.filter(status=RunStatus.QUEUED).aggregate(at=Min("queued_at"))["at"]
                if waiting.get(RunStatus.QUEUED)
                else None
            ),
            succeeded=good.get("n", 0),
            failed=ended.get(RunStatus.FAILED, {}).get("n", 0),
            mean_seconds=good["mean"].total_seconds() if good.get("mean") else None,
            longest_seconds=good["longest"].total_seconds() if good.get("longest") else None,
        )
