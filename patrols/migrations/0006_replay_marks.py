from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('patrols', '0005_presence'),
    ]

    operations = [
        migrations.AddField(
            model_name='missionplan',
            name='replay_mark',
            field=models.CharField(blank=True, default='', editable=False, help_text='Signed by the program when it last drew the plan again and found what is stored: seed, digest and bytes of the design. Another design, another seed or another release has another mark, and is drawn again.', max_length=64),
        ),
        migrations.AddField(
            model_name='missionplan',
            name='replayed_at',
            field=models.DateTimeField(editable=False, help_text='When the plan was last drawn again and found to be as stored.', null=True),
        ),
    ]
