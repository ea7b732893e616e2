"""Writing an agency's set-up: what pages and commands may change, each with its record."""

from agencies.services.agencies import agency_create
from agencies.services.audit import audit_last, audit_record, audit_subject
from agencies.services.audit_log import audit_retirement
from agencies.services.geography import (
    GeographyDraft,
    GeographyReport,
    beats_upsert,
    boundary_derive,
    boundary_set,
    districts_upsert,
    geography_commit,
    geography_draft,
)
from agencies.services.people import person_create

__all__ = [
    "GeographyDraft",
    "GeographyReport",
    "agency_create",
    "audit_last",
    "audit_record",
    "audit_retirement",
    "audit_subject",
    "beats_upsert",
    "boundary_derive",
    "boundary_set",
    "districts_upsert",
    "geography_commit",
    "geography_draft",
    "person_create",
]
