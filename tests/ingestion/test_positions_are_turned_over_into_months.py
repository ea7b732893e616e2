"""Vehicle positions go from one plain table into months and back, with their rows, numbers, keys and walls."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from ingestion.models import VehiclePosition
from ingestion.services import position_months_keep, position_months_state
from ingestion.services.position_months import POSITIONS
from missions_project.operations.row_policies import all_tables, walls_missing
from tests.factories import make_agency
from tests.ingestion.files import plain_feed
from tests.ingestion.position_months import NOW, asked, january, lying_in, months, pushed

for_real = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


class TestTheTableIsTurnedOverWithItsRows:
    pytestmark = for_real

    def described(self) -> dict[str, Any]:
        """What Django knows of the table: columns, keys, indexes by their names."""
        with connection.cursor() as cursor:
            columns = [
                tuple(one)[:6]
                for one in connection.introspection.get_table_description(cursor, POSITIONS.table)
            ]
            found = connection.introspection.get_constraints(cursor, POSITIONS.table)
        return {"columns": columns} | {
            name: (one["columns"], one["unique"], one["index"]) for name, one in found.items()
        }

    def rows(self) -> list[Any]:
        return list(VehiclePosition.objects.order_by("pk").values_list())

    def test_forth_and_back_and_forth(self) -> None:
        feed = plain_feed(make_agency())
        pushed(feed, *january(), datetime(2019, 3, 5, tzinfo=UTC), NOW, timezone.now())
        rows, apart = self.rows(), self.described()
        assert len(rows) == 6
        try:
            call_command("migrate", "ingestion", "0010", verbosity=0)
            plain = self.described()
            assert self.rows() == rows
            assert position_months_keep(now=NOW) == 0
            assert not position_months_state(now=NOW).is_kept
            assert walls_missing(connection, all_tables()) == []
            assert asked(
                "SELECT count(*) FROM pg_class WHERE relname LIKE %s", f"{POSITIONS.table}\\_2%"
            ) == [(0,)]
            pushed(feed, NOW + timedelta(seconds=1))
            call_command("migrate", "ingestion", verbosity=0)
            assert self.rows()[:6] == rows
            assert VehiclePosition.objects.count() == 7
            assert lying_in(POSITIONS.rest) == 0, "each month with rows has a piece"
            assert date(2019, 3, 1) in months()
            assert walls_missing(connection, all_tables()) == []
            pushed(feed, NOW + timedelta(seconds=2))
            newest = VehiclePosition.objects.order_by("-pk")[0]
            assert newest.at == NOW + timedelta(seconds=2), "the numbers go on"
            assert self.described() == apart
            key = f"{POSITIONS.table}_pkey"
            assert plain.pop(key)[0] == ["id"]
            assert apart.pop(key)[0] == ["id", "at"]
            assert plain == apart
            assert asked("SELECT pg_get_serial_sequence(%s, 'id')", POSITIONS.table)[0][0].endswith(
                f".{POSITIONS.table}_id_seq"
            )
        finally:
            call_command("migrate", verbosity=0)
            VehiclePosition.objects.all().delete()
            position_months_keep(now=timezone.now())

    def test_later_migrations_find_what_they_know_by_name(self) -> None:
        state = (
            MigrationExecutor(connection)
            .loader.project_state()
            .apps.get_model("ingestion", "VehiclePosition")
        )
        field: Any = models.FloatField(null=True)
        field.set_attributes_from_name("speed")
        (unique,), (index,) = state._meta.constraints, state._meta.indexes
        pushed(plain_feed(make_agency()), NOW)

        def altered() -> None:
            with connection.schema_editor(atomic=False) as editor:
                editor.add_field(state, field)
                editor.remove_constraint(state, unique)
                editor.remove_index(state, index)
                editor.add_index(state, index)
                editor.add_constraint(state, unique)
            assert asked(f"SELECT speed FROM {POSITIONS.table}") == [(None,)]
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), transaction.atomic():
            altered()
