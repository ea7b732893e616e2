"""manage.py seal_models"""

from typing import Any

from forecasting.artefacts import artefact_seal
from forecasting.models import ModelVersion
from missions_project.lib.commands import MissionsCommand


class Command(MissionsCommand):
    help = (
        "Seal the model files whose fingerprints the database knows: after the keys were changed without keeping the old ones, "
        "or models were brought from another installation. Sealed files are opened and can run code: run it only if you "
        "know where files and database come from."
    )

    def work(self, **options: Any) -> None:
        known = ModelVersion.objects.exclude(artefact="").values_list("artefact", "artefact_hash")
        done = [artefact_seal(name=name, sha256=digest) for name, digest in known]
        self.stdout.write(f"{sum(done):,} model files sealed, {len(done) - sum(done):,} missing or changed.")
