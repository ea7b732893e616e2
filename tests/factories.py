"""Small, valid rows for tests, made by plain functions. Every function saves what it returns."""

from __future__ import annotations

import itertools
from datetime import time
from typing import Any

from django.utils.text import slugify

from agencies.models import Agency, Beat, CrimeType, District, Membership, Shift, Unit, User
from forecasting.models import Grid
from forecasting.services import grid_build

PASSWORD = "correct horse battery"
SIDE_M = 4_000.0
METRES_PER_DEGREE = 111_320.0
WEST, SOUTH = -87.70, 41.80
"""South-west corner of every test agency, in degrees: UTM zone 16 (EPSG 32616)."""

_numbers = itertools.count(1)


def degrees(x_m: float, y_m: float) -> tuple[float, float]:
    """Longitude and latitude of a point so many metres east and north of the agency's corner, to about 1 %."""
    # cos 41.8° = 0.7455: a degree of longitude is shorter than one of latitude by that factor.
    return WEST + x_m / (METRES_PER_DEGREE * 0.7455), SOUTH + y_m / METRES_PER_DEGREE


def rectangle(x0_m: float, y0_m: float, x1_m: float, y1_m: float) -> dict[str, Any]:
    """A GeoJSON polygon in WGS84 for a rectangle given in metres from the agency's corner."""
    corners = [(x0_m, y0_m), (x1_m, y0_m), (x1_m, y1_m), (x0_m, y1_m), (x0_m, y0_m)]
    return {"type": "Polygon", "coordinates": [[list(degrees(x, y)) for x, y in corners]]}


def make_agency(slug: str = "riverton", **fields: Any) -> Agency:
    """A 4 km square agency: districts N and S, beats 11, 12 (S) and 21, 22 (N), 3 shifts, 3 crime types, 4 units."""
    defaults: dict[str, Any] = {
        "name": f"{slug.title()} PD",
        "time_zone": "America/Chicago",
        "boundary": rectangle(0, 0, SIDE_M, SIDE_M),
        "cell_size_m": 250,
    }
    agency = Agency.objects.create(slug=slug, **(defaults | fields))
    half = SIDE_M / 2
    for district_code, name, south in (("S", "South", 0.0), ("N", "North", half)):
        district = District.objects.create(
            agency=agency, code=district_code, name=name, geometry=rectangle(0, south, SIDE_M, south + half)
        )
        for column, west in ((1, 0.0), (2, half)):
            beat = Beat.objects.create(
                agency=agency,
                district=district,
                code=f"{1 if south == 0 else 2}{column}",
                geometry=rectangle(west, south, west + half, south + half),
            )
            Unit.objects.create(agency=agency, call_sign=f"{slug[:1].upper()}{beat.code}", beat=beat)
    for name, hour in (("Night", 0), ("Day", 8), ("Evening", 16)):
        Shift.objects.create(
            agency=agency, name=name, slug=slugify(name), starts_at=time(hour), duration_minutes=480
        )
    for name, nibrs_code, weight, letter, colour in (
        ("Robbery", "120", 4.0, "R", "#D55E00"),
        ("Burglary", "220", 2.0, "B", "#0072B2"),
        ("Motor vehicle theft", "240", 1.0, "V", "#009E73"),
    ):
        CrimeType.objects.create(
            agency=agency,
            name=name,
            slug=slugify(name),
            nibrs_code=nibrs_code,
            weight=weight,
            letter=letter,
            colour=colour,
        )
    return agency


def make_grid(agency: Agency) -> Grid:
    """The agency's active grid, built as the admin builds it: 16 × 16 cells for the usual 4 km square."""
    return grid_build(agency=agency)


def make_user(username: str | None = None, **fields: Any) -> User:
    """A person with a password (`PASSWORD`) and no role anywhere."""
    username = username or f"person{next(_numbers)}"
    return User.objects.create_user(username, f"{username}@example.org", PASSWORD, **fields)


def make_member(agency: Agency, role: str, *, username: str | None = None, **fields: Any) -> User:
    """A person with the role in the agency: the membership alone opens doors, the admin's too."""
    person = make_user(username or f"{role}{next(_numbers)}")
    membership = Membership(agency=agency, user=person, role=role, **fields)
    membership.full_clean()
    membership.save()
    return person


def make_operator(username: str = "operator") -> User:
    """The installation's operator: all agencies."""
    return make_user(username, is_staff=True, is_superuser=True)
