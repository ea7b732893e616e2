"""PostgreSQL refuses to TRUNCATE the audit log, too: emptying a table fires none of the guards that watch single rows."""

from django.db import migrations

from agencies.audit_guards import drop_emptying_statements, guards_install


def install(apps, schema_editor):
    guards_install(schema_editor.connection)


def remove(apps, schema_editor):
    for statement in drop_emptying_statements(schema_editor.connection.vendor):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("agencies", "0008_single_sign_on")]

    operations = [migrations.RunPython(install, remove)]
