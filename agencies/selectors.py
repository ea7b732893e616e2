"""Reading an agency's set-up."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import shapely
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.html import escape
from django.utils.translation import gettext as _

from agencies.engine.geometry import polygon_from_geojson
from agencies.engine.shift_clock import ShiftHours, current_or_next, instances_between, shift_instance
from agencies.models import Agency, BaseMap, Beat, CrimeType, District, Membership, Shift, User
from missions_project.lib.errors import MissionsError


def agency_area(agency: Agency) -> shapely.MultiPolygon | None:
    """Return the jurisdiction in WGS84: as drawn, else the union of beats, else of districts; None without any.

    At most two queries.
    """
    if agency.boundary:
        return polygon_from_geojson(agency.boundary)
    for model in (Beat, District):
        areas = [
            polygon_from_geojson(value)
            for value in model.objects.filter(agency=agency).values_list("geometry", flat=True)
        ]
        if areas:
            union = shapely.union_all(areas)
            return union if isinstance(union, shapely.MultiPolygon) else shapely.MultiPolygon([union])
    return None


def beats_at(agency: Agency, lon: Sequence[float], lat: Sequence[float]) -> list[str]:
    """Return the code of the beat that each place lies in, empty for a place in none: as long as ``lon`` and ``lat``.

    Places in WGS84 degrees. On a shared edge the lower code. One query; none for no places.
    """
    found = [""] * len(lon)
    if not found:
        return found
    rows = list(Beat.objects.filter(agency=agency).order_by("-code").values_list("code", "geometry"))
    areas = [polygon_from_geojson(geometry) for _code, geometry in rows]
    place, beat = shapely.STRtree(areas).query(shapely.points(lon, lat), predicate="intersects")
    # By the beats' order, the lowest code last: of two it is the one that stays.
    for at, which in sorted(zip(place.tolist(), beat.tolist(), strict=True), key=lambda pair: pair[1]):
        found[at] = rows[which][0]
    return found


def active_crime_types(agency: Agency) -> list[CrimeType]:
    """Return the types that are trained and planned, heaviest first. One query."""
    return list(CrimeType.objects.filter(agency=agency, is_active=True))


def shifts(agency: Agency) -> list[Shift]:
    """Return the agency's shifts by start time. One query."""
    return list(Shift.objects.filter(agency=agency))


def district_ids_of(agency: Agency, person: User) -> frozenset[int]:
    """Return the districts that the person's work here is limited to; empty means all of them. One query."""
    limits = Membership.districts.through.objects.filter(
        membership__agency=agency, membership__user=person
    ).values_list("district_id", flat=True)
    return frozenset(limits)


def leaflet_settings(request: HttpRequest, agency: Agency) -> dict[str, Any]:
    """Return ``settings_overrides`` for ``{% leaflet_map %}``, and open the page's policy to its tile hosts.

    Without base maps the list of tiles is empty and the agency's own vector layers make the map. One query,
    one more where the boundary is derived.
    """
    base_maps = list(BaseMap.objects.filter(agency=agency).order_by("-is_default", "name"))
    # Both are read by ContentSecurityPolicyMiddleware.
    request.map_agencies = [agency]  # type: ignore[attr-defined]
    request.map_tiles = [base_map.url_template for base_map in base_maps]  # type: ignore[attr-defined]
    # The tag prints these into a script as they are, and Leaflet prints name and attribution as HTML: a name with
    # "</script>" would end the script and write into the page of everybody in the agency.
    tiles = [
        (
            escape(base_map.name),
            base_map.url_template.replace("<", "%3C"),
            {"attribution": base_map.attribution.replace("<", "&lt;"), "maxZoom": base_map.max_zoom},
        )
        for base_map in base_maps
    ]
    overrides: dict[str, Any] = {"TILES": tiles}
    if (area := agency_area(agency)) is not None:
        overrides["SPATIAL_EXTENT"] = area.bounds
    return overrides


def shift_instance_of(agency: Agency, shift: Shift, on: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the instants between which the shift instance of this local date runs (aware, UTC). No query.

    Raises ``MissionsError`` for another agency's shift, or a weekday on which the shift does not start.
    """
    if shift.agency_id != agency.pk:
        raise MissionsError(
            _("This shift belongs to another agency."), next_step=_("choose one of your own shifts.")
        )
    if on.weekday() not in shift.weekday_numbers:
        raise MissionsError(
            _("%(shift)s does not start on a %(on)s.") % {"shift": shift, "on": date_format(on, "l")},
            next_step=_("choose another date, or change the shift's weekdays."),
        )
    return shift_instance(shift.starts_at, shift.duration_minutes, on, ZoneInfo(agency.time_zone))


def current_or_next_shift_instance(
    agency: Agency, now: dt.datetime, *, include_current: bool = True
) -> tuple[Shift, dt.date]:
    """Return the shift instance running now (the one that began last), else the next to start. One query.

    Raises ``MissionsError`` for an agency without shifts.
    """
    rows = {shift.slug: shift for shift in shifts(agency)}
    hours = [
        ShiftHours(row.slug, row.starts_at, row.duration_minutes, row.weekday_numbers)
        for row in rows.values()
    ]
    if include_current:
        found = current_or_next(hours, now, agency.time_zone)
    else:
        # From the next second on: a shift that starts at this very instant is running.
        after = now + dt.timedelta(seconds=1)
        coming = instances_between(hours, after, now + dt.timedelta(days=8), agency.time_zone)
        found = coming[0] if coming else None
    if found is None:
        raise MissionsError(
            _("Agency “%(slug)s” has no shifts.") % {"slug": agency.slug},
            next_step=_("Admin → Shifts → Add."),
        )
    return rows[found.slug], found.on
