"""PostgreSQL itself keeps the agencies' rows apart: a second wall behind the selectors. Nothing on SQLite."""

from django.db import migrations

from missions_project.operations.row_policies import walled_now, walled_tables, walls_build, walls_remove


def build(apps, schema_editor):
    walls_build(schema_editor.connection, walled_tables(apps.get_models(include_auto_created=True)))


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        walls_remove(schema_editor.connection, walled_now(schema_editor.connection))


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0001_first"),
        ("agencies", "0007_audit_log_is_append_only"),
        ("ingestion", "0010_call_unit"),
        ("ingestion_audit", "0001_initial"),
        ("forecasting", "0005_seal_model_files"),
        ("patrols", "0007_missions_by_start"),
        ("tactics", "0011_tactic_draws_by_time_of_all"),
    ]

    operations = [migrations.RunPython(build, remove)]
