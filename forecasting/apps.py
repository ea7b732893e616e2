"""Django's handle on this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class ForecastingConfig(AppConfig):
    name = "forecasting"
    verbose_name = gettext_lazy("Forecasting")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from forecasting.configuration import register_own

        register_own()
