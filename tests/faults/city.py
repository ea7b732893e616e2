"""The work that is disturbed: one agency with a file to import, a model to train, a shift to forecast and to plan; and its sum.

Called in processes of their own, with the settings of these tests.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

ROWS = 6_000
WORKS = ("import", "training", "forecast", "plan")
ON = dt.date(2025, 3, 14)
"""Long past: whatever the clock says, its forecast knows what was known then."""
ROWS_A_DAY = 60
TRAIN_EVERY_DAYS = 7
SEED = 7
ROLES = ("admin", "analyst", "officer")


def found_city(folder: Path) -> None:
    """An agency with the file of its incidents, nothing imported yet."""
    from django.core.management import call_command

    from agencies.models import CrimeType, Shift
    from patrols.models import PlanSchedule
    from tests import factories
    from tests.ingestion.files import COLUMNS, plain_feed, write_rows

    call_command("migrate", verbosity=0)
    agency = factories.make_agency(cell_size_m=500)
    # One type and one shift: training is the longest work here, and a second of either teaches nothing about faults.
    CrimeType.objects.exclude(slug="burglary").delete()
    Shift.objects.exclude(slug="evening").delete()
    factories.make_grid(agency)
    plain_feed(agency)
    for role in ROLES:
        factories.make_member(agency, role, username=role)
    factories.make_operator()
    # Else the shift of the day on which the tests run is planned too, at the hours of the day at which it is due.
    PlanSchedule.objects.create(agency=agency, is_on=False)
    write_rows(folder / "rms.csv", city_rows(ROWS), COLUMNS)


def day_file(folder: Path, day: int) -> Path:
    """The file of a simulated day: the first one is the history, each other what was reported since."""
    from tests.ingestion.files import COLUMNS, write_rows

    path = folder / "rms.csv"
    if day:
        path = folder / f"rms{day}.csv"
        at = dt.datetime.combine(ON, dt.time()) + dt.timedelta(days=day - 1)
        rows = city_rows(ROWS_A_DAY, first=ROWS + day * ROWS_A_DAY)
        for number, row in enumerate(rows):
            row["occurred_at"] = f"{at + dt.timedelta(minutes=23 * number):%Y-%m-%dT%H:%M:%S}"
        write_rows(path, rows, COLUMNS)
    return path


def city_rows(n: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Ten weeks of burglaries up to the planned day, the same each time; one row in fifty has no place."""
    from tests.ingestion.files import good_row

    rows = []
    for number in range(first, first + n):
        at = dt.datetime(2025, 3, 10, tzinfo=dt.UTC) - dt.timedelta(
            hours=(number * 7) % (24 * 70), minutes=number % 60
        )
        changes: dict[str, Any] = {"occurred_at": f"{at:%Y-%m-%dT%H:%M:%S}"}
        if number % 50 == 3:
            changes |= {"lat": "", "lon": ""}
        rows.append(good_row(number, **changes))
    return rows


def feed(url: str) -> None:
    """A second feed, with the same rows, that is pulled from an address."""
    from agencies.models import Agency
    from ingestion.engine.mapping import FeedMapping
    from ingestion.models import Feed
    from tests.ingestion.pulled import pulled_feed

    mapping = FeedMapping.from_json(Feed.objects.get(slug="rms").mapping)
    pulled_feed(Agency.objects.get(), "csv_url", {"url": url}, mapping)


def cookies() -> list[str]:
    """Cookies of people who are signed in: the operator, the agency's, and one who is nobody."""
    from django.conf import settings
    from django.test import Client

    from agencies.models import User

    found = []
    for person in User.objects.filter(username__in=("operator", *ROLES)):
        client = Client()
        client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
        found.append(f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}")
    return [*found, f"{settings.SESSION_COOKIE_NAME}=nobody"]


def queue(what: str, folder: Path, day: int = 0) -> None:
    """Put one piece of work in its queue and send for it, as a page does."""
    from agencies.models import Agency, Shift
    from forecasting.services import forecast_run_queue, training_run_queue
    from forecasting.tasks import forecast_run_task, training_run_task
    from ingestion.models import Feed
    from ingestion.services import import_run_queue, pull_queue
    from ingestion.tasks import import_task
    from patrols.models import PatrolPolicy
    from patrols.services import plan_queue
    from patrols.tasks import plan_task

    agency, on = Agency.objects.get(), ON + dt.timedelta(days=day)
    midnight = dt.datetime.combine(on, dt.time(), dt.UTC)
    if what == "pull":
        import_task.delay_on_commit(pull_queue(feed=Feed.objects.get(slug="portal")).pk)
    elif what == "import":
        import_task.delay_on_commit(
            import_run_queue(feed=Feed.objects.get(slug="rms"), path=day_file(folder, day)).pk
        )
    elif what == "training":
        training_run_task.delay_on_commit(
            training_run_queue(agency=agency, seed=SEED + day, until=midnight).pk
        )
    elif what in ("forecast", "plan"):
        PatrolPolicy.objects.get_or_create(agency=agency)
        shift = Shift.objects.get(slug="evening")
        if what == "forecast":
            forecast_run_task.delay_on_commit(forecast_run_queue(agency=agency, shift=shift, on=on).pk)
        else:
            plan_task.delay_on_commit(plan_queue(agency=agency, shift=shift, on=on, seed=SEED + day).pk)
    else:
        raise ValueError(what)


def wait_for_end() -> None:
    """Until no run waits or works any more: the next piece of work builds on this one."""
    from django.apps import apps
    from django.db import DatabaseError, connections

    while True:
        time.sleep(0.2)
        try:
            if not any(
                apps.get_model(label).objects.filter(status__in=("queued", "running")).exists()
                for label in RUNS
            ):
                return
        except DatabaseError:
            connections.close_all()


def work_here(what: str, folder: Path, day: int = 0) -> None:
    """The same work undisturbed, in this process."""
    from celery import current_app

    current_app.conf.task_always_eager = True
    current_app.conf.task_eager_propagates = True
    queue(what, folder, day)


def days_pass(folder: Path, days: int, *, calmly: bool) -> None:
    """Each simulated day: the day's file, a training now and then, forecast and plan; one after the other."""
    for day in range(days):
        for what in WORKS:
            if what == "training" and day % TRAIN_EVERY_DAYS:
                continue
            if calmly:
                work_here(what, folder, day)
            else:
                queue(what, folder, day)
                wait_for_end()


TABLES: dict[str, tuple[str, ...]] = {
    "ingestion.Incident": (
        "external_id",
        "code",
        "occurred_from",
        "lon",
        "lat",
        "crime_type_id",
        "content_hash",
    ),
    "ingestion.QuarantinedRow": ("row_number", "external_id", "code", "field", "fingerprint"),
    # Not data_hash: it marks rows by their place in the database, too, and PostgreSQL gives the numbers of a killed transaction to nobody else.
    "forecasting.ModelVersion": ("crime_type_id", "number", "champion", "state", "n_incidents"),
    "forecasting.RiskSurface": ("run__on", "crime_type_id", "grid_hash", "values"),
    "patrols.MissionPlan": ("on", "shift_id", "state", "design_hash"),
    "patrols.Mission": (
        "plan__on",
        "plan__shift_id",
        "plan__state",
        "number",
        "cell_id",
        "probability",
        "visit_starts",
    ),
}
RUNS = (
    "ingestion.ImportRun", "forecasting.TrainingRun", "forecasting.ForecastRun", "patrols.MissionPlan",
)  # fmt: skip


MOST_SHOWN = 500
"""Of tables with no more rows than this the rows are told, too: a difference is looked for there."""


def summed() -> dict[str, dict[str, Any]]:
    """Number and hash of the rows of each table, whatever their ids, and the rows of small ones."""
    from django.apps import apps

    sums: dict[str, Any] = {}
    shown: dict[str, list[str]] = {}
    for label, fields in TABLES.items():
        model = apps.get_model(label)
        names = [name for name in fields if _has(model, name)]
        rows = sorted(repr([_plain(value) for value in row]) for row in model.objects.values_list(*names))
        sums[label] = [len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]]
        shown[label] = rows if len(rows) <= MOST_SHOWN else []
    return {"rows": sums, "shown": shown}


def runs() -> list[dict[str, Any]]:
    from django.apps import apps

    return [
        {
            "kind": label.split(".")[1], "status": row.status, "attempts": row.attempts, "error": row.error,
            "counts": row.counts, "closed": row.finished_at is not None,
        }
        for label in RUNS
        for row in apps.get_model(label).objects.order_by("pk")
    ]  # fmt: skip


def _has(model: Any, path: str) -> bool:
    first = path.split("__")[0].removesuffix("_id")
    return any(first == field.name for field in model._meta.get_fields())


def _plain(value: Any) -> Any:
    return hashlib.sha256(bytes(value)).hexdigest() if isinstance(value, (bytes, memoryview)) else str(value)


def build(folder: Path) -> None:
    """The calm installation in ``folder/calm``, and copies of it from before each work: ``folder/import`` and so on."""
    from django.db import connections

    calm = folder / "calm"
    found_city(calm)
    for what in WORKS:
        # Closed: SQLite then leaves nothing in a second file.
        connections.close_all()
        shutil.copytree(calm, folder / what)
        work_here(what, calm)


def main() -> None:
    import django

    django.setup()
    order, folder = sys.argv[1], Path(sys.argv[2])
    if order == "found":
        found_city(folder)
    elif order in ("calm", "rough"):
        days_pass(folder, int(sys.argv[3]), calmly=order == "calm")
    elif order == "feed":
        feed(sys.argv[3])
    elif order == "cookies":
        print(json.dumps(cookies()))
    elif order == "build":
        build(folder)
    elif order == "work":
        work_here(sys.argv[3], folder)
    elif order == "ask":
        for what in sys.argv[3:]:
            queue(what, folder)
    elif order == "queue":
        for what in sys.argv[3:]:
            queue(what, folder)
            wait_for_end()
    elif order == "sum":
        print(json.dumps({**summed(), "runs": runs()}))
    else:
        raise SystemExit(f"unknown order {order}")


if __name__ == "__main__":
    main()
