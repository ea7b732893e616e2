from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "ingestion.audit"
    label = "ingestion_audit"
    verbose_name = "Audit store (never read by a forecast)"
