"""The operator's room as an app."""

from importlib import import_module

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "missions_project.operations"
    label = "operations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("missions_project.operations.task_log").connect()
