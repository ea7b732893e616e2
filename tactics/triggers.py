"""The database's own word that a frozen study stays as it is, whoever writes: a shell, a bulk update, another program.

Made anew after every migration: SQLite loses a table's triggers when a later migration rebuilds it.
"""

from typing import Any

from django.db import connections

from tactics.models.studies import FROZEN_FIELDS, ImpactStudy

NAME = "frozen_study_stays"
MESSAGE = "This study is frozen: nothing of it can be changed."


def triggers_ensure(using: str = "default", **_: Any) -> None:
    """Put the trigger on the studies' table, if there is one. Two statements on SQLite, four on PostgreSQL."""
    connection = connections[using]
    table = ImpactStudy._meta.db_table
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return
        if connection.vendor == "sqlite":
            changed = " OR ".join(f'NEW."{name}" IS NOT OLD."{name}"' for name in FROZEN_FIELDS)
            cursor.execute(f"DROP TRIGGER IF EXISTS {NAME}")
            cursor.execute(
                f'CREATE TRIGGER {NAME} BEFORE UPDATE ON "{table}" WHEN OLD."frozen_at" IS NOT NULL AND ({changed}) '
                f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
        elif connection.vendor == "postgresql":
            changed = " OR ".join(f'NEW."{name}" IS DISTINCT FROM OLD."{name}"' for name in FROZEN_FIELDS)
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF OLD.frozen_at IS NOT NULL AND ({changed}) THEN RAISE EXCEPTION '{MESSAGE}' "
                "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
            )
            cursor.execute(f'DROP TRIGGER IF EXISTS {NAME} ON "{table}"')
            cursor.execute(
                f'CREATE TRIGGER {NAME} BEFORE UPDATE ON "{table}" FOR EACH ROW EXECUTE FUNCTION {NAME}()'
            )
