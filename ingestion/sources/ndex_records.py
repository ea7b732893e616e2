"""Incident reports in XML (N-DEx, LEXS and their kin) as flat records, without anything about persons.

Elements are known by their local names: every sender has other prefixes and versions of the namespaces. Persons, arrests,
victims, narratives, addresses, vehicles and items are passed over while parsing, so that nothing of them is ever held.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from ingestion.engine.privacy import screen_columns
from ingestion.sources.xml_events import MAX_DEPTH, Attributes, Handler, local_name

RECORD_NAMES = ("DataItemPackage", "IncidentReport", "NIBRSReport", "Report", "Incident")
"""What one report may be called; the first of them that a file opens is the one."""
MAX_VALUES = 5_000
MAX_VALUE_CHARACTERS = 2_000

_PASSED_OVER = re.compile(
    r"Person|Victim|Arrest|Suspect|Subject|Witness|Offender|Officer|Official|Employee|Agent|Party|Enforcement|Organization|"
    r"Narrative|Comment|Remark|Attachment|Binary|Telephone|Contact|Address|Street|(?<!Data)Item|Property|Vehicle|Vessel|Aircraft|Weapon|"
    r"Firearm|Drug|Substance|Booking|Charge|Warrant|Credential|Passport|Role|Association|Relationship|Injury|Name(?![a-z])"
)
_PLAIN_TEXTS = frozenset(
    {"OffenseDescriptionText", "OffenseCategoryText", "ActivityCategoryText", "LocationCategoryText"}
)
_PLACE_NAMES = {
    "LatitudeDegreeValue": ("lat", 0),
    "LatitudeMinuteValue": ("lat", 1),
    "LatitudeSecondValue": ("lat", 2),
    "LongitudeDegreeValue": ("lon", 0),
    "LongitudeMinuteValue": ("lon", 1),
    "LongitudeSecondValue": ("lon", 2),
}
_OF_THE_INCIDENT = re.compile(r"(?:Incident|Activity|Offense|Event)\w*Location\w*Association")


@lru_cache(maxsize=4_096)
def is_passed_over(name: str) -> bool:
    """Whether an element of this local name, and all in it, is left unread.

    >>> is_passed_over("EntityPerson"), is_passed_over("ActivityDescriptionText"), is_passed_over("OffenseCode")
    (True, True, False)
    """
    # "Degree" is a diploma elsewhere.
    if name in _PLACE_NAMES:
        return False
    # NIEM's word for free text at the end of a name: a description holds whatever an officer typed.
    if name.endswith("Text"):
        return name not in _PLAIN_TEXTS
    return bool(_PASSED_OVER.search(name)) or bool(screen_columns([name]))


@dataclass
class Part:
    """The values of an incident or of one of its offences, by path."""

    values: dict[str, str] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)

    def add(self, path: str, text: str) -> None:
        if self.values.setdefault(path, text) != text:
            self.repeated.add(path)


@dataclass
class Location:
    """A place in a report: where it stands, its coordinates in parts (degrees, minutes, seconds), and which offence it is in."""

    key: str
    parts: dict[str, dict[int, str]] = field(default_factory=lambda: {"lat": {}, "lon": {}})
    offence: int | None = None


@dataclass
class Report:
    """One report as it stands in the file."""

    number: int
    incident: Part = field(default_factory=Part)
    offences: list[Part] = field(default_factory=list)
    locations: list[Location] = field(default_factory=list)
    incident_places: set[str] = field(default_factory=set)
    """Keys of locations that an association ties to the incident or an offence."""
    other_places: set[str] = field(default_factory=set)
    """Keys of locations that any other association names: homes of persons, for example."""
    size: int = 0


class ReportHandler(Handler):
    """Hears a file of reports; each finished one goes to ``ready``."""

    def __init__(self, record_name: str = "") -> None:
        super().__init__()
        self.record_name = record_name
        self.root = ""
        self._depth = 0
        self._skip_to = -1
        self._skipped_places: set[str] | None = None
        self._report: Report | None = None
        self._report_depth = 0
        self._path: list[str] = []
        self._text: list[str] = []
        self._is_leaf = False
        self._offence: tuple[int, Part] | None = None
        self._location: tuple[int, Location] | None = None
        self._number = 0

    def start(self, name: str, attrs: Attributes) -> None:
        local = local_name(name)
        self._depth += 1
        self.root = self.root or local
        if self._depth > MAX_DEPTH:
            raise ValueError(f"elements are nested more than {MAX_DEPTH} deep")
        if self._skip_to >= 0:
            self._note_references(attrs)
        elif self._report is None:
            self._maybe_report(local)
        elif is_passed_over(local):
            self._skip_to = self._depth
            ties = _OF_THE_INCIDENT.fullmatch(local) is not None
            if local.endswith("Association"):
                self._skipped_places = self._report.incident_places if ties else self._report.other_places
                self._note_references(attrs)
        else:
            self._enter(name, local, attrs)

    def _maybe_report(self, local: str) -> None:
        if local == self.record_name or (not self.record_name and local in RECORD_NAMES):
            self.record_name = local
            self._number += 1
            self._report = Report(self._number)
            self._report_depth = self._depth
            self._path = []

    def _note_references(self, attrs: Attributes) -> None:
        if self._skipped_places is not None:
            for name in attrs:
                if local_name(name) in ("ref", "href", "uri"):
                    self._skipped_places.add(attrs[name].removeprefix("#"))

    def _enter(self, name: str, local: str, attrs: Attributes) -> None:
        report = self._report
        if report is None:
            return
        if local == "Offense" and self._offence is None:
            self._offence = (self._depth, Part())
        if local.endswith("Location") and self._location is None:
            key = next((attrs[n] for n in attrs if local_name(n) == "id"), "")
            place = len(report.offences) if self._offence else None
            self._location = (self._depth, Location(key, offence=place))
        # N-DEx and NIBRS say by their prefix that a code is a national one.
        is_national = local == "OffenseCode" and re.match(r"(?:ndex|nibrs)\w*:", name, re.IGNORECASE)
        self._path.append("NIBRSOffenseCode" if is_national else local)
        self._text, self._is_leaf = [], True

    def characters(self, content: str) -> None:
        if self._is_leaf and self._skip_to < 0:
            self._text.append(content)
            if len(self._text) > MAX_VALUE_CHARACTERS:
                self._text = ["".join(self._text)[: MAX_VALUE_CHARACTERS + 1]]

    def end(self, name: str) -> None:
        if self._skip_to >= 0:
            if self._depth == self._skip_to:
                self._skip_to, self._skipped_places = -1, None
                self._is_leaf = False
        elif self._report is not None:
            if self._depth == self._report_depth:
                self.ready.append(self._report)
                self._report = None
            else:
                self._leave(self._report)
        self._depth -= 1

    def _leave(self, report: Report) -> None:
        text = "".join(self._text).strip()[: MAX_VALUE_CHARACTERS + 1] if self._is_leaf else ""
        if text:
            report.size += 1
            if report.size > MAX_VALUES:
                raise ValueError(f"report {report.number} holds more than {MAX_VALUES:,} values")
            self._keep(report, text)
        if self._location and self._location[0] == self._depth:
            report.locations.append(self._location[1])
            self._location = None
        if self._offence and self._offence[0] == self._depth:
            report.offences.append(self._offence[1])
            self._offence = None
        self._path.pop()
        self._is_leaf = False

    def _keep(self, report: Report, text: str) -> None:
        leaf = self._path[-1]
        if self._location and leaf in _PLACE_NAMES:
            axis, place = _PLACE_NAMES[leaf]
            self._location[1].parts[axis].setdefault(place, text)
        elif self._location and leaf == "pos" and len(both := text.split()) == 2:
            self._location[1].parts["lat"].setdefault(0, both[0])
            self._location[1].parts["lon"].setdefault(0, both[1])
        elif self._location and leaf.endswith("Value"):
            # Coordinates of another kind: of which place is not told by a flat column.
            return
        elif self._offence:
            start = len(self._path) - (self._depth - self._offence[0]) - 1
            self._offence[1].add(".".join(self._path[start:]), text)
        else:
            report.incident.add(".".join(self._path), text)


def degrees_text(parts: dict[int, str]) -> str:
    """Degrees, minutes and seconds as decimal degrees; what cannot be read stays as it is, for the quarantine to show.

    >>> degrees_text({0: "-87", 1: "37", 2: "30"}), degrees_text({0: "41.88"}), degrees_text({})
    ('-87.625', '41.88', '')
    """
    if 0 not in parts or len(parts) == 1:
        return parts.get(0, "")
    try:
        whole, minutes, seconds = (float(parts.get(i, "0")) for i in range(3))
    except ValueError:
        return " ".join(parts[i] for i in sorted(parts))
    sign = -1 if parts[0].lstrip().startswith("-") else 1
    return format(whole + sign * (minutes / 60 + seconds / 3600), ".9g")


def places_of(report: Report, offence: int | None) -> set[tuple[str, str]]:
    """The different coordinates (lat, lon) at which the offence, or else its incident, may have happened."""
    found = [x for x in report.locations if x.parts["lat"] or x.parts["lon"]]
    own = [x for x in found if offence is not None and x.offence == offence]
    if not own:
        own = [x for x in found if x.offence is None]
        tied = [x for x in own if x.key and x.key in report.incident_places]
        # A home that an association ties to a person is no scene of crime.
        own = tied or [x for x in own if not (x.key and x.key in report.other_places)]
    return {(degrees_text(x.parts["lat"]), degrees_text(x.parts["lon"])) for x in own}


def parts_of(report: Report) -> Iterator[tuple[int | None, Part]]:
    """Each offence with the values of its incident; the incident alone where no offence is named."""
    if not report.offences:
        yield None, report.incident
    for place, offence in enumerate(report.offences):
        values = {**report.incident.values, **offence.values}
        yield place, Part(values, report.incident.repeated | offence.repeated)
