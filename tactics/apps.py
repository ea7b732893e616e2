"""Django's handle on this room."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy


class TacticsConfig(AppConfig):
    name = "tactics"
    verbose_name = gettext_lazy("Tactics")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Here and not on import of the models: what happens when a plan is made is a service of this room, the register of
        # what can be deleted one of another.
        from tactics import receivers  # noqa: F401  # connects itself
        from tactics.retention import register

        register()
        from tactics.configuration import register_own

        register_own()
        pre_migrate.connect(_triggers_off, sender=self, dispatch_uid="tactics: frozen studies, off")
        post_migrate.connect(_triggers, sender=self, dispatch_uid="tactics: frozen studies")


def _triggers(using: str = "default", **_: Any) -> None:
    from tactics.triggers import triggers_ensure

    triggers_ensure(using)


def _triggers_off(using: str = "default", **_: Any) -> None:
    from tactics.triggers import triggers_drop

    triggers_drop(using)
