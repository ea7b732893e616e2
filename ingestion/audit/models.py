"""Demographic tables for the exposure audit. No forecast, plan or tactic can import this: a contract under test says so."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, User


class AuditTable(models.Model):
    """A census table as it was loaded, for the audit alone. Written by ``ingestion.audit.services.audit_table_import`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(max_length=120)
    source = models.CharField(max_length=200)
    valid_from = models.DateField()
    columns = models.JSONField(default=list)
    imported_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    imported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["agency", "name"], name="audit_table_once_per_agency")]

    def __str__(self) -> str:
        return self.name


class AuditArea(models.Model):
    """One area of an audit table: its outline and its figures by column."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    table = models.ForeignKey(AuditTable, on_delete=models.CASCADE, related_name="areas")
    name = models.CharField(max_length=120, blank=True)
    geometry = models.JSONField()
    values = models.JSONField(default=dict)

    class Meta:
        ordering = ["table", "pk"]

    def __str__(self) -> str:
        return self.name or _("Area %(pk)s") % {"pk": self.pk}
