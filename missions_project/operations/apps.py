"""The operator's room as an app."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "missions_project.operations"
    label = "operations"
