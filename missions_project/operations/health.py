"""Whether the installation can work now: what a load balancer, a container's host and the doctor ask."""

import logging
from collections.abc import Callable

from celery import current_app
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from missions_project.lib.errors import MissionsError

logger = logging.getLogger(__name__)
BROKER_SECONDS = 2.0
_migrated: list[bool] = []


def database_check() -> None:
    """Raises where the database does not answer."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def migrations_waiting() -> list[str]:
    """The migrations that are still to be applied, each as app.name."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def migrations_check() -> None:
    """Raises where migrations are waiting. Asked once: this process's code does not change under it."""
    if _migrated:
        return
    if waiting := migrations_waiting():
        raise MissionsError(
            _("%(count)s migrations are waiting.") % {"count": len(waiting)},
            next_step=_("run manage.py migrate"),
        )
    _migrated.append(True)


def broker_check() -> None:
    """Raises where the broker does not answer within two seconds."""
    options = {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS}
    embedded = settings.CELERY_BROKER_URL.startswith("filesystem")
    with current_app.connection_for_write(
        connect_timeout=BROKER_SECONDS, transport_options=None if embedded else options
    ) as link:
        # Once: a probe that waits for a broker to come back holds a thread for as long.
        link.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
        link.default_channel.client.ping() if hasattr(link.default_channel, "client") else None


READY: dict[str, Callable[[], None]] = {
    "database": database_check,
    "migrations": migrations_check,
    "broker": broker_check,
}


def readiness() -> dict[str, str]:
    """Each check, "ok" or "failed". Why it failed stands in the log alone: its words may name servers and accounts."""
    found = {}
    for name, check in READY.items():
        try:
            check()
        except Exception as error:  # noqa: BLE001 - whatever a driver raises means the same: not ready
            logger.error("Not ready: %s (%s: %s)", name, type(error).__name__, error)
            found[name] = "failed"
        else:
            found[name] = "ok"
    return found
