"""Codes that nobody has mapped yet, with what a person can choose for them."""

from collections import Counter
from dataclasses import dataclass, field

from django.db.models import Count, F, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.utils.translation import gettext as _

from agencies.engine.offence_policy import (
    Allowed,
    NeedsReason,
    OffenceClass,
    Refused,
    offence_class_of,
    screen_code,
)
from agencies.models import CrimeType
from agencies.offence_words import refusal_said
from ingestion.engine.mapping import FeedMapping, MappingError, as_record_kind
from ingestion.models import Feed, OffenceCode, QuarantinedRow
from ingestion.words import said

WAITING_CODES = ("unmapped_code", "code_conflict")
MAX_GROUPS = 2_000
_FIELDS = ("code", "nibrs_code", "ucr_code", "description")


@dataclass
class UnmappedCode:
    """One local code of rows that wait: how many, what the rows say, and what may be chosen.

    ``choices`` are crime types that fit; where there are none, or the rows carry no code of their own, ``note`` says what to do
    instead. ``needs_reason``: its words ask for a written reason.
    """

    code: str
    rows: int
    description: str = ""
    national: str = ""
    choices: list[CrimeType] = field(default_factory=list)
    chosen: CrimeType | None = None
    needs_reason: bool = False
    note: str = ""

    @property
    def can_be_mapped(self) -> bool:
        return bool(self.code)


def unmapped_codes(feed: Feed) -> list[UnmappedCode]:
    """Return the codes of the feed's waiting rows, most rows first. Three queries.

    A cell with several codes counts for each of them that is unmapped.
    """
    try:
        mapping = FeedMapping.from_json(feed.mapping)
    except MappingError:
        return []
    keys = {
        name: KeyTextTransform(mapping.columns[name], "values")
        if name in mapping.columns
        else Value(mapping.constants.get(name, ""), output_field=TextField())
        for name in _FIELDS
    }
    waiting = QuarantinedRow.objects.filter(feed=feed, resolved_at=None, code__in=WAITING_CODES).order_by()
    # Under other names: "code" is a column of the quarantine itself.
    groups = (
        waiting.annotate(**{f"row_{name}": expression for name, expression in keys.items()})
        .values_list(*(f"row_{name}" for name in _FIELDS))
        .annotate(n=Count("pk"))
        .order_by(F("n").desc())[:MAX_GROUPS]
    )
    types = list(CrimeType.objects.filter(agency=feed.agency))
    entries = {
        entry.code: entry for entry in OffenceCode.objects.filter(feed=feed).select_related("crime_type")
    }
    found: dict[tuple[str, str], tuple[Counter[tuple[str, ...]], int]] = {}
    for *texts, number in groups:
        cell, nibrs, ucr, description = ((text or "").strip() for text in texts)
        parts = (
            [part.strip() for part in cell.split(mapping.code_separator)]
            if mapping.code_separator
            else [cell]
        )
        for part in {part for part in parts if part} or {""}:
            key = (part, "" if part else nibrs or ucr or description[:40])
            variants, rows = found.get(key, (Counter(), 0))
            variants[nibrs, ucr, description] += number
            found[key] = (variants, rows + number)
    codes = [
        _unmapped(feed, code, rows, variants.most_common(1)[0][0], types, entries.get(code))
        for (code, _), (variants, rows) in found.items()
        if not (code and (entry := entries.get(code)) and entry.is_ignored)
    ]
    return sorted(codes, key=lambda one: (-one.rows, one.code))


def _unmapped(
    feed: Feed,
    code: str,
    rows: int,
    texts: tuple[str, ...],
    types: list[CrimeType],
    entry: OffenceCode | None,
) -> UnmappedCode:
    nibrs, ucr, description = texts
    kind = as_record_kind(feed.record_kind)
    if entry is not None:
        nibrs = nibrs or entry.nibrs_code
    screening = screen_code(code=code, nibrs=nibrs, ucr=ucr, description=description, kind=kind)
    offence_class = screening.offence_class if isinstance(screening, Allowed | NeedsReason) else None
    found = UnmappedCode(
        code=code,
        rows=rows,
        description=description,
        national=nibrs or ucr,
        choices=_fitting(types, offence_class),
        chosen=entry.crime_type if entry else None,
        needs_reason=isinstance(screening, NeedsReason),
    )
    found.note = _note(found, screening, offence_class)
    return found


def _fitting(types: list[CrimeType], offence_class: OffenceClass | None) -> list[CrimeType]:
    if offence_class is None:
        return types
    return [one for one in types if offence_class_of(one.nibrs_code) is offence_class]


def _note(
    found: UnmappedCode, screening: Allowed | Refused | NeedsReason, offence_class: OffenceClass | None
) -> str:
    if offence_class is not None and not found.choices:
        return _(
            "No crime type of %(label)s is there: add one (Admin → Crime types), then read the rows again."
        ) % {"label": said(offence_class.label).lower()}
    if not found.code:
        return _(
            "These rows carry no code of their own. Add a crime type for them (Admin → Crime types), or ask the source for codes."
        )
    if isinstance(screening, NeedsReason):
        return refusal_said(screening.message)
    if isinstance(screening, Refused) and screening.rule != "unknown_offence":
        return refusal_said(screening.message)
    return ""
