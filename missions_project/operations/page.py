"""The operator's page: is the installation well, what waits, what failed, what is late, silent or drifting."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from missions_project.operations.backup.services import MARK
from missions_project.operations.health import readiness
from missions_project.operations.models import Alert
from missions_project.operations.pulses import BEAT, DISPATCH, pulse_age
from missions_project.operations.queues import queue_lengths
from missions_project.operations.runs import RunFigures, run_figures
from missions_project.operations.watch import Trouble, troubles

SHOWN_ALERTS = 20
FRESH_SECONDS = 300


@dataclass(frozen=True)
class Sign:
    """One part of the installation: whether it is well, and its last sign of life."""

    name: str
    good: bool
    at: datetime | None = None


@dataclass(frozen=True)
class OperatorPage:
    """Everything that the page shows."""

    signs: list[Sign]
    troubles: list[Trouble]
    runs: list[RunFigures]
    queues: dict[str, int]
    alerts: list[Alert]
    backup_days: int | None


def operator_page(*, now: datetime) -> OperatorPage:
    """The installation as it is now. Two queries a kind of run, those of ``troubles``, and five."""
    signs = [Sign(name, state == "ok") for name, state in readiness().items()]
    for name in (BEAT, DISPATCH):
        age = pulse_age(name, now=now)
        is_fresh = age is not None and age.total_seconds() < FRESH_SECONDS
        signs.append(Sign(name, is_fresh, None if age is None else now - age))
    broken = any(sign.name == "broker" and not sign.good for sign in signs)
    mark = Path(settings.VAR_DIR) / MARK
    return OperatorPage(
        signs=signs,
        troubles=troubles(now=now),
        runs=list(run_figures(now=now)),
        queues={} if broken else queue_lengths(),
        alerts=list(Alert.objects.all()[:SHOWN_ALERTS]),
        backup_days=int((now.timestamp() - mark.stat().st_mtime) // 86_400) if mark.exists() else None,
    )
