from django.db import migrations, models


class Migration(migrations.Migration):
    """A plan's reasons are claimed by one worker at a time, and marked as written at the end."""

    dependencies = [("patrols", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="missionplan",
            name="reasons_sent_at",
            field=models.DateTimeField(
                editable=False, help_text="When a worker was last asked for the reasons.", null=True
            ),
        ),
        migrations.AddField(
            model_name="missionplan",
            name="reasons_claimed_at",
            field=models.DateTimeField(
                editable=False,
                help_text="The last sign of life of the worker that writes the reasons; its claim ends five minutes later.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="missionplan",
            name="reasons_attempts",
            field=models.PositiveSmallIntegerField(
                default=0, editable=False, help_text="How many workers have begun to write the reasons."
            ),
        ),
        migrations.AlterField(
            model_name="missionplan",
            name="reasons_at",
            field=models.DateTimeField(
                editable=False,
                help_text="When the forecast's reasons were all written beside the missions, or found to be impossible to give.",
                null=True,
            ),
        ),
    ]
