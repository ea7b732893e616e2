"""The database's own word that what is frozen stays as it is, whoever writes: a shell, a bulk update, another program.

Frozen studies, published packs, findings of the exposure audit and their answers. Made anew after every migration: SQLite loses
a table's triggers when a later migration rebuilds it, and drops no column that one names: they are taken off before it.
"""

from dataclasses import dataclass, replace
from typing import Any

from django.db import connections, models

from tactics.models.studies import FROZEN_FIELDS, ImpactStudy
from tactics.models.transparency import (
    ANSWER_FIELDS,
    FINDING_FROZEN_FIELDS,
    PACK_FROZEN_FIELDS,
    ExposureFinding,
    TransparencyPack,
)

NAME = "frozen_study_stays"
MESSAGE = "This study is frozen: nothing of it can be changed."


@dataclass(frozen=True)
class Lasting:
    """A trigger: columns of a table that no update may change once ``when`` (SQL over the OLD row) holds."""

    name: str
    model: type[models.Model]
    when: str
    fields: tuple[str, ...]
    message: str


LASTING = (
    Lasting(NAME, ImpactStudy, 'OLD."frozen_at" IS NOT NULL', FROZEN_FIELDS, MESSAGE),
    Lasting(
        "published_pack_stays",
        TransparencyPack,
        "OLD.\"state\" = 'published'",
        PACK_FROZEN_FIELDS,
        "This pack is published: nothing of it can be changed.",
    ),
    Lasting(
        "finding_stays",
        ExposureFinding,
        'OLD."agency_id" IS NOT NULL',
        FINDING_FROZEN_FIELDS,
        "A finding of the exposure audit stays as it was raised.",
    ),
    Lasting(
        "finding_answer_stays",
        ExposureFinding,
        'OLD."answered_at" IS NOT NULL',
        ANSWER_FIELDS,
        "The answer to a finding is kept as it was written.",
    ),
)


def triggers_ensure(using: str = "default", **_: Any) -> None:
    """Put the triggers on their tables, where there are such, over the columns that they have: an older schema has fewer.

    Two statements each on SQLite, three on PostgreSQL.
    """
    connection = connections[using]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for one in LASTING:
            table = one.model._meta.db_table
            if table not in tables:
                continue
            there = {row.name for row in connection.introspection.get_table_description(cursor, table)}
            if fields := tuple(name for name in one.fields if name in there):
                _put(connection.vendor, cursor, replace(one, fields=fields))


def triggers_drop(using: str = "default", **_: Any) -> None:
    """Take them off, for as long as the schema changes. One statement each."""
    connection = connections[using]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for one in LASTING:
            if one.model._meta.db_table in tables:
                where = f' ON "{one.model._meta.db_table}"' if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {one.name}{where}")


def _put(vendor: str, cursor: Any, one: Lasting) -> None:
    table, name = one.model._meta.db_table, one.name
    if vendor == "sqlite":
        changed = " OR ".join(f'NEW."{field}" IS NOT OLD."{field}"' for field in one.fields)
        cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
        cursor.execute(
            f'CREATE TRIGGER {name} BEFORE UPDATE ON "{table}" WHEN {one.when} AND ({changed}) '
            f"BEGIN SELECT RAISE(ABORT, '{one.message}'); END"
        )
    elif vendor == "postgresql":
        changed = " OR ".join(f'NEW."{field}" IS DISTINCT FROM OLD."{field}"' for field in one.fields)
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {one.when} AND ({changed}) THEN RAISE EXCEPTION '{one.message}' "
            "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
        )
        cursor.execute(f'DROP TRIGGER IF EXISTS {name} ON "{table}"')
        cursor.execute(
            f'CREATE TRIGGER {name} BEFORE UPDATE ON "{table}" FOR EACH ROW EXECUTE FUNCTION {name}()'
        )
