"""Django's handle on this room."""

from django.apps import AppConfig


class TacticsConfig(AppConfig):
    name = "tactics"
    default_auto_field = "django.db.models.BigAutoField"
