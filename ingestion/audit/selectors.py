"""Reading the audit store, for the exposure audit alone."""

from django.db.models import Count, QuerySet

from agencies.models import Agency
from ingestion.audit.models import AuditArea, AuditTable


def audit_tables(agency: Agency) -> QuerySet[AuditTable]:
    """Return the agency's audit tables with their number of areas (``n_areas``). One query."""
    return AuditTable.objects.filter(agency=agency).annotate(n_areas=Count("areas")).order_by("name")


def audit_areas(agency: Agency, table: AuditTable) -> QuerySet[AuditArea]:
    """Return the areas of one of the agency's tables; none for another agency's. One query."""
    return AuditArea.objects.filter(agency=agency, table=table)
