"""Making an agency."""

from django.db import transaction

from agencies.engine.customs import usual_clock_and_units
from agencies.models import Agency, User
from agencies.services.audit import audit_record


@transaction.atomic
def agency_create(
    *,
    slug: str,
    name: str,
    time_zone: str,
    cell_size_m: int = 250,
    crs_epsg: int | None = None,
    actor: User | None = None,
) -> Agency:
    """Create an agency without geography, with the clock and units usual where it is.

    Raises ``ValidationError`` for a taken or reserved slug or an unknown zone.
    """
    agency = Agency(slug=slug, name=name, time_zone=time_zone, cell_size_m=cell_size_m, crs_epsg=crs_epsg)
    agency.clock, agency.units = usual_clock_and_units(time_zone)
    agency.full_clean()
    agency.save()
    audit_record(agency=agency, actor=actor, action="agency.created", subject=name)
    return agency
