"""Model files from before seals get one, where the database knows their fingerprint: forecasts go on after the upgrade."""

from django.db import migrations


def seal_known_files(apps, schema_editor):
    known = apps.get_model("forecasting", "ModelVersion").objects.exclude(artefact="")
    for name, digest in known.values_list("artefact", "artefact_hash").iterator():
        # Not above: reading the estimators' libraries would cost every migrate two seconds.
        from forecasting.artefacts import artefact_seal

        artefact_seal(name=name, sha256=digest)


class Migration(migrations.Migration):
    dependencies = [("forecasting", "0004_live_record")]

    operations = [migrations.RunPython(seal_known_files, migrations.RunPython.noop)]
