"""The operator's room as an app."""

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class OperationsConfig(AppConfig):
    name = "missions_project.operations"
    label = "operations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("missions_project.operations.task_log").connect()
        policies = import_module("missions_project.operations.row_policies")
        post_migrate.connect(policies.walls_after_migrate, sender=self, dispatch_uid="operations.walls")
