"""Django's handle on this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class PatrolsConfig(AppConfig):
    name = "patrols"
    verbose_name = gettext_lazy("Patrols")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Here and not on import of the models: the register is a service of another room.
        from patrols import receivers  # noqa: F401  # connects itself
        from patrols.configuration import register_own
        from patrols.retention import register

        register()
        register_own()
