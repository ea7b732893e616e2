"""The walls of the audit store's tables anew: shut in runs, in workers, to keys and on agencies' pages. Nothing on SQLite."""

from django.db import migrations

from missions_project.operations.row_policies import STORE, walled_tables, walls_build


def build(apps, schema_editor):
    walls_build(schema_editor.connection, walled_tables(apps.get_app_config(STORE).get_models()))


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0002_walls_between_agencies"),
    ]

    # Undone with all walls (operations 0001). A program of before tells the session nothing of the store, which then is open.
    operations = [migrations.RunPython(build, migrations.RunPython.noop)]
