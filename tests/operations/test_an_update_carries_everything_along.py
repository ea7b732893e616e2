"""Migrations with data: from the first version's schema to today's and back, on both databases, every row is still there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.sql import emit_pre_migrate_signal
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.operations.filling import AT, fill, rows_of, tables_of

pytestmark = pytest.mark.django_db(transaction=True)
APPS = ("agencies", "ingestion", "forecasting", "patrols", "tactics")
FIRST = [(app, "0001_initial") for app in APPS]
"""The schema of the first version: the oldest that an installation can be updated from."""
OWN: dict[str, dict[str, Any]] = {
    "patrols.suppression": {"starts_at": AT, "expires_at": AT + dt.timedelta(hours=8)}
}
"""Values that checks of the database ask for."""


def migrate_to(targets: list[tuple[str, str]]) -> None:
    # As the command does it, in one go for all rooms.
    emit_pre_migrate_signal(0, False, connection.alias)
    MigrationExecutor(connection).migrate(targets)


@pytest.fixture
def first_version(transactional_db: None) -> Iterator[Any]:
    """The schema of the first version; today's again afterwards."""
    migrate_to([*FIRST, ("operations", None)])  # type: ignore[list-item]
    try:
        yield MigrationExecutor(connection).loader.project_state(FIRST).apps
    finally:
        # As the command, for its signals.
        call_command("migrate", verbosity=0)


def test_rows_of_the_first_version_are_there_after_the_update_and_after_it_is_taken_back(
    first_version: Any,
) -> None:
    ordered = tables_of(first_version, APPS)
    fill(ordered, OWN)
    before = rows_of(ordered)
    assert len(before) == 36
    assert all(len(rows) == 1 for rows in before.values())
    call_command("migrate", verbosity=0)
    updated = {}
    for model in ordered:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(model._meta.db_table)}")
            updated[model._meta.label_lower] = cursor.fetchone()[0]
    assert {name for name, count in updated.items() if count < 1} == set()
    migrate_to([*FIRST, ("operations", None)])  # type: ignore[list-item]
    assert rows_of(ordered) == before
