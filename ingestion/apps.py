"""Django's handle on this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = _("Ingestion")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from ingestion.configuration import register_own

        register_own()
