"""Incident reports in XML, as regional and national exchanges (N-DEx, LEXS) pass them on."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.rejections import Rejection, excerpt
from ingestion.sources.base import SourceError, parameter, register
from ingestion.sources.containers import MEGABYTE, Limits, opened
from ingestion.sources.ndex_records import (
    RECORD_NAMES,
    Part,
    Report,
    ReportHandler,
    parts_of,
    places_of,
)
from ingestion.sources.recognise import check_kind
from ingestion.sources.records import KeyedFile, Record
from ingestion.sources.xml_events import finished
from missions_project.lib.lazy import gettext_lazy

OFFENSE_ID, INCIDENT_ID, LATITUDE, LONGITUDE = "OffenseID", "IncidentID", "Latitude", "Longitude"
_WHEN = r"(?:DateTime|Date)"
# The first pattern that a path ends with decides; paths run from the report's element inwards.
_MEANINGS: dict[str, tuple[str, ...]] = {
    INCIDENT_ID: (
        r"(?!Offense\.).*(?:Incident|Activity)\.ActivityIdentification\.IdentificationID",
        r"(?:(?!Offense\.).*\.)?(?:ActivityIdentification|IncidentIdentification)\.IdentificationID",
        r".*DataItemID",
    ),
    "OffenseNumber": (
        r"Offense\.(?:ActivityIdentification|OffenseIdentification)\.IdentificationID",
        r"Offense\.OffenseSequence(?:ID|Number)",
    ),
    "OffenseCode": (r"Offense\..*(?:Offense|Statute)Code", r".*OffenseCode"),
    "NIBRSCode": (r".*(?:NIBRSOffenseCode|OffenseNIBRSCode|OffenseUCRCode|UCROffenseCode)",),
    "OffenseDescription": (r".*(?:OffenseDescriptionText|OffenseCategoryText)",),
    "OccurredFrom": (
        rf"Offense\.ActivityDateRange\.StartDate\.{_WHEN}",
        rf"Offense\.ActivityDate\.{_WHEN}",
        rf"(?:.*\.)?ActivityDateRange\.StartDate\.{_WHEN}",
        rf"(?:.*\.)?ActivityDate\.{_WHEN}",
        r"(?:.*\.)?(?:ActivityDateTime|IncidentDateTime|IncidentOccurredDateTime)",
    ),
    "OccurredTo": (
        rf"Offense\.ActivityDateRange\.EndDate\.{_WHEN}",
        rf"(?:.*\.)?ActivityDateRange\.EndDate\.{_WHEN}",
    ),
    "ReportedAt": (rf"(?:.*\.)?(?:Incident|Activity|Offense)?Report(?:ed|ing)?Date(?:Time)?(?:\.{_WHEN})?",),
    "LastUpdated": (
        rf"(?:.*\.)?(?:DataItem|LastUpdated?|LastModified|Activity(?:Last)?Updated?)Date(?:Time)?(?:\.{_WHEN})?",
    ),
}
_PATTERNS = {name: tuple(re.compile(p) for p in patterns) for name, patterns in _MEANINGS.items()}
COLUMNS = (OFFENSE_ID, *_MEANINGS, LATITUDE, LONGITUDE)


@dataclass(frozen=True)
class NdexFileParameters:
    """What an administrator can set for a feed of XML reports."""

    record_element: str = parameter(
        "",
        label=gettext_lazy("Element of one report"),
        help=gettext_lazy(
            "Without its prefix. Empty: found out; known are DataItemPackage, IncidentReport, NIBRSReport, Report, Incident."
        ),
    )
    max_unpacked_mb: int = parameter(
        4096,
        label=gettext_lazy("Largest size (MB, unpacked)"),
        help=gettext_lazy("A file that unpacks to more is refused before anything of it is imported."),
        minimum=1,
    )
    max_ratio: int = parameter(
        200,
        label=gettext_lazy("Largest compression ratio"),
        help=gettext_lazy("A compressed file that grows by more than this is refused as a bomb."),
        minimum=2,
    )


class NdexFile(KeyedFile):
    """One file of XML reports, opened: one row an offence, or an incident that names none. A row's number is its report's place.

    ``COLUMNS`` are found by their meaning, whatever the sender's version; besides them every plain value is a column by its
    path, for example ``Incident.IncidentCategoryCode``.
    """

    format_name = "XML"
    fixed_columns = COLUMNS
    record_word = gettext_noop("report")

    def __init__(
        self, path: Path, parameters: NdexFileParameters, mapping: FeedMapping | None = None
    ) -> None:
        super().__init__(path)
        self._limits = Limits(parameters.max_unpacked_mb * MEGABYTE, parameters.max_ratio)
        self._record_name = parameters.record_element.strip().rpartition(":")[2]
        self._settle_header(mapping)

    def _reports(self) -> Iterator[Report]:
        listener = ReportHandler(self._record_name)
        count = 0
        with opened(self._path, self._limits) as (stream, _guard):
            for report in finished(stream, listener, _not_well_formed):
                count += 1
                yield report
        if not count:
            raise SourceError(
                _("The XML holds no incident report (%(record_name)s); its outermost element is %(root)s.")
                % {"record_name": self._record_name or ", ".join(RECORD_NAMES), "root": listener.root},
                _(
                    "Check that this is the right file, or name the element in the feed's parameter “Element of one report”."
                ),
            )

    def _keys(self) -> Iterator[Iterable[str]]:
        for report in self._reports():
            yield [path for _, part in parts_of(report) for path in part.values]

    def _records(self, columns: Sequence[str]) -> Iterator[Record]:
        for report in self._reports():
            for offence, part in parts_of(report):
                yield _row(report, offence, part, columns)


def _row(report: Report, offence: int | None, part: Part, columns: Sequence[str]) -> Record:
    if "DELETE" in (v.upper() for k, v in part.values.items() if k.endswith("PublishInstruction")):
        return report.number, [], Rejection("deletion_notice")
    paths = _paths(tuple(part.values))
    values = {name: part.values.get(path, "") for name, path in paths.items()}
    places = places_of(report, offence)
    values[LATITUDE], values[LONGITUDE] = next(iter(places)) if len(places) == 1 else ("", "")
    values[OFFENSE_ID] = _offence_id(values, offence)
    problem = None
    for column in columns:
        is_place = column in (LATITUDE, LONGITUDE) and len(places) > 1
        if is_place or paths.get(column, column) in part.repeated:
            shown = "" if is_place else excerpt(part.values[paths.get(column, column)])
            problem = Rejection("repeated_field", column, shown)
            break
    texts = [values[column] if column in values else part.values.get(column, "") for column in columns]
    return report.number, texts, problem


@lru_cache(maxsize=1_024)
def _paths(there: tuple[str, ...]) -> dict[str, str]:
    """Which of the paths that are there each column of ``_MEANINGS`` is; empty where none is. Reports are much alike."""
    found = {}
    for name, patterns in _PATTERNS.items():
        hits = (path for pattern in patterns for path in there if pattern.fullmatch(path))
        found[name] = next(hits, "")
    return found


def _offence_id(values: dict[str, str], offence: int | None) -> str:
    """The incident's number, and the offence's own, or its code: a place in the list changes when one is struck out."""
    if not values[INCIDENT_ID] or offence is None:
        return values[INCIDENT_ID]
    own = values["OffenseNumber"] or values["NIBRSCode"] or values["OffenseCode"] or str(offence + 1)
    return f"{values[INCIDENT_ID]}-{own}"


def _not_well_formed(words: str) -> SourceError:
    return SourceError(
        _("The XML is damaged or cut off (%(words)s).") % {"words": words[:200]},
        _("Send or export it again; nothing of it was imported."),
    )


@register
class NdexFileSource:
    """Incident reports in XML in the manner of N-DEx and LEXS."""

    kind: ClassVar[str] = "ndex_xml_file"
    label: ClassVar[str] = gettext_lazy("XML incident reports (N-DEx, LEXS)")
    help: ClassVar[str] = gettext_lazy(
        "Incident reports in NIEM's XML. Persons, arrests, narratives, addresses and items are passed over while reading. "
        "Compressed files are read as they are."
    )
    Parameters: ClassVar[type] = NdexFileParameters

    def __init__(self, parameters: NdexFileParameters | None = None) -> None:
        self.parameters = parameters or NdexFileParameters()

    def open(self, path: Path, *, mapping: FeedMapping | None = None) -> NdexFile:
        """Open one file. Raises ``SourceError`` for another format, a DOCTYPE, or one that holds no report."""
        check_kind(Path(path), self.kind)
        return NdexFile(Path(path), self.parameters, mapping)
