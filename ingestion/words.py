"""What the engines say of files and rows, in the reader's language: engines know no languages, so their words are listed here."""

from dataclasses import replace

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from agencies.words import said
from ingestion.engine.rejections import REJECTION_CODES, Rejection, RejectionCode

__all__ = ["rejection_message", "rejection_words", "said"]

FIELDS = (
    gettext_noop("Identifier"),
    gettext_noop("The record's own number. A row that comes again updates it."),
    gettext_noop("Data source"),
    gettext_noop("Where several systems share a file: part of the identifier."),
    gettext_noop("Offence or nature code"),
    gettext_noop("The agency's own code; mapped to crime types."),
    gettext_noop("NIBRS code"),
    gettext_noop("Decides what the row is, whatever its own code says."),
    gettext_noop("UCR or FBI code"),
    gettext_noop("Decides like the NIBRS code where there is none."),
    gettext_noop("Offence description"),
    gettext_noop("Screened for refused offences; never stored with the incident."),
    gettext_noop("Occurred (from)"),
    gettext_noop("When it happened, or the earliest it can have."),
    gettext_noop("Occurred (from): time of day"),
    gettext_noop("Where the time of day of “Occurred (from)” has a column of its own. Empty: the whole day."),
    gettext_noop("Occurred (to)"),
    gettext_noop("The latest it can have happened. Empty: a moment."),
    gettext_noop("Occurred (to): time of day"),
    gettext_noop("Where the time of day of “Occurred (to)” has a column of its own. Empty: the whole day."),
    gettext_noop("Reported"),
    gettext_noop("When the agency learnt of it: forecasts see it from then on."),
    gettext_noop("Reported: time of day"),
    gettext_noop("Where the time of day of “Reported” has a column of its own. Empty: the whole day."),
    gettext_noop("Last updated"),
    gettext_noop("The newer version of a record wins."),
    gettext_noop("Stage of the alert"),
    gettext_noop("Gunfire only: detected, reviewed, reclassified or dismissed. The last wins."),
    gettext_noop("Time of the stage"),
    gettext_noop("When the alert reached this stage."),
    gettext_noop("Longitude"),
    gettext_noop("Degrees east, WGS84."),
    gettext_noop("Latitude"),
    gettext_noop("Degrees north, WGS84."),
    gettext_noop("X (easting)"),
    gettext_noop("In the coordinate system declared below."),
    gettext_noop("Y (northing)"),
    gettext_noop("Unit"),
    gettext_noop(
        "Calls only: the unit's call sign. Kept for officer-initiated calls, where the agency has such a unit; nothing else that stands there is stored."
    ),
    gettext_noop("How it became known"),
    gettext_noop("Officer-initiated incidents never train a model."),
)
"""What a column can be."""

WITHHELD = (
    gettext_noop("Offences prone to enforcement bias"),
    gettext_noop("Offences not forecast by this product"),
    gettext_noop("About persons"),
    gettext_noop("From patrol itself"),
    gettext_noop("From the future"),
    gettext_noop("race, ethnicity or origin"),
    gettext_noop("a person"),
    gettext_noop("a person's name"),
    gettext_noop("a date of birth or an age"),
    gettext_noop("sex or gender"),
    gettext_noop("a phone number or an e-mail address"),
    gettext_noop("a plate or a vehicle number"),
    gettext_noop("an address"),
    gettext_noop("free text"),
    gettext_noop("a list of persons"),
    gettext_noop("a relation between persons"),
    gettext_noop("an arrest, which measures enforcement"),
    gettext_noop("an identity number"),
    gettext_noop("education"),
    gettext_noop("home ownership or tenure"),
    gettext_noop("income or poverty"),
    gettext_noop("incidents and calls that officers initiated"),
    gettext_noop("where missions were sent and cars were"),
    gettext_noop("what officers did there"),
    gettext_noop("anything reported after the forecast was issued"),
    gettext_noop("layers before their date of validity"),
)
"""What no model is ever given, as ``ingestion.engine.withheld`` lists it."""

REJECTIONS = (
    gettext_noop("The row has more or fewer columns than the header"),
    gettext_noop(
        "Look at this row in the file: usually an unquoted delimiter or line break inside a field. Mend it and import again."
    ),
    gettext_noop("The line or element is not one JSON object"),
    gettext_noop(
        "Look at it in the file: usually a missing quotation mark, NaN, or a line that was cut off. Mend it and import again."
    ),
    gettext_noop("The record names this field more than once, with different values"),
    gettext_noop("Which one is meant cannot be guessed. Map another column, or send one value."),
    gettext_noop("The field holds a list or an object where one value is expected"),
    gettext_noop("Map the part that is meant (for example location.coordinates.0), and import again."),
    gettext_noop("The cell holds a formula's error, not a value"),
    gettext_noop("Mend the formula in the workbook, save it, and import again."),
    gettext_noop("The source takes this record back"),
    gettext_noop(
        "Records are not deleted through files: mark the record as unfounded at the source with a code that the feed ignores."
    ),
    gettext_noop("The row has no identifier"),
    gettext_noop("Map the column that identifies a record, or fill it in at the source."),
    gettext_noop("A NUL byte stands in the text"),
    gettext_noop("The export is damaged, or is UTF-16 without a byte-order mark. Export it again as UTF-8."),
    gettext_noop("The text cannot be read in the file's encoding"),
    gettext_noop("The file mixes encodings. Export it again as UTF-8, or set the encoding in the mapping."),
    gettext_noop("The value is longer than the field can hold"),
    gettext_noop(
        "Check that the right column is mapped; shorten the value at the source. Nothing is cut off silently."
    ),
    gettext_noop("The row says neither by code nor by description what happened"),
    gettext_noop("Map the offence or nature code, or fill it in at the source."),
    gettext_noop("The code may be forecast but is mapped to no crime type"),
    gettext_noop(
        "Map it under the feed's offence codes (or mark it as ignored), then replay the quarantine."
    ),
    gettext_noop(
        "The national code in the row names another class than the crime type its local code is mapped to"
    ),
    gettext_noop("The national code decides: map the local code to a crime type of that class, then replay."),
    gettext_noop("The time of occurrence is empty"),
    gettext_noop("Map another time column, or fill it in at the source."),
    gettext_noop("The time cannot be read in the declared format"),
    gettext_noop("Correct the date format in the mapping, then replay; or mend the value at the source."),
    gettext_noop("The time lies in the future"),
    gettext_noop("Check the feed's time zone and the day/month order of the date format, then replay."),
    gettext_noop("The time lies before 1970, as default dates do"),
    gettext_noop("Mend the date at the source; 01/01/1900 usually stands for unknown."),
    gettext_noop("The interval ends before it starts"),
    gettext_noop(
        "Check that the two time columns are not exchanged, then replay; or mend the value at the source."
    ),
    gettext_noop("The row has no place"),
    gettext_noop("Geocode it at the source and send it again."),
    gettext_noop("A coordinate is not a number"),
    gettext_noop("Check the mapped columns; decimals need a point and no unit."),
    gettext_noop("The place is 0/0, which stands for not geocoded"),
    gettext_noop("The place lies inside the agency only when the two coordinates are exchanged"),
    gettext_noop("Exchange the two columns in the mapping, then replay."),
    gettext_noop("The coordinates are not longitude and latitude"),
    gettext_noop(
        "Set the coordinate system (EPSG code) in the mapping and map the columns as x and y, then replay."
    ),
    gettext_noop("The place lies outside the agency's boundary"),
    gettext_noop(
        "Check the coordinate system; if the place is right, extend the agency's boundary and replay."
    ),
    gettext_noop("How the incident became known is none of the words we know"),
    gettext_noop(
        "Add the word under the mapping's discovery values: reported, sensor or officer_initiated. Then replay."
    ),
    gettext_noop("The stage of the alert is none of the words we know"),
    gettext_noop("Send detected, reviewed, reclassified or dismissed."),
    gettext_noop("The alert was reviewed, reclassified or dismissed, and nothing says when"),
    gettext_noop(
        "Send the time of the stage (stage_at): by it the last stage wins, in whatever order they arrive."
    ),
    gettext_noop("The value is a list or an object, or the row is none"),
    gettext_noop("Send each row as a JSON object whose values are texts, numbers, true, false or null."),
    gettext_noop("The position names no unit"),
    gettext_noop("Send the unit's call sign as unit."),
    gettext_noop("The calendar names a time zone that nobody knows"),
    gettext_noop(
        "Give an IANA name such as America/Chicago as TZID, or the zone's rules as VTIMEZONE, and import again."
    ),
    gettext_noop("The rule by which the event recurs cannot be written out"),
    gettext_noop(
        "Mend the RRULE; rules by the hour, minute or second and more than 2,000 occurrences are no city's events."
    ),
    gettext_noop("The event lasts for more than a year"),
    gettext_noop("Give it the end of its own day; what is always there is a context layer and no event."),
    gettext_noop("The kind of event is about persons"),
    gettext_noop("Forecasts see places and public events only. Take such rows out at the source."),
    gettext_noop("The value is not a number, or none that can be"),
    gettext_noop("Mend it at the source: decimals need a point and no unit. Then import again."),
)
"""Why a row is kept aside, and what to do."""

QUALITY = (
    gettext_noop("within the hour"),
    gettext_noop("1–6 hours"),
    gettext_noop("6–24 hours"),
    gettext_noop("1–3 days"),
    gettext_noop("3–7 days"),
    gettext_noop("7–30 days"),
    gettext_noop("30–90 days"),
    gettext_noop("later"),
    gettext_noop("a metre"),
    gettext_noop("11 metres"),
    gettext_noop("111 metres"),
    gettext_noop("coarser"),
)
"""How late rows come, and how exact their places are."""

POSITION_COLUMNS = (
    gettext_noop("the unit's call sign"),
    gettext_noop("the instant"),
    gettext_noop("the longitude"),
    gettext_noop("the latitude"),
)
"""What is read of a position."""

PLACES = (
    gettext_noop("Bars, pubs and clubs"),
    gettext_noop("Liquor stores"),
    gettext_noop("Stations and stops"),
    gettext_noop("Schools and colleges"),
    gettext_noop("Vacant land and abandoned buildings"),
    gettext_noop("Street network"),
)
"""What an OpenStreetMap extract can be read for."""

RULES = (
    gettext_noop("ignored by mapping"),
    gettext_noop("older than retention"),
    gettext_noop("drugs"),
    gettext_noop("prostitution"),
    gettext_noop("gambling"),
    gettext_noop("obscene material"),
    gettext_noop("weapon law"),
    gettext_noop("group b"),
    gettext_noop("police activity"),
    gettext_noop("simple assault"),
    gettext_noop("sex offences"),
    gettext_noop("vandalism"),
    gettext_noop("fraud"),
    gettext_noop("arson"),
    gettext_noop("stolen property"),
    gettext_noop("persons"),
)
"""Why a code is not stored."""


def rejection_words(code: str) -> RejectionCode:
    """Why a row is kept aside and what to do, in the reader's language."""
    kind = REJECTION_CODES[code]
    return replace(kind, meaning=said(kind.meaning), remedy=said(kind.remedy))


def rejection_message(rejection: Rejection) -> str:
    """What is wrong with this row, where, and the next step, in the reader's language."""
    kind = rejection_words(rejection.code)
    told = {
        "meaning": kind.meaning,
        "field": rejection.field,
        "value": repr(rejection.value_excerpt),
        "remedy": kind.remedy,
    }
    if rejection.field and rejection.value_excerpt:
        return _("%(meaning)s in %(field)s: %(value)s. %(remedy)s") % told
    if rejection.field:
        return _("%(meaning)s in %(field)s. %(remedy)s") % told
    if rejection.value_excerpt:
        return _("%(meaning)s: %(value)s. %(remedy)s") % told
    return _("%(meaning)s. %(remedy)s") % told
