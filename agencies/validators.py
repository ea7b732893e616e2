"""Checks on what an administrator types, shared by models and forms."""

import re
import zoneinfo
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError


def validate_time_zone(value: str) -> None:
    """Refuse a name that is not in the IANA database: shifts could not be placed in time."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(f"“{value}” is not a time zone. Use an IANA name such as America/Chicago.")


def validate_tile_url(value: str) -> None:
    """Accept https tile templates with {z}, {x} and {y}, and no character that could leave a script's string."""
    parts = urlsplit(value.replace("{s}", "a"))
    if parts.scheme != "https" or not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", parts.netloc):
        raise ValidationError(
            "Use an https address with a plain host name, e.g. https://tile.example.org/{z}/{x}/{y}.png."
        )
    if not all(token in value for token in ("{z}", "{x}", "{y}")):
        raise ValidationError(
            "The address must hold {z}, {x} and {y}, where the map puts zoom, column and row."
        )
    # leaflet_map prints tile settings into a script unescaped.
    if re.search(r"[<>\"'\\\s`]", value):
        raise ValidationError("The address holds a space, quote or bracket. Remove it.")


def validate_attribution(value: str) -> None:
    """Plain text only: the map prints it as HTML."""
    if re.search(r"[<>\"`\\]", value):
        raise ValidationError("Use plain text without <, >, quotes or backslashes.")
