"""The project as an app: its start-up, and the admin site."""

from importlib import import_module
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import class_prepared

from missions_project.lib.model_names import names_translated

# All apps' handles are read before any model is: from here on every model is met.
class_prepared.connect(names_translated, dispatch_uid="names_translated")


class MissionsProjectConfig(AppConfig):
    name = "missions_project"
    label = "missions_project"

    def ready(self) -> None:
        # The file transport does not make its own folders: the first task sent would fail.
        options = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
        folders = [options[key] for key in ("data_folder_in", "control_folder") if key in options]
        for folder in [settings.VAR_DIR, *folders, settings.SPOOL_DIR, settings.ARTEFACT_DIR]:
            Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        # The web server's processes must hear of pushes too, not only the worker that imports it for its tasks.
        import_module("missions_project.pipeline")


class MissionsAdminConfig(AdminConfig):
    default_site = "agencies.admin_site.MissionsAdminSite"
