"""One event a place, and the database refuses to change or delete what stands there."""

from django.db import migrations, models

from agencies.audit_guards import guards_install, guards_remove


def install(apps, schema_editor):
    guards_install(schema_editor.connection)


def remove(apps, schema_editor):
    guards_remove(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("agencies", "0006_chain_the_audit_log")]

    operations = [
        migrations.AddConstraint(
            "auditevent", models.UniqueConstraint(fields=["chain", "sequence"], name="one_audit_event_per_place")
        ),
        migrations.RunPython(install, remove),
    ]
