"""What rows are read against, gathered from the agency's set-up."""

from datetime import datetime, timedelta

import numpy as np

from agencies.engine.offence_policy import Refused, offence_class_of, screen_code
from agencies.models import Agency, CrimeType, Unit
from agencies.selectors import agency_area
from ingestion.engine.codes import CodeEntry, CodeTable
from ingestion.engine.context import NormaliseContext
from ingestion.engine.places import Boundary
from ingestion.models import Feed, OffenceCode, RecordKind, RetentionPolicy
from ingestion.services.fact_rows import CrimeTypeKeys


def code_table(agency: Agency, feed: Feed) -> CodeTable:
    """The agency's crime types and the feed's codes. Two queries."""
    types = dict(CrimeType.objects.filter(agency=agency).values_list("slug", "nibrs_code"))
    entries = {
        entry.code: CodeEntry(
            crime_type=entry.crime_type.slug if entry.crime_type else "",
            nibrs_code=entry.nibrs_code,
            # Where the national code refuses, its rule is counted and not merely "ignored".
            is_ignored=entry.is_ignored and not _refused_by_national_code(entry.nibrs_code),
            written_reason=entry.written_reason,
        )
        for entry in OffenceCode.objects.filter(feed=feed).select_related("crime_type")
    }
    return CodeTable(crime_types=types, entries=entries)


def _refused_by_national_code(nibrs_code: str) -> bool:
    return bool(nibrs_code) and isinstance(screen_code(nibrs=nibrs_code), Refused)


def crime_type_keys(agency: Agency) -> CrimeTypeKeys:
    """The agency's crime types by slug. One query."""
    types = list(CrimeType.objects.filter(agency=agency))
    gunfire = offence_class_of("gunfire")
    return CrimeTypeKeys(
        pk_of={crime_type.slug: crime_type.pk for crime_type in types},
        gunfire=frozenset(t.slug for t in types if offence_class_of(t.nibrs_code) is gunfire),
    )


def normalise_context(agency: Agency, feed: Feed, now: datetime) -> NormaliseContext:
    """Zone, boundary, codes, retention, call signs and the moment of reading. At most six queries."""
    area = agency_area(agency)
    kept = RetentionPolicy.objects.filter(agency=agency, kind=feed.record_kind).first()
    return NormaliseContext(
        zone=agency.time_zone,
        now=now,
        codes=code_table(agency, feed),
        boundary=Boundary.from_geometry(area) if area is not None else None,
        coarsen_before=_days_before(now, kept.coarsen_after_days if kept else None),
        delete_before=_days_before(now, kept.delete_after_days if kept else None),
        call_signs=_call_signs(agency) if feed.record_kind == RecordKind.CALLS else {},
    )


def _call_signs(agency: Agency) -> dict[str, str]:
    signs = Unit.objects.filter(agency=agency).values_list("call_sign", flat=True)
    return {sign.strip().casefold(): sign for sign in signs}


def retention_delete_before(feed: Feed, *, now: datetime) -> datetime | None:
    """From when on the agency keeps such records; None where it keeps all. One query."""
    kept = RetentionPolicy.objects.filter(agency=feed.agency_id, kind=feed.record_kind).first()
    days = kept.delete_after_days if kept else None
    return None if days is None else now - timedelta(days=days)


def _days_before(now: datetime, days: int | None) -> np.datetime64 | None:
    return None if days is None else np.datetime64(int((now - timedelta(days=days)).timestamp()), "s")
