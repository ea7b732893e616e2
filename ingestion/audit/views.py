"""The audit store's one page: which demographic tables are there. For auditors and administrators."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agencies.access import Access, agency_page
from agencies.models import Role
from ingestion.audit.selectors import audit_tables

SEES_AUDIT_STORE = frozenset({Role.AUDITOR, Role.ADMIN})


@require_GET
@agency_page(SEES_AUDIT_STORE)
def tables(request: HttpRequest, access: Access) -> HttpResponse:
    """Each table with its source, its date and its columns."""
    return render(request, "ingestion/audit_tables.html", {"tables": audit_tables(access.agency)})
