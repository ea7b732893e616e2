"""This room's own configuration: geography, shifts, crime types, units, base maps."""

from django.utils.translation import gettext as _

from agencies.configuration.secrets import holds_placeholder, without_secrets
from agencies.configuration.sections import Section, register
from agencies.models import BaseMap, Beat, CrimeType, District, DistrictPriority, Shift, Unit


def _base_map_by_hand(row: BaseMap) -> list[str]:
    if not holds_placeholder(row.url_template):
        return []
    return [
        _("Base map “%(name)s”: enter the tile provider's key again, in its address.") % {"name": row.name}
    ]


def register_own() -> None:
    """Tell the register about this room's tables."""
    register(
        Section("districts", District, ("code",), ("name", "geometry"), order=10),
        Section("beats", Beat, ("code",), ("district", "name", "geometry"), order=11),
        Section("shifts", Shift, ("slug",), ("name", "starts_at", "duration_minutes", "weekdays"), order=12),
        Section(
            "crime_types",
            CrimeType,
            ("slug",),
            ("name", "nibrs_code", "written_reason", "weight", "colour", "letter", "is_active"),
            order=13,
        ),
        Section(
            "district_priorities", DistrictPriority, ("district", "crime_type"), ("multiplier",), order=14
        ),
        Section(
            "units", Unit, ("call_sign",), ("beat", "shifts", "missions_per_shift", "is_active"), order=15
        ),
        Section(
            "base_maps",
            BaseMap,
            ("name",),
            ("url_template", "attribution", "max_zoom", "is_default"),
            order=16,
            cleaned={"url_template": without_secrets},
            by_hand=_base_map_by_hand,
        ),
    )
