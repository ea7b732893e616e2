from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "ingestion.audit"
    label = "ingestion_audit"
    verbose_name = _("Audit store (never read by a forecast)")
