"""Reading the audit store, for the exposure audit alone.

PostgreSQL shows its tables only to who opens them as these do, where forecasts and plans are made (`missions_project.lib.walls`).
"""

from django.db.models import Count

from agencies.models import Agency
from ingestion.audit.models import AuditArea, AuditTable
from missions_project.lib import walls


def audit_tables(agency: Agency) -> list[AuditTable]:
    """Return the agency's audit tables with their number of areas (``n_areas``). One query."""
    with walls.within(walls.scope().with_audit_store(True)):
        # Read here: a query that is asked later would find the store shut.
        return list(
            AuditTable.objects.filter(agency=agency).annotate(n_areas=Count("areas")).order_by("name")
        )


def audit_areas(agency: Agency, table: AuditTable) -> list[AuditArea]:
    """Return the areas of one of the agency's tables; none for another agency's. One query."""
    with walls.within(walls.scope().with_audit_store(True)):
        return list(AuditArea.objects.filter(agency=agency, table=table))
