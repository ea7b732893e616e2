"""The demo city as a Django app (its commands write files; it has no models)."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DemoConfig(AppConfig):
    """The invented city of the demo and of the tests that need a known truth."""

    name = "missions_project.demo"
    label = "demo"
    verbose_name = _("Demo city")
