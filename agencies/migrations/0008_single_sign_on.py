"""What the groups of an identity provider mean here, and which memberships came from them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agencies', '0007_audit_log_is_append_only'),
    ]

    operations = [
        migrations.CreateModel(
            name='SignOnGrant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.SlugField(max_length=60)),
                ('at', models.DateTimeField(auto_now=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='agencies.agency')),
                ('membership', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='sign_on_grant', to='agencies.membership')),
            ],
        ),
        migrations.CreateModel(
            name='GroupRole',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.SlugField(help_text="The identity provider's short name on this installation, as the operator has set it up.", max_length=60)),
                ('group', models.CharField(help_text='The group exactly as the provider sends it. Some send names, others numbers.', max_length=200)),
                ('role', models.CharField(choices=[('officer', 'Officer'), ('supervisor', 'Supervisor'), ('analyst', 'Analyst'), ('admin', 'Agency administrator'), ('auditor', 'Auditor')], help_text='What people of the group may do here. Who is in several groups gets the widest role.', max_length=12)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='agencies.agency')),
            ],
            options={
                'verbose_name': 'single sign-on group',
                'verbose_name_plural': 'single sign-on groups',
                'ordering': ['provider', 'group'],
                'constraints': [models.UniqueConstraint(fields=('agency', 'provider', 'group'), name='one_role_per_agency_group')],
            },
        ),
    ]
