"""Django's handle on this room."""

from django.apps import AppConfig


class TacticsConfig(AppConfig):
    name = "tactics"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Here and not on import of the models: what happens when a plan is made is a service of this room.
        from tactics import receivers  # noqa: F401  # connects itself
