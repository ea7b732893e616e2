"""The demo city as a Django app (its commands write files; it has no models)."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """The invented city of the demo and of the tests that need a known truth."""

    name = "missions_project.demo"
    label = "demo"
    verbose_name = "Demo city"
