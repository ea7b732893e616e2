"""Feeds and what their codes mean."""

from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import Agency, CrimeType
from agencies.offence_words import refusal_said
from ingestion.engine.codes import Accepted, CodeTable, Refusal
from ingestion.engine.mapping import MappingError, as_record_kind
from ingestion.engine.privacy import screen_columns, tidy_column
from ingestion.engine.profiles import PROFILES
from ingestion.engine.suggest import suggest_mapping
from ingestion.models import Feed, OffenceCode
from ingestion.services.context import code_table
from ingestion.sources import SourceError, parameter_infos, reader_source, recognised_kind, source_from
from missions_project.lib.errors import MissionsError

PROFILE_NAMES = {"socrata": "socrata_city", "hunchlab": "hunchlab_events", "plain": "plain"}
"""Short names of the ready-made profiles, as commands take them."""
SAMPLE_ROWS = 50
MAX_CODES = 5_000


def feed_ensure(
    *,
    agency: Agency,
    slug: str,
    name: str = "",
    record_kind: str = "incidents",
    sample: Path | None = None,
    profile: str = "",
) -> Feed:
    """Return the agency's feed of this slug; make it where there is none, mapped by a profile or by its file's header.

    An existing feed keeps its mapping. Raises ``MissionsError`` if neither a profile nor the header says enough.
    """
    feed = Feed.objects.filter(agency=agency, slug=slug).first()
    if feed is not None and feed.mapping:
        return feed
    feed = feed or Feed(agency=agency, slug=slug, name=name or slug, record_kind=record_kind)
    key = PROFILE_NAMES.get(profile, profile)
    chosen = next((one for one in PROFILES if one.key == key), None)
    if profile and chosen is None:
        raise MissionsError(
            _("There is no mapping profile “%(profile)s”.") % {"profile": profile},
            next_step=_("use one of %(profile_names)s.") % {"profile_names": ", ".join(PROFILE_NAMES)},
        )
    kind = as_record_kind(feed.record_kind)
    header: tuple[str, ...] = ()
    if sample is not None:
        feed_kind_from_file(feed, sample)
        reader = reader_source(feed.kind, feed.params).open(
            sample, mapping=chosen.mapping if chosen else None
        )
        header = reader.header
        mapping = (
            chosen.mapping_for(header)
            if chosen
            else suggest_mapping(header, reader.sample(SAMPLE_ROWS), kind)
        )
    elif chosen is not None:
        mapping = chosen.mapping
    else:
        raise MissionsError(
            _("Feed “%(slug)s” is new and nothing says how to read it.") % {"slug": slug},
            next_step=_("give a profile or a file."),
        )
    mapping = mapping.replaced(record_kind=kind)
    try:
        mapping.validate(header or None)
    except MappingError as exc:
        raise MissionsError(
            _("The columns of %(name)s do not say enough to map them: %(exc)s")
            % {"name": sample.name if sample else "the file", "exc": exc},
            next_step=_("map them in the admin (Feeds → Upload a file), or choose a profile that fits."),
        ) from exc
    feed.mapping = mapping.to_json()
    feed.full_clean()
    feed.save()
    return feed


def feed_kind_from_file(feed: Feed, path: Path) -> bool:
    """Let a feed that has no mapping yet read the kind of file that it is shown; say whether that changed it. Not saved.

    A mapped feed keeps its kind: a file of another one is then a mistake, which its reader names with the next step.
    """
    return feed_kind_take(feed, recognised_kind(path) if path.is_file() else None)


def feed_kind_take(feed: Feed, found: str | None) -> bool:
    """The same, where somebody has found out what the file is."""
    if feed.mapping or found is None or found == feed.kind:
        return False
    names = {info.name for info in parameter_infos(found)}
    feed.kind, feed.params = found, {k: v for k, v in feed.params.items() if k in names}
    return True


@dataclass
class CodesImported:
    """What became of a code table: codes by outcome, and why the refused ones are refused."""

    mapped: list[str] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    """Codes that a person had mapped or ignored before: left as they are."""


_CODE_COLUMNS = (
    "code",
    "iucr",
    "offense code",
    "offence code",
    "local code",
    "ucr code",
    "nature",
    "nature code",
)
_NIBRS_COLUMNS = ("nibrs code", "nibrs", "nibrs offense code", "fbi code", "ucr", "nibrs or ucr code")
_DESCRIPTION_COLUMNS = (
    "description",
    "primary description",
    "secondary description",
    "offense description",
    "primary type",
)


def codes_import(*, feed: Feed, path: Path) -> CodesImported:
    """Load an offence code table (CSV: code, description, NIBRS code) and map it to the agency's crime types.

    A code is mapped where its national code means exactly one crime type. Refused offences are marked as ignored,
    the rest waits for a person. Codes that somebody has mapped or ignored already are left as they are.
    Raises ``MissionsError`` for a table without codes; nothing is kept then.
    """
    rows = _code_rows(path)
    table = code_table(feed.agency, feed)
    types = {t.slug: t for t in CrimeType.objects.filter(agency=feed.agency)}
    done = CodesImported()
    with transaction.atomic():
        known = {entry.code: entry for entry in OffenceCode.objects.filter(feed=feed)}
        for code, (description, nibrs) in rows.items():
            entry = known.get(code) or OffenceCode(agency=feed.agency, feed=feed, code=code)
            entry.description = entry.description or description
            entry.nibrs_code = entry.nibrs_code or nibrs
            if entry.crime_type_id or entry.is_ignored:
                done.kept.append(code)
            else:
                _decide(entry, table, types, done)
            entry.full_clean(exclude=["agency", "feed"])
            entry.save()
    return done


def _decide(entry: OffenceCode, table: CodeTable, types: dict[str, CrimeType], done: CodesImported) -> None:
    decision = table.decide(
        code=entry.code,
        nibrs=entry.nibrs_code,
        description=entry.description,
        kind=as_record_kind(entry.feed.record_kind),
    )
    if isinstance(decision, Refusal):
        entry.is_ignored = True
        done.refused[entry.code] = refusal_said(decision.message)
    elif isinstance(decision, Accepted) and decision.crime_type:
        entry.crime_type = types[decision.crime_type]
        done.mapped.append(entry.code)
    else:
        done.unmapped.append(entry.code)


def _code_rows(path: Path) -> dict[str, tuple[str, str]]:
    """code → (description, national code). Columns about persons are not read."""
    reader = source_from("csv_file", {}).open(path)
    refused = {violation.column for violation in screen_columns(reader.header)}
    words = {column: tidy_column(column) for column in reader.header if column not in refused}
    code_column = next((c for name in _CODE_COLUMNS for c, w in words.items() if w == name), None)
    if code_column is None:
        raise SourceError(
            _("No column of %(name)s holds the codes. It has: %(header)s.")
            % {"name": path.name, "header": ", ".join(reader.header)},
            _("Name the column “code”, and “description” and “nibrs_code” beside it."),
            row=1,
        )
    nibrs_column = next((c for name in _NIBRS_COLUMNS for c, w in words.items() if w == name), None)
    described = [c for c, w in words.items() if w in _DESCRIPTION_COLUMNS]
    found: dict[str, tuple[str, str]] = {}
    for row in reader.sample(MAX_CODES):
        code = row[code_column].strip()
        if code:
            description = " / ".join(row[c].strip() for c in described if row[c].strip())
            found[code] = (description[:200], row[nibrs_column].strip() if nibrs_column else "")
    if not found:
        raise SourceError(
            _("%(name)s holds no codes.") % {"name": path.name},
            _("Check that this is the offence code table."),
        )
    return found
