"""The walls between agencies in PostgreSQL itself: on every table of an agency a policy that shows and takes only rows within reach.

Which agencies are within reach, `missions_project.lib.walls` tells each session. The policies hold for the tables' owner too
(FORCE), so one database role is enough; a superuser and a role with BYPASSRLS walk through, which `manage.py doctor` says.
Put in place by a migration, and after every later ``migrate`` on tables that have none yet: a new model cannot be forgotten.

The walls of the audit store's tables have no door to where forecasts and plans are made, their own agency's included.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from missions_project.lib.walls import MEMBERSHIPS, SETTING, STORE_SETTING

POLICY, PEOPLE_POLICY = "agency_wall", "people_of_own_agencies"
MIGRATION = ("operations", "0002_walls_between_agencies")
FUNCTIONS = ("missions_reach()", "missions_people(text)")
# A sub-select, so that the session is asked once a query and table, and not once a row. Null, where all are within reach,
# makes the comparison null, which is not false: one question instead of two is a third of the price.
REACH = "(SELECT missions_reach())"
IS_OWN = f"(agency_id = ANY ({REACH}::bigint[])) IS NOT FALSE"
IS_ALL = f"{REACH} IS NULL"
STORE, STORE_IS_OPEN = (
    "ingestion_audit",
    f"(SELECT coalesce(current_setting('{STORE_SETTING}', true), '') <> 'shut')",
)
"""The audit store's app, and when its tables may be seen. Who told nothing of it (pg_dump, psql) said by hand how far to reach."""
CHAINS = {"agencies_auditchain": "key", "agencies_auditcheckpoint": "chain"}
"""Tables that name their agency in a text, so that they can outlive it."""

_NUMBERS = "'^[0-9]+(,[0-9]+)*$'"
_FUNCTIONS = [
    # PL/pgSQL keeps its plan; a function in SQL would be planned anew in every query.
    # Who can only read was let in by name (the roles of the views for QGIS): the view's own condition is their wall.
    """
CREATE OR REPLACE FUNCTION missions_reach() RETURNS bigint[] LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE told text := coalesce(current_setting('{setting}', true), '');
BEGIN
  IF told = 'all' THEN RETURN NULL; END IF;
  IF told ~ {numbers} THEN RETURN string_to_array(told, ',')::bigint[]; END IF;
  IF told = '' AND NOT has_table_privilege(current_user, '{schema}.{memberships}', 'INSERT') THEN RETURN NULL; END IF;
  RETURN '{{}}';
END $$""",
    # Whether a colleague also belongs elsewhere must be known: their administrator here may not set their password then.
    """
CREATE OR REPLACE FUNCTION missions_people(told text) RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
DECLARE found bigint[];
BEGIN
  IF told IS NULL OR told !~ {numbers} THEN RETURN '{{}}'; END IF;
  PERFORM set_config('{setting}', 'all', true);
  SELECT array_agg(DISTINCT user_id) INTO found FROM {schema}.{memberships}
    WHERE agency_id = ANY (string_to_array(told, ',')::bigint[]);
  PERFORM set_config('{setting}', told, true);
  RETURN coalesce(found, '{{}}');
END $$""",
]


def walled_tables(all_models: Iterable[type[models.Model]]) -> dict[str, str]:
    """Each table that belongs to agencies, and when one of its rows is within reach, in SQL.

    A row with an agency is that agency's; one without is what it hangs from (a feed's key), or the operator's alone. What
    joins two tables of agencies is within reach where both are.
    """
    found: dict[str, str] = {}
    joins: list[type[models.Model]] = []
    for model in all_models:
        options = model._meta
        if options.proxy or not options.managed:
            continue
        field = agency_field(model)
        if options.label_lower == "agencies.agency":
            found[options.db_table] = IS_OWN.replace("agency_id", "id")
        elif options.app_label == STORE and field is not None:
            found[options.db_table] = f"{IS_OWN} AND {STORE_IS_OPEN}"
        elif field is not None:
            found[options.db_table] = IS_OWN
            if field.null:
                # Nobody's row is not everybody's.
                found[options.db_table] = f"{IS_ALL} OR agency_id = ANY ({REACH}::bigint[])"
            if field.null and any(one.name == "feed" for one in options.fields):
                found[options.db_table] += (
                    " OR (agency_id IS NULL AND feed_id IN (SELECT id FROM ingestion_feed))"
                )
        elif options.db_table in CHAINS:
            column = CHAINS[options.db_table]
            found[options.db_table] = (
                f"{IS_ALL} OR {column} = ANY (ARRAY(SELECT 'agency:' || one FROM unnest(missions_reach()) AS one))"  # nosec B608 - names are ours
            )
        elif options.auto_created:
            joins.append(model)
    for model in joins:
        ends = [
            f"{one.column} IN (SELECT id FROM {one.related_model._meta.db_table})"  # type: ignore[union-attr]  # nosec B608 - names are ours
            for one in model._meta.fields
            if one.is_relation and one.related_model._meta.db_table in found  # type: ignore[union-attr]
        ]
        if ends:
            found[model._meta.db_table] = f"{IS_ALL} OR ({' AND '.join(ends)})"
    return found


def agency_field(model: type[models.Model]) -> Any:
    """The column that names a row's agency; None for a model without."""
    return next(
        (
            field
            for field in model._meta.fields
            if field.name == "agency"
            and field.is_relation
            and field.related_model._meta.label_lower == "agencies.agency"  # type: ignore[union-attr]
        ),
        None,
    )


def all_tables() -> dict[str, str]:
    """The same for the models of today."""
    return walled_tables(apps.get_models(include_auto_created=True))


def walls_missing(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> list[str]:
    """Tables of these that are there and have no wall, or one that does not hold for their owner; likewise where one of a
    table's partitions has none, for it can be asked by its own name. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT coalesce(whole.relname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class whole ON whole.oid = i.inhparent "
            "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND coalesce(whole.relname, c.relname) = ANY(%s) "
            "AND NOT (c.relrowsecurity AND c.relforcerowsecurity "
            "AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = %s)) ORDER BY 1",
            [list(tables), POLICY],
        )
        return [row[0] for row in cursor.fetchall()]


def walls_build(connection: BaseDatabaseWrapper, tables: dict[str, str]) -> None:
    """Put up the walls of these tables, in the place of those that are there. Nothing on another database."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        words = {
            "schema": cursor.fetchone()[0], "memberships": MEMBERSHIPS, "setting": SETTING, "numbers": _NUMBERS,
        }  # fmt: skip
        for text in _FUNCTIONS:
            cursor.execute(text.format(**words))
        for whole, condition in tables.items():
            for table in (whole, *_partitions(cursor, whole)):
                cursor.execute(f"DROP POLICY IF EXISTS {POLICY} ON {table}")
                cursor.execute(
                    f"CREATE POLICY {POLICY} ON {table} USING ({condition}) WITH CHECK ({condition})"
                )
                cursor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
                cursor.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        if MEMBERSHIPS in tables:
            cursor.execute(f"DROP POLICY IF EXISTS {PEOPLE_POLICY} ON {MEMBERSHIPS}")
            cursor.execute(
                f"CREATE POLICY {PEOPLE_POLICY} ON {MEMBERSHIPS} FOR SELECT USING "
                f"(user_id = ANY ((SELECT missions_people(current_setting('{SETTING}', true)))::bigint[]))"
            )


def _partitions(cursor: Any, table: str) -> list[str]:
    """The table's partitions: a wall before the whole does not stand before a part that is asked by its own name. One query."""
    cursor.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(%s) ORDER BY 1",
        [table],
    )
    return [row[0] for row in cursor.fetchall()]


def walls_remove(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> None:
    """Take the walls away, those of later tables too."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for whole in tables:
            for table in (whole, *_partitions(cursor, whole)):
                cursor.execute(f"DROP POLICY IF EXISTS {POLICY} ON {table}")
                cursor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
                cursor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        cursor.execute(f"DROP POLICY IF EXISTS {PEOPLE_POLICY} ON {MEMBERSHIPS}")
        for name in FUNCTIONS:
            cursor.execute(f"DROP FUNCTION IF EXISTS {name}")


def walled_now(connection: BaseDatabaseWrapper) -> list[str]:
    """Tables that have a wall; partitions go with their table and are not named. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid "
            "WHERE c.relnamespace = to_regnamespace(current_schema()) AND p.polname = %s AND NOT c.relispartition ORDER BY 1",
            [POLICY],
        )
        return [row[0] for row in cursor.fetchall()]


def walls_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: tables that came later get their wall, unless the walls' migration was taken back."""
    connection = connections[using]
    if (
        connection.vendor != "postgresql"
        or MIGRATION not in MigrationRecorder(connection).applied_migrations()
    ):
        return
    tables = all_tables()
    if missing := walls_missing(connection, tables):
        walls_build(connection, {name: tables[name] for name in missing})
