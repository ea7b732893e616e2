"""What must answer: database, broker, workers, scheduler, mail server, and clocks that agree."""

import smtplib
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

from celery import current_app
from django.conf import settings
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from django.utils import timezone

from ingestion.services import position_months_state
from missions_project.lib.monthly import month_after, month_of
from missions_project.operations import health
from missions_project.operations.doctor.findings import Level, check
from missions_project.operations.pulses import BEAT, DISPATCH, pulse_age
from missions_project.operations.queues import queue_names
from missions_project.operations.row_policies import all_tables, walls_missing
from missions_project.operations.runs import run_figures

Found = Iterator[tuple[Level, str, str]]
OLDEST_POSTGRES = 14
SKEW = timedelta(seconds=5)
LATE = timedelta(minutes=5)
LAG = timedelta(minutes=20)
PING_SECONDS = 2.0


@check("database", "The database")
def database() -> Found:
    try:
        health.database_check()
    except DatabaseError as error:
        yield (
            Level.ERROR,
            f"The database does not answer ({type(error).__name__}).",
            "see that it runs (systemctl status postgresql) and that DATABASE_URL names it.",
        )
        return
    if connection.vendor == "sqlite":
        yield (
            Level.WARNING,
            "The database is SQLite: one writer at a time, on this machine alone.",
            "set DATABASE_URL to a PostgreSQL database before several agencies work here.",
        )
    elif postgres_version() < OLDEST_POSTGRES:
        yield (
            Level.ERROR,
            f"PostgreSQL {postgres_version()} is older than {OLDEST_POSTGRES}, the oldest that is supported.",
            "update the server.",
        )


def postgres_version() -> int:
    """The server's major version."""
    return int(connection.pg_version) // 10_000  # type: ignore[attr-defined]  # PostgreSQL's wrapper alone has it


@check("migrations", "Migrations")
def migrations() -> Found:
    try:
        waiting = health.migrations_waiting()
    except DatabaseError:
        # Said by the check of the database.
        return
    if waiting:
        more = ", …" if len(waiting) > 3 else ""
        yield (
            Level.ERROR,
            f"{len(waiting)} migrations are waiting ({', '.join(waiting[:3])}{more}).",
            "manage.py migrate",
        )


@check("walls", "The walls between agencies in the database", needs_database=True)
def walls() -> Found:
    if connection.vendor != "postgresql":
        return
    if passed := walls_passed_by():
        yield (
            Level.WARNING,
            f"The database role {passed}: a page that forgot to ask for its agency would show another's rows.",
            "let DATABASE_URL or DATABASE_ROLE name a role without these rights that owns the tables (docs/security/walls.md).",
        )
    if missing := walls_missing(connection, all_tables()):
        more = ", …" if len(missing) > 3 else ""
        yield (
            Level.ERROR,
            f"{len(missing)} tables have no wall ({', '.join(missing[:3])}{more}).",
            "manage.py migrate puts them up.",
        )


def walls_passed_by() -> str:
    """Why the role we work as sees through the walls: "x is a superuser", "x has BYPASSRLS"; empty where it does not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        name, is_super, bypasses = cursor.fetchone()
    if is_super:
        return f"{name} is a superuser"
    return f"{name} has BYPASSRLS" if bypasses else ""


@check("position_months", "The months of vehicle positions", needs_database=True)
def position_months() -> Found:
    now = timezone.now()
    state = position_months_state(now=now)
    if not state.is_kept:
        if connection.vendor == "postgresql":
            yield (
                Level.WARNING,
                "Vehicle positions are one table: old months are deleted row by row.",
                "manage.py migrate ingestion",
            )
        return
    mend = "see that a worker of the queue ingest runs and its log names no error of position_months_task, which mends it each hour."
    # The one after the next may be missing for the first hour of a month.
    if missing := [month for month in state.missing if month <= month_after(month_of(now))]:
        yield (
            Level.ERROR,
            f"Vehicle positions have no place of their own for {', '.join(f'{month:%Y-%m}' for month in missing)}.",
            mend,
        )
    if state.rest_holds_rows:
        yield (
            Level.WARNING,
            "Vehicle positions lie outside the months: questions of a month read them all.",
            mend,
        )
    if state.leaving:
        yield (
            Level.WARNING,
            f"{', '.join(f'{month:%Y-%m}' for month in state.leaving)} of vehicle positions was given up and still takes its room.",
            mend,
        )


@check("clock", "Clocks", needs_database=True)
def clock() -> Found:
    if connection.vendor != "postgresql":
        return
    before = timezone.now()
    there = database_now()
    after = timezone.now()
    away = max(before - there, there - after)
    if away > SKEW:
        yield (
            Level.ERROR,
            f"This machine's clock and the database's differ by {away.total_seconds():.0f} s: shifts would be planned late.",
            "set both by the network: apt-get install chrony (timedatectl shows the state).",
        )


def database_now() -> datetime:
    """The database server's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


@check("broker", "The broker")
def broker() -> Found:
    try:
        health.broker_check()
    except Exception as error:  # noqa: BLE001 - each broker's driver has errors of its own
        yield (
            Level.ERROR,
            f"The broker does not answer ({type(error).__name__}): no task is sent.",
            "see that it runs (systemctl status redis-server) and that CELERY_BROKER_URL names it.",
        )


@check("workers", "Workers")
def workers() -> Found:
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        # Files carry no questions to workers; their dispatcher's pulse tells as much.
        return
    try:
        served = queues_served()
    except Exception:  # noqa: BLE001 - said by the check of the broker
        return
    if missing := sorted(set(queue_names()) - served):
        yield (
            Level.ERROR,
            f"No worker serves {', '.join(missing)}.",
            "systemctl start "
            + " ".join(f"missions-worker@{name}" for name in missing)
            + " (or a worker without --queues).",
        )


def queues_served() -> set[str]:
    """The queues that living workers listen to."""
    answers = current_app.control.inspect(timeout=PING_SECONDS).active_queues() or {}
    return {queue["name"] for queues in answers.values() for queue in queues}


@check("scheduler", "The scheduler", needs_database=True)
def scheduler() -> Found:
    now = timezone.now()
    beat = pulse_age(BEAT, now=now)
    if beat is None or beat > LATE:
        yield (
            Level.ERROR,
            f"No scheduler {'ever worked' if beat is None else f'has worked for {beat.total_seconds() / 60:.0f} minutes'}: "
            "nothing happens by itself.",
            "systemctl start missions-beat (or make up); its log says why it stopped.",
        )
        return
    done = pulse_age(DISPATCH, now=now)
    if done is None or done > LATE:
        yield (
            Level.ERROR,
            "The scheduler works, but no worker has done its minute's task for "
            f"{'ever' if done is None else f'{done.total_seconds() / 60:.0f} minutes'}.",
            "start a worker of the queue plan: systemctl start missions-worker@plan.",
        )


@check("lag", "Work that waits", needs_database=True)
def lag() -> Found:
    now = timezone.now()
    for figures in run_figures(now=now):
        waited = figures.waited_seconds(now)
        if waited > LAG.total_seconds():
            yield (
                Level.WARNING,
                f"{figures.queued} {figures.label} wait, the oldest for {waited / 60:.0f} minutes.",
                "see that workers run; if they do, start more of them.",
            )
        if figures.failed and figures.failed >= figures.succeeded:
            yield (
                Level.WARNING,
                f"{figures.failed} of {figures.failed + figures.succeeded} {figures.label} failed in the last 24 hours.",
                "each says why and what to do: Admin, the list of that kind.",
            )


@check("mail", "The mail server")
def mail() -> Found:
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        if "console" in settings.EMAIL_BACKEND:
            yield (
                Level.WARNING,
                "Mails are printed and not sent.",
                "use the production profile and set EMAIL_HOST.",
            )
        return
    try:
        with closing(get_connection(timeout=PING_SECONDS)) as server:
            server.open()
    except (OSError, smtplib.SMTPException) as error:
        yield (
            Level.WARNING,
            f"The mail server {settings.EMAIL_HOST}:{settings.EMAIL_PORT} does not take us ({type(error).__name__}).",
            "check EMAIL_HOST, EMAIL_PORT, EMAIL_USE_TLS, EMAIL_HOST_USER and EMAIL_HOST_PASSWORD.",
        )


@check("operator", "Whom alerts reach")
def operator() -> Found:
    if not settings.OPERATOR_EMAILS and not settings.OPERATOR_WEBHOOK_URL:
        yield (
            Level.WARNING,
            "Nobody is told of late forecasts, silent feeds and drift.",
            "set OPERATOR_EMAILS or OPERATOR_WEBHOOK_URL.",
        )
