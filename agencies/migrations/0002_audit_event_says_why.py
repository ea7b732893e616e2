"""Audit events keep the reason and the row that they are about, so that each row has a history of its own."""

from django.db import migrations, models

CHANGES = (".added", ".changed", ".deleted")


def name_the_rows(apps, schema_editor):
    """Events of the admin named their row in the detail only, and its table in the action."""
    event_model = apps.get_model("agencies", "AuditEvent")
    labels = {model._meta.model_name: model._meta.label_lower for model in apps.get_models()}
    batch = []
    for event in event_model.objects.filter(row_id=None).only("id", "action", "detail").iterator(chunk_size=2_000):
        name, dot, what = event.action.rpartition(".")
        row_id = event.detail.get("id") if isinstance(event.detail, dict) else None
        if f"{dot}{what}" in CHANGES and name in labels and isinstance(row_id, int):
            event.model, event.row_id = labels[name], row_id
            batch.append(event)
        if len(batch) >= 2_000:
            event_model.objects.bulk_update(batch, ["model", "row_id"])
            batch = []
    event_model.objects.bulk_update(batch, ["model", "row_id"])


class Migration(migrations.Migration):
    dependencies = [("agencies", "0001_initial")]

    operations = [
        migrations.AddField("auditevent", "why", models.CharField(blank=True, default="", max_length=500), preserve_default=False),
        migrations.AddField("auditevent", "model", models.CharField(blank=True, default="", max_length=80), preserve_default=False),
        migrations.AddField("auditevent", "row_id", models.BigIntegerField(blank=True, null=True)),
        migrations.AddIndex(
            "auditevent", models.Index(fields=["model", "row_id"], name="audit_event_by_row")
        ),
        migrations.RunPython(name_the_rows, migrations.RunPython.noop),
    ]
