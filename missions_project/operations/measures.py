"""What this process counts: requests by method and answer, and how long they took. No address, no agency, no person."""

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, multiprocess

REQUESTS = Counter(
    "missions_http_requests", "Answers given, by method and class of status.", ["method", "status"]
)
SECONDS = Histogram(
    "missions_http_request_seconds",
    "How long answers took.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
TASKS = Counter("missions_tasks", "Tasks done by workers, by name and how they ended.", ["task", "state"])
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def request_count(*, method: str, status: int, seconds: float) -> None:
    """Count one answer."""
    # A stranger's invented method would be a new line of the metrics each time.
    REQUESTS.labels(method if method in METHODS else "other", f"{status // 100}xx").inc()
    SECONDS.observe(seconds)


def counted() -> CollectorRegistry:
    """The counts of this process; of all server processes and workers where PROMETHEUS_MULTIPROC_DIR names their common folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return registry
