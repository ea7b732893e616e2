"""Checks on what an administrator types, shared by models and forms."""

import re
import zoneinfo
from urllib.parse import urlsplit

import pyproj
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

RESERVED_SLUGS = frozenset(
    "accounts admin agencies api data docs favicon healthz help home language livez login logout media metrics my new "
    "public readyz robots schema static status www".split()
)
"""First parts of addresses that are, or may become, the product's own."""


def validate_agency_slug(value: str) -> None:
    """Refuse a slug that would hide an address of the product, e.g. /admin/."""
    if value.lower() in RESERVED_SLUGS:
        raise ValidationError(
            _("“%(value)s” is an address of the product itself. Use another, e.g. “%(value)s-pd”.")
            % {"value": value}
        )


def validate_projected_crs(value: int) -> None:
    """Refuse a code that names no projected coordinate system in metres: cells would be squares of degrees or feet."""
    try:
        crs = pyproj.CRS.from_epsg(value)
    except pyproj.exceptions.CRSError as exc:
        raise ValidationError(
            _("There is no EPSG code %(value)s. Leave it empty for the UTM zone.") % {"value": value}
        ) from exc
    units = {axis.unit_name for axis in crs.axis_info}
    if not crs.is_projected or units != {"metre"}:
        raise ValidationError(
            _(
                "EPSG:%(value)s (%(name)s) counts in %(units)s. Use a projected system in metres, or leave it empty for the UTM zone."
            )
            % {"value": value, "name": crs.name, "units": " and ".join(sorted(units)) or _("no unit")}
        )


def validate_time_zone(value: str) -> None:
    """Refuse a name that is not in the IANA database: shifts could not be placed in time."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(
            _("“%(value)s” is not a time zone. Use an IANA name such as America/Chicago.") % {"value": value}
        )


def validate_tile_url(value: str) -> None:
    """Accept https tile templates with {z}, {x} and {y}, and no character that could leave a script's string."""
    parts = urlsplit(value.replace("{s}", "a"))
    if parts.scheme != "https" or not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", parts.netloc):
        raise ValidationError(
            _("Use an https address with a plain host name, e.g. https://tile.example.org/{z}/{x}/{y}.png.")
        )
    # The page's policy names the host; {s} becomes its wildcard there, which must not cover a whole top-level domain.
    if "{s}" in value and not re.match(r"https://\{s\}\.[^/{}.]+\.[^/{}]+/[^{]*\{(?!s\})", value):
        raise ValidationError(
            _(
                "{s} stands alone as the first part of the host, before a domain of at least two parts, e.g. "
                "https://{s}.tile.example.org/{z}/{x}/{y}.png."
            )
        )
    if not all(token in value for token in ("{z}", "{x}", "{y}")):
        raise ValidationError(
            _("The address must hold {z}, {x} and {y}, where the map puts zoom, column and row.")
        )
    # leaflet_map prints tile settings into a script unescaped.
    if re.search(r"[<>\"'\\\s`]", value):
        raise ValidationError(_("The address holds a space, quote or bracket. Remove it."))


def validate_attribution(value: str) -> None:
    """Plain text only: the map prints it as HTML."""
    if re.search(r"[<>\"`\\]", value):
        raise ValidationError(_("Use plain text without <, >, quotes or backslashes."))
