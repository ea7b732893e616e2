"""On PostgreSQL agency, feed and crime type of new facts are checked once a statement, not three times a row.

A foreign key is checked by a query for each row and key: half of the time of an import, for three numbers that are the same
in every row but for a handful. The rules stay: no fact without its owners, no owner deleted under its facts, also where
both happen at once (the owners' rows are locked as a foreign key locks them). SQLite keeps its foreign keys.
"""

from typing import Any

from django.db import migrations

FACTS = ("Incident", "CallForService", "GunfireAlert")
OWNERS = {"agency_id": "agencies_agency", "feed_id": "ingestion_feed", "crime_type_id": "agencies_crimetype"}

OWNERS_EXIST = """
CREATE FUNCTION ingestion_fact_owners_exist() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM (SELECT DISTINCT agency_id, feed_id, crime_type_id FROM incoming) AS own
        WHERE NOT EXISTS (SELECT 1 FROM agencies_agency WHERE id = own.agency_id FOR KEY SHARE)
           OR NOT EXISTS (SELECT 1 FROM ingestion_feed WHERE id = own.feed_id FOR KEY SHARE)
           OR (own.crime_type_id IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM agencies_crimetype WHERE id = own.crime_type_id FOR KEY SHARE))
    ) THEN
        RAISE EXCEPTION 'A row of % names an agency, a feed or a crime type that does not exist.', TG_TABLE_NAME
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$
"""
OWNER_IS_FREE = """
CREATE FUNCTION ingestion_fact_owner_is_free() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    facts text;
    is_used boolean;
BEGIN
    FOREACH facts IN ARRAY ARRAY[{tables}] LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE %I = $1)', facts, TG_ARGV[0]) INTO is_used USING OLD.id;
        IF is_used THEN
            RAISE EXCEPTION 'Row % of % cannot go: % still names it.', OLD.id, TG_TABLE_NAME, facts
                USING ERRCODE = 'foreign_key_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$
"""


def _models(apps: Any) -> list[Any]:
    return [apps.get_model("ingestion", name) for name in FACTS]


def check_by_statement(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    # What is still to be checked row by row is checked now: a table with such rows cannot be altered.
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    tables = [model._meta.db_table for model in _models(apps)]
    schema_editor.execute(OWNERS_EXIST, params=None)
    schema_editor.execute(OWNER_IS_FREE.format(tables=", ".join(f"'{table}'" for table in tables)), params=None)
    for table in tables:
        for name in _foreign_keys(schema_editor, table):
            schema_editor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
        for event in ("INSERT", "UPDATE"):
            schema_editor.execute(
                f"CREATE TRIGGER {table}_owners_on_{event.lower()} AFTER {event} ON {table} "
                "REFERENCING NEW TABLE AS incoming FOR EACH STATEMENT EXECUTE FUNCTION ingestion_fact_owners_exist()"
            )
    for column, owner in OWNERS.items():
        schema_editor.execute(
            f"CREATE CONSTRAINT TRIGGER {owner}_has_no_facts AFTER DELETE OR UPDATE OF id ON {owner} DEFERRABLE "
            f"INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ingestion_fact_owner_is_free('{column}')"
        )


def _foreign_keys(schema_editor: Any, table: str) -> list[str]:
    with schema_editor.connection.cursor() as cursor:
        found = schema_editor.connection.introspection.get_constraints(cursor, table)
    return [name for name, one in found.items() if one["foreign_key"] and one["columns"][0] in OWNERS]


def check_by_row(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for owner in OWNERS.values():
        schema_editor.execute(f"DROP TRIGGER {owner}_has_no_facts ON {owner}")
    for model in _models(apps):
        table = model._meta.db_table
        for event in ("insert", "update"):
            schema_editor.execute(f"DROP TRIGGER {table}_owners_on_{event} ON {table}")
        for name in ("agency", "feed", "crime_type"):
            field = model._meta.get_field(name)
            schema_editor.execute(
                schema_editor._create_fk_sql(model, field, "_fk_%(to_table)s_%(to_column)s")
            )
    schema_editor.execute("DROP FUNCTION ingestion_fact_owners_exist()")
    schema_editor.execute("DROP FUNCTION ingestion_fact_owner_is_free()")


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0007_silent_after_hours"), ("agencies", "0001_initial")]

    operations = [migrations.RunPython(check_by_statement, check_by_row)]
