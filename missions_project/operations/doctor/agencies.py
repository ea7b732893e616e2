"""What the agencies need: models that can be opened, feeds that bring rows, forecasts in time, a base map."""

from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.utils import timezone

from agencies.models import Agency
from forecasting.artefacts import artefact_check, library_version
from forecasting.models import ModelVersion
from missions_project.lib.errors import MissionsError
from missions_project.operations.doctor.findings import Level, check
from missions_project.operations.watch import troubles

Found = Iterator[tuple[Level, str, str]]


@check("operator_account", "An operator's account", needs_database=True)
def operator_account() -> Found:
    if not get_user_model().objects.filter(is_superuser=True, is_active=True).exists():
        yield Level.ERROR, "Nobody may administer the installation.", "manage.py createsuperuser"


@check("models", "Model files", needs_database=True)
def models() -> Found:
    for version in ModelVersion.objects.live().select_related("agency", "crime_type").order_by("pk"):
        whose = f"{version.agency.name}, {version.crime_type.name}"
        try:
            artefact_check(name=version.artefact, sha256=version.artefact_hash)
        except MissionsError as error:
            yield Level.ERROR, f"{whose}: {error.message}", error.next_step
            continue
        # A pickle of another release may be read wrongly without an error.
        made_with = version.summary.get("library", "")
        if made_with and made_with != library_version():
            yield (
                Level.ERROR,
                f"{whose}: the model was made with {made_with}; here is {library_version()}.",
                f"manage.py train --agency {version.agency.slug}",
            )


@check("troubles", "Forecasts, plans, feeds and drift", needs_database=True)
def agencies_troubles() -> Found:
    for trouble in troubles(now=timezone.now()):
        level = Level.ERROR if trouble.kind.endswith("_late") else Level.WARNING
        yield level, trouble.what, trouble.next_step


@check("base_maps", "Base maps", needs_database=True)
def base_maps() -> Found:
    for agency in Agency.objects.filter(basemap=None).only("name", "slug"):
        yield (
            Level.WARNING,
            f"{agency.name} has no base map: its maps show no streets behind the boxes.",
            "Admin → Base maps → Add: the address of a tile server that may be used.",
        )
