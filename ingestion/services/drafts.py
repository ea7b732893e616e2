"""An upload on its way through the mapping wizard: what it is, how to read it, what its codes mean.

The state is kept with the feed and in the spool. Values of the file are read anew for every step: storing a sample
would store columns that nobody has mapped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.engine.local_time import utc_to_local
from agencies.engine.offence_policy import Allowed, NeedsReason, screen_code
from agencies.models import CrimeType, User
from agencies.offence_words import refusal_said
from agencies.services import audit_last, audit_record
from ingestion.engine.codes import Accepted, CodeEntry, CodeTable, Refusal
from ingestion.engine.mapping import CLOCK_FIELDS, RECORD_KINDS, FeedMapping, as_record_kind
from ingestion.engine.normalise import normalise_chunk
from ingestion.engine.records import NormalisedChunk
from ingestion.engine.split_times import join_dates_and_clocks
from ingestion.engine.suggest import suggest_mapping
from ingestion.engine.timestamps import READ, TIME_PRECISIONS, parse_times
from ingestion.models import Feed, ImportRun, OffenceCode
from ingestion.services.context import code_table, normalise_context
from ingestion.services.draft_files import table_look
from ingestion.services.feeds import SAMPLE_ROWS, feed_kind_take
from ingestion.services.imports import import_run_queue
from ingestion.services.pulls import pull_queue
from ingestion.services.spool import spool_delete, spool_path, spool_store
from ingestion.sources import is_pull
from ingestion.tables.codes import CountedCode
from ingestion.tables.packing import TableLook
from missions_project.lib.errors import MissionsError

CODE_ROWS = 400_000
"""Rows in which codes are counted: about three seconds for CSV, well inside a web request."""
REVIEW_ROWS = 200
IGNORE = "-"
"""The choice "count rows with this code and never store them"."""


def draft_start(*, feed: Feed, chunks: Iterable[bytes], file_name: str) -> Feed:
    """Keep the upload in the spool and note how it can be read. A former draft of the feed is forgotten.

    A feed without a mapping takes the kind of its first file.

    Raises ``MissionsError`` for a file that is no table; nothing is kept then.
    """
    if feed.record_kind not in RECORD_KINDS:
        raise MissionsError(
            _("%(record_kind)s come by HTTP only, under fixed names.")
            % {"record_kind": feed.get_record_kind_display()},
            next_step=_("make a token on the feed's page and see docs/feeds/push.md."),
        )
    spool_name = spool_store(chunks=chunks)
    try:
        look = table_look(
            spool_path(spool_name),
            kind=feed.kind,
            params=feed.params,
            any_kind=not feed.mapping,
            sample=SAMPLE_ROWS,
        )
        feed_kind_take(feed, look.kind)
        kind = as_record_kind(feed.record_kind)
        mapping = _stored_mapping_that_fits(feed, look.header) or suggest_mapping(
            look.header, look.sample, kind
        )
    except BaseException:
        spool_delete(name=spool_name)
        raise
    spool_delete(name=feed.draft.get("spool_name", ""))
    feed.draft = {
        "spool_name": spool_name,
        "file_name": file_name[-200:],
        "mapping": mapping.to_json(),
        "codes": {},
    }
    feed.save(update_fields=["draft", "kind", "params"])
    return feed


def _stored_mapping_that_fits(feed: Feed, header: Iterable[str]) -> FeedMapping | None:
    if not feed.mapping:
        return None
    mapping = FeedMapping.from_json(feed.mapping)
    return mapping if set(mapping.column_names) <= set(header) else None


def draft_mapping(feed: Feed) -> FeedMapping:
    """The mapping as far as the wizard has come. Raises ``MissionsError`` if there is no upload."""
    if not feed.draft:
        raise MissionsError(_("There is no upload to map."), next_step=_("upload a file first."))
    return FeedMapping.from_json(feed.draft["mapping"])


def draft_look(feed: Feed, *, sample: int = 0, codes: int = 0, first: int = 0) -> TableLook:
    """What the uploaded file holds, as ``table_look`` finds it. Raises ``MissionsError`` if it has expired or takes too much."""
    mapping = draft_mapping(feed)
    path = spool_path(feed.draft["spool_name"])
    return table_look(
        path, kind=feed.kind, params=feed.params, mapping=mapping, sample=sample, codes=codes, first=first
    )


def draft_mapping_save(*, feed: Feed, mapping: FeedMapping) -> Feed:
    """Keep the mapping with the draft, complete or not."""
    feed.draft = {**feed.draft, "mapping": mapping.to_json()}
    feed.save(update_fields=["draft"])
    return feed


def draft_discard(*, feed: Feed) -> None:
    """Forget the upload."""
    spool_delete(name=feed.draft.get("spool_name", ""))
    feed.draft = {}
    feed.save(update_fields=["draft"])


@dataclass(frozen=True)
class TimeExample:
    """A text of the file and what it is read as: UTC and the agency's wall clock (None: cannot be read)."""

    text: str
    utc: str | None
    local: str | None
    precision: str


def time_examples(feed: Feed, mapping: FeedMapping, rows: Iterable[Mapping[str, str]]) -> list[TimeExample]:
    """How the time of occurrence of these rows is read in the mapping's columns, date format and zone."""
    date, clock = (mapping.columns.get(name, "") for name in ("occurred_from", CLOCK_FIELDS["occurred_from"]))
    pairs = [(row.get(date, "").strip(), row.get(clock, "").strip() if clock else "") for row in rows]
    zone = mapping.time_zone or feed.agency.time_zone
    texts = [day for day, _ in pairs]
    if clock:
        texts, unreadable = join_dates_and_clocks(
            texts, [told for _, told in pairs], date_format=mapping.date_format, zone=zone
        )
        texts = ["?" if bad else text for text, bad in zip(texts, unreadable, strict=True)]
    read = parse_times(texts, date_format=mapping.date_format, zone=zone)
    local = utc_to_local(read.utc, feed.agency.time_zone)
    return [
        TimeExample(
            text,
            str(read.utc[i]).replace("T", " ") if read.status[i] == READ else None,
            str(local[i]).replace("T", " ") if read.status[i] == READ else None,
            TIME_PRECISIONS[int(read.precision[i])],
        )
        for i, text in enumerate(f"{day} {told}".strip() for day, told in pairs)
    ]


@dataclass
class DraftCode:
    """One local code of the file: how often, and what it becomes."""

    code: str
    description: str
    national: str
    rows: int
    outcome: str
    """mapped (by national code), refused, open (a person chooses) or reason (a person chooses and says why)."""
    message: str = ""
    crime_type: str = ""
    """The slug chosen, suggested or decided."""
    written_reason: str = ""
    is_ignored: bool = False
    choices: list[str] = field(default_factory=list)


def draft_codes(feed: Feed, *, rows: int = CODE_ROWS) -> list[DraftCode]:
    """Count the file's codes and say what each becomes; most frequent first, those that wait for a person before others.

    Raises ``MappingError`` for a mapping that is not complete, else as ``draft_look`` does.
    """
    mapping, look = draft_mapping(feed), draft_look(feed, codes=rows)
    mapping.validate(look.header)
    table, types = code_table(feed.agency, feed), list(CrimeType.objects.filter(agency=feed.agency))
    draft = feed.draft.get("codes", {})
    found = [_draft_code(feed, counted, table, types, draft.get(counted.code)) for counted in look.codes]
    return sorted(found, key=lambda entry: (entry.outcome not in ("open", "reason"), -entry.rows, entry.code))


def _draft_code(
    feed: Feed,
    counted: CountedCode,
    table: CodeTable,
    types: list[CrimeType],
    chosen: Mapping[str, Any] | None,
) -> DraftCode:
    code, nibrs, ucr, description = counted.code, counted.nibrs, counted.ucr, counted.description
    entry = table.entries.get(code, CodeEntry())
    kind = as_record_kind(feed.record_kind)
    decision = table.decide(code=code, nibrs=nibrs, ucr=ucr, description=description, kind=kind)
    result = DraftCode(
        code=code,
        description=description,
        national=nibrs or ucr or entry.nibrs_code,
        rows=counted.rows,
        outcome="open",
        crime_type=entry.crime_type,
        written_reason=entry.written_reason,
        is_ignored=entry.is_ignored,
    )
    if isinstance(decision, Refusal) and not entry.is_ignored:
        return replace(result, outcome="refused", message=refusal_said(decision.message))
    if isinstance(decision, Accepted) and result.national and kind == "incidents":
        return replace(result, outcome="mapped", crime_type=decision.crime_type)
    if kind != "incidents":
        return replace(result, outcome="mapped", crime_type=getattr(decision, "crime_type", ""))
    screening = screen_code(code=code, nibrs=nibrs, ucr=ucr, description=description, kind=kind)
    offence_class = screening.offence_class if isinstance(screening, Allowed | NeedsReason) else None
    fitting = [
        t.slug
        for t in types
        if offence_class is None or (t.nibrs_code and _class_key(t.nibrs_code) == offence_class.key)
    ]
    result.choices = fitting or [t.slug for t in types]
    if isinstance(screening, NeedsReason):
        result.outcome, result.message = "reason", refusal_said(screening.message)
    elif len(fitting) == 1 and not result.crime_type and offence_class is not None:
        result.crime_type = fitting[0]
        result.message = _("Suggested by its description.")
    if chosen is not None:
        result.crime_type = str(chosen.get("crime_type", ""))
        result.is_ignored = bool(chosen.get("is_ignored"))
        result.written_reason = str(chosen.get("written_reason", ""))
    return result


def _class_key(code: str) -> str:
    screening = screen_code(nibrs=code)
    return screening.offence_class.key if isinstance(screening, Allowed) else ""


@dataclass(frozen=True)
class CodeChoice:
    """What a person chose for one code: a crime type's slug, to ignore it, or nothing yet."""

    code: str
    description: str = ""
    crime_type: str = ""
    is_ignored: bool = False
    written_reason: str = ""


def draft_codes_save(*, feed: Feed, choices: Iterable[CodeChoice]) -> dict[str, list[str]]:
    """Keep the choices with the draft; return messages by code for those that policy refuses (they are not kept)."""
    types = {t.slug: t for t in CrimeType.objects.filter(agency=feed.agency)}
    kept: dict[str, dict[str, Any]] = {}
    problems: dict[str, list[str]] = {}
    for choice in choices:
        try:
            _offence_code(feed, choice, types).full_clean(
                exclude=["agency", "feed"], validate_unique=False, validate_constraints=False
            )
        except ValidationError as exc:
            problems[choice.code] = exc.messages
            continue
        kept[choice.code] = {
            "description": choice.description,
            "crime_type": choice.crime_type,
            "is_ignored": choice.is_ignored,
            "written_reason": choice.written_reason,
        }
    feed.draft = {**feed.draft, "codes": kept}
    feed.save(update_fields=["draft"])
    return problems


def _offence_code(feed: Feed, choice: CodeChoice, types: Mapping[str, CrimeType]) -> OffenceCode:
    return OffenceCode(
        agency=feed.agency,
        feed=feed,
        code=choice.code,
        description=choice.description[:200],
        crime_type=types.get(choice.crime_type),
        is_ignored=choice.is_ignored,
        written_reason=choice.written_reason,
    )


def draft_review(feed: Feed, *, rows: int = REVIEW_ROWS) -> NormalisedChunk:
    """What would become of the file's first rows. Nothing is stored."""
    mapping = draft_mapping(feed)
    mapping.validate()
    context = normalise_context(feed.agency, feed, timezone.now())
    entries = dict(context.codes.entries)
    for code, chosen in feed.draft.get("codes", {}).items():
        before = entries.get(code, CodeEntry())
        entries[code] = CodeEntry(
            crime_type=chosen["crime_type"],
            nibrs_code=before.nibrs_code,
            is_ignored=chosen["is_ignored"],
            written_reason=chosen["written_reason"],
        )
    context = replace(context, codes=CodeTable(context.codes.crime_types, entries))
    look = draft_look(feed, first=rows)
    mapping.validate(look.header)
    first = look.first
    if first is None:
        raise MissionsError(_("The file has a header and no rows."), next_step=_("upload one with rows."))
    return normalise_chunk(first, mapping, context)


@transaction.atomic
@audit_last()
def draft_commit(*, feed: Feed, requested_by: User | None) -> ImportRun:
    """Make the draft's mapping and codes the feed's own and queue the import of the upload."""
    mapping = draft_mapping(feed)
    mapping.validate(draft_look(feed).header)
    types = {t.slug: t for t in CrimeType.objects.filter(agency=feed.agency)}
    known = {entry.code: entry for entry in OffenceCode.objects.filter(feed=feed)}
    for code, chosen in feed.draft.get("codes", {}).items():
        if code not in known and not (chosen["crime_type"] or chosen["is_ignored"]):
            continue
        entry = known.get(code) or OffenceCode(agency=feed.agency, feed=feed, code=code)
        entry.description = entry.description or chosen["description"][:200]
        entry.crime_type = types.get(chosen["crime_type"])
        entry.is_ignored = chosen["is_ignored"]
        entry.written_reason = chosen["written_reason"]
        entry.full_clean(exclude=["agency", "feed"])
        entry.save()
        if entry.written_reason:
            audit_record(
                agency=feed.agency,
                actor=requested_by,
                action="offencecode.chosen",
                subject=f"{feed.slug}: {entry}",
                detail={"reason": entry.written_reason, "crime_type": chosen["crime_type"]},
                row=entry,
            )
    spool_name, file_name = feed.draft["spool_name"], feed.draft["file_name"]
    if is_pull(feed.kind) and feed.mapping != mapping.to_json():
        # Read otherwise than before, the rows of earlier pulls would stay as they are until they change at their source.
        feed.cursor = {}
    feed.mapping, feed.draft = mapping.to_json(), {}
    feed.full_clean()
    feed.save()
    if is_pull(feed.kind):
        spool_delete(name=spool_name)
        return pull_queue(feed=feed, requested_by=requested_by)
    return import_run_queue(feed=feed, spool_name=spool_name, file_name=file_name, requested_by=requested_by)
