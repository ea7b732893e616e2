"""A working first configuration, so that a new agency starts from something and changes it in the admin."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext_noop

from agencies.engine.offence_codes import OFFENCE_CLASSES
from agencies.engine.palette import suggested_colour
from agencies.models import Agency, Beat, CrimeType, Shift, Unit
from agencies.words import said
from patrols.models import PatrolPolicy
from tactics.services import starter_catalogue_create

SHIFTS = (
    ("night", gettext_noop("Night"), dt.time(0), 480),
    ("day", gettext_noop("Day"), dt.time(8), 480),
    ("evening", gettext_noop("Evening"), dt.time(16), 480),
)


@transaction.atomic
def agency_defaults_create(
    *, agency: Agency, units_per_beat: int = 1, missions_per_shift: int = 3
) -> dict[str, int]:
    """Give the agency shifts, crime types, units, a patrol policy and tactics, each only where it has none.

    Returns how many of each were made. The crime types are the product's whole allow-list with its default weights. Names and
    texts are written in the language that is active, and are the agency's own from then on.
    """
    made = {"shifts": 0, "crime types": 0, "units": 0, "patrol policies": 0}
    if not Shift.objects.filter(agency=agency).exists():
        for slug, name, start, minutes in SHIFTS:
            Shift.objects.create(
                agency=agency, slug=slug, name=said(name), starts_at=start, duration_minutes=minutes
            )
            made["shifts"] += 1
    if not CrimeType.objects.filter(agency=agency).exists():
        for entry in OFFENCE_CLASSES:
            crime_type = CrimeType(
                agency=agency,
                slug=entry.key,
                name=said(entry.label),
                # The whole class: theft declared as 23H would leave all other thefts unmapped.
                nibrs_code=entry.key,
                weight=entry.default_weight,
                letter=entry.letter,
                colour=suggested_colour(entry.key),
            )
            crime_type.full_clean()
            crime_type.save()
            made["crime types"] += 1
    if not Unit.objects.filter(agency=agency).exists():
        for beat in Beat.objects.filter(agency=agency):
            for letter in "ABCDEF"[:units_per_beat]:
                Unit.objects.create(
                    agency=agency,
                    call_sign=f"{beat.code}{letter}",
                    beat=beat,
                    missions_per_shift=missions_per_shift,
                )
                made["units"] += 1
    if not PatrolPolicy.objects.filter(agency=agency).exists():
        PatrolPolicy.objects.create(agency=agency)
        made["patrol policies"] += 1
    starter_catalogue_create(agency=agency)
    return made
