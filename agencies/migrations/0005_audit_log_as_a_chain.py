"""Columns and tables of the audit chain. The next migration chains what is there, the one after it closes the log."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agencies", "0004_user_language")]

    operations = [
        migrations.CreateModel(
            name="AuditChain",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=40, unique=True)),
                ("length", models.BigIntegerField(default=0)),
                ("head", models.CharField(default="0" * 64, max_length=64)),
                ("seal", models.CharField(blank=True, max_length=73)),
            ],
        ),
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("chain", models.CharField(max_length=40)),
                ("sequence", models.BigIntegerField()),
                ("hash", models.CharField(max_length=64)),
                ("rows", models.BigIntegerField()),
                ("oldest_at", models.DateTimeField()),
                ("newest_at", models.DateTimeField()),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("why", models.CharField(max_length=200)),
                ("seal", models.CharField(max_length=73)),
            ],
            options={"ordering": ["chain", "sequence"]},
        ),
        migrations.AddConstraint(
            "auditcheckpoint", models.UniqueConstraint(fields=["chain", "sequence"], name="one_checkpoint_per_place")
        ),
        migrations.AddField("auditevent", "actor_name", models.CharField(blank=True, default="", editable=False, max_length=150), preserve_default=False),
        migrations.AddField("auditevent", "actor_number", models.BigIntegerField(editable=False, null=True)),
        migrations.AddField("auditevent", "chain", models.CharField(default="", editable=False, max_length=40), preserve_default=False),
        migrations.AddField("auditevent", "hash", models.CharField(default="", editable=False, max_length=64), preserve_default=False),
        migrations.AddField("auditevent", "previous", models.CharField(default="", editable=False, max_length=64), preserve_default=False),
        migrations.AddField("auditevent", "seal", models.CharField(default="", editable=False, max_length=73), preserve_default=False),
        migrations.AddField("auditevent", "sequence", models.BigIntegerField(default=0, editable=False), preserve_default=False),
    ]  # fmt: skip
