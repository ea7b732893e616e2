"""Why a row could not be used, and what a person can do about it: one table for the whole product."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

EXCERPT_CHARACTERS = 80


@dataclass(frozen=True)
class Rejection:
    """A row that is kept aside: the code of the table below, the field at fault, and what stood there."""

    code: str
    field: str = ""
    value_excerpt: str = ""

    @property
    def message(self) -> str:
        """What is wrong, where, and the next step, in one line."""
        kind = REJECTION_CODES[self.code]
        where = f" in {self.field}" if self.field else ""
        what = f": {self.value_excerpt!r}" if self.value_excerpt else ""
        return f"{kind.meaning}{where}{what}. {kind.remedy}"


@dataclass(frozen=True)
class RejectionCode:
    """One way in which a row can be unusable."""

    code: str
    meaning: str
    remedy: str


def _table(*rows: tuple[str, str, str]) -> Mapping[str, RejectionCode]:
    return MappingProxyType({code: RejectionCode(code, meaning, remedy) for code, meaning, remedy in rows})


REJECTION_CODES: Mapping[str, RejectionCode] = _table(
    (
        "wrong_column_count",
        "The row has more or fewer columns than the header",
        "Look at this row in the file: usually an unquoted delimiter or line break inside a field. Mend it and import again.",
    ),
    (
        "bad_json",
        "The line or element is not one JSON object",
        "Look at it in the file: usually a missing quotation mark, NaN, or a line that was cut off. Mend it and import again.",
    ),
    (
        "repeated_field",
        "The record names this field more than once, with different values",
        "Which one is meant cannot be guessed. Map another column, or send one value.",
    ),
    (
        "not_one_value",
        "The field holds a list or an object where one value is expected",
        "Map the part that is meant (for example location.coordinates.0), and import again.",
    ),
    (
        "formula_error",
        "The cell holds a formula's error, not a value",
        "Mend the formula in the workbook, save it, and import again.",
    ),
    (
        "deletion_notice",
        "The source takes this record back",
        "Records are not deleted through files: mark the record as unfounded at the source with a code that the feed ignores.",
    ),
    (
        "missing_id",
        "The row has no identifier",
        "Map the column that identifies a record, or fill it in at the source.",
    ),
    (
        "nul_byte",
        "A NUL byte stands in the text",
        "The export is damaged, or is UTF-16 without a byte-order mark. Export it again as UTF-8.",
    ),
    (
        "bad_encoding",
        "The text cannot be read in the file's encoding",
        "The file mixes encodings. Export it again as UTF-8, or set the encoding in the mapping.",
    ),
    (
        "field_too_long",
        "The value is longer than the field can hold",
        "Check that the right column is mapped; shorten the value at the source. Nothing is cut off silently.",
    ),
    (
        "missing_code",
        "The row says neither by code nor by description what happened",
        "Map the offence or nature code, or fill it in at the source.",
    ),
    (
        "unmapped_code",
        "The code may be forecast but is mapped to no crime type",
        "Map it under the feed's offence codes (or mark it as ignored), then replay the quarantine.",
    ),
    (
        "code_conflict",
        "The national code in the row names another class than the crime type its local code is mapped to",
        "The national code decides: map the local code to a crime type of that class, then replay.",
    ),
    (
        "missing_timestamp",
        "The time of occurrence is empty",
        "Map another time column, or fill it in at the source.",
    ),
    (
        "bad_timestamp",
        "The time cannot be read in the declared format",
        "Correct the date format in the mapping, then replay; or mend the value at the source.",
    ),
    (
        "future_timestamp",
        "The time lies in the future",
        "Check the feed's time zone and the day/month order of the date format, then replay.",
    ),
    (
        "implausible_past",
        "The time lies before 1970, as default dates do",
        "Mend the date at the source; 01/01/1900 usually stands for unknown.",
    ),
    (
        "end_before_start",
        "The interval ends before it starts",
        "Check that the two time columns are not exchanged, then replay; or mend the value at the source.",
    ),
    ("missing_coordinates", "The row has no place", "Geocode it at the source and send it again."),
    (
        "bad_coordinates",
        "A coordinate is not a number",
        "Check the mapped columns; decimals need a point and no unit.",
    ),
    (
        "zero_coordinates",
        "The place is 0/0, which stands for not geocoded",
        "Geocode it at the source and send it again.",
    ),
    (
        "swapped_coordinates",
        "The place lies inside the agency only when the two coordinates are exchanged",
        "Exchange the two columns in the mapping, then replay.",
    ),
    (
        "coordinates_out_of_range",
        "The coordinates are not longitude and latitude",
        "Set the coordinate system (EPSG code) in the mapping and map the columns as x and y, then replay.",
    ),
    (
        "outside_boundary",
        "The place lies outside the agency's boundary",
        "Check the coordinate system; if the place is right, extend the agency's boundary and replay.",
    ),
    (
        "unknown_discovery",
        "How the incident became known is none of the words we know",
        "Add the word under the mapping's discovery values: reported, sensor or officer_initiated. Then replay.",
    ),
    (
        "unknown_stage",
        "The stage of the alert is none of the words we know",
        "Send detected, reviewed, reclassified or dismissed.",
    ),
    (
        "missing_stage_time",
        "The alert was reviewed, reclassified or dismissed, and nothing says when",
        "Send the time of the stage (stage_at): by it the last stage wins, in whatever order they arrive.",
    ),
    (
        "wrong_value_type",
        "The value is a list or an object, or the row is none",
        "Send each row as a JSON object whose values are texts, numbers, true, false or null.",
    ),
    ("missing_unit", "The position names no unit", "Send the unit's call sign as unit."),
    (
        "unknown_time_zone",
        "The calendar names a time zone that nobody knows",
        "Give an IANA name such as America/Chicago as TZID, or the zone's rules as VTIMEZONE, and import again.",
    ),
    (
        "bad_recurrence",
        "The rule by which the event recurs cannot be written out",
        "Mend the RRULE; rules by the hour, minute or second and more than 2,000 occurrences are no city's events.",
    ),
    (
        "event_too_long",
        "The event lasts for more than a year",
        "Give it the end of its own day; what is always there is a context layer and no event.",
    ),
    (
        "event_about_persons",
        "The kind of event is about persons",
        "Forecasts see places and public events only. Take such rows out at the source.",
    ),
    (
        "bad_number",
        "The value is not a number, or none that can be",
        "Mend it at the source: decimals need a point and no unit. Then import again.",
    ),
)


def excerpt(value: str, limit: int = EXCERPT_CHARACTERS) -> str:
    """The value as it can be shown and stored anywhere: no NUL, no undecodable byte, and not too long."""
    # PostgreSQL refuses NUL and lone surrogates in text: quarantining a dirty row must not fail on its dirt.
    if "\x00" in value:
        value = value.replace("\x00", "\u2400")
    if not value.isascii():
        value = value.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(value) <= limit:
        return value
    return f"{value[:limit]}… ({len(value)} characters)"
