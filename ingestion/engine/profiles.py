"""Ready-made mappings for files that many agencies have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingestion.engine.mapping import FeedMapping, RecordKind


@dataclass(frozen=True)
class Profile:
    """A file format that is known by its header.

    ``optional_columns`` (field → column) are mapped where the file has them.
    """

    key: str
    label: str
    note: str
    mapping: FeedMapping
    optional_columns: Mapping[str, str] = field(default_factory=dict)

    def matches(self, header: Sequence[str]) -> bool:
        """True if every column that the profile reads is in the header."""
        return set(self.mapping.column_names) <= set(header)

    def mapping_for(self, header: Sequence[str]) -> FeedMapping:
        """The profile's mapping with the optional columns that this file has."""
        there = {name: column for name, column in self.optional_columns.items() if column in set(header)}
        return self.mapping.replaced(columns={**self.mapping.columns, **there})


SOCRATA_CITY = Profile(
    key="socrata_city",
    label="City open-data export (Socrata style)",
    note=(
        "Local time, block-level places, an FBI code on every row that decides. There is no time of report: a forecast "
        "can use such an incident from the moment it occurred, which is earlier than the agency knew. Arrest and "
        "Domestic are never read."
    ),
    mapping=FeedMapping(
        columns={
            "external_id": "ID",
            "code": "IUCR",
            "ucr_code": "FBI Code",
            "description": "Primary Type",
            "occurred_from": "Date",
            "lon": "Longitude",
            "lat": "Latitude",
        },
        date_format="%m/%d/%Y %I:%M:%S %p",
    ),
    optional_columns={"last_updated": "Updated On"},
)

HUNCHLAB_EVENTS = Profile(
    key="hunchlab_events",
    label="HunchLab event CSV",
    note=(
        "Identified by (datasource, id); a newer last_updated replaces. The class column may hold several codes joined by |. "
        "pointx and pointy are in the declared coordinate system. The address is accepted and never stored."
    ),
    mapping=FeedMapping(
        columns={
            "datasource": "datasource",
            "external_id": "id",
            "code": "class",
            "occurred_from": "datetimefrom",
            "x": "pointx",
            "y": "pointy",
        },
        code_separator="|",
    ),
    optional_columns={
        "occurred_to": "datetimeto",
        "reported_at": "report_time",
        "last_updated": "last_updated",
    },
)

PLAIN = Profile(
    key="plain",
    label="Plain CSV of this product",
    note="id, occurred_at, code, lat, lon; and, where there are any, occurred_to, reported_at, last_updated, discovery.",
    mapping=FeedMapping(
        columns={
            "external_id": "id",
            "code": "code",
            "occurred_from": "occurred_at",
            "lon": "lon",
            "lat": "lat",
        },
    ),
    optional_columns={
        "occurred_to": "occurred_to",
        "reported_at": "reported_at",
        "last_updated": "last_updated",
        "discovery": "discovery",
        "nibrs_code": "nibrs_code",
        "description": "description",
    },
)

PUSHED_COLUMNS: Mapping[str, str] = {
    "external_id": "id",
    "code": "code",
    "nibrs_code": "nibrs_code",
    "description": "description",
    "occurred_from": "occurred_at",
    "occurred_to": "occurred_to",
    "reported_at": "reported_at",
    "last_updated": "last_updated",
    "lon": "lon",
    "lat": "lat",
    "discovery": "discovery",
}
"""The names under which machines push fields to a feed that nobody has mapped otherwise."""
STAGE_COLUMNS: Mapping[str, str] = {"stage": "stage", "stage_at": "stage_at"}
UNIT_COLUMNS: Mapping[str, str] = {"unit": "unit"}


def pushed_mapping(record_kind: RecordKind) -> FeedMapping:
    """How rows are read that arrive by POST at a feed without a mapping of its own.

    >>> sorted(set(pushed_mapping("gunfire").columns) - set(pushed_mapping("calls").columns))
    ['stage', 'stage_at']
    """
    own = {"gunfire": STAGE_COLUMNS, "calls": UNIT_COLUMNS}.get(record_kind, {})
    return FeedMapping(record_kind=record_kind, columns={**PUSHED_COLUMNS, **own})


PROFILES: tuple[Profile, ...] = (SOCRATA_CITY, HUNCHLAB_EVENTS, PLAIN)


def profile_of(key: str) -> Profile:
    """The profile of this key. Raises ``KeyError`` that names the known ones."""
    for profile in PROFILES:
        if profile.key == key:
            return profile
    raise KeyError(f"No profile {key!r}; known are {', '.join(profile.key for profile in PROFILES)}.")


def match_profile(header: Sequence[str]) -> Profile | None:
    """The ready-made profile that this header belongs to, or nothing."""
    return next((profile for profile in PROFILES if profile.matches(header)), None)
