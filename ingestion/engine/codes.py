"""Decide by its codes what becomes of a row: an incident of a crime type, a row kept aside, or one refused by policy."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from agencies.engine.offence_codes import ENFORCEMENT_BIAS, tidy_code
from agencies.engine.offence_policy import (
    Allowed,
    NeedsReason,
    OffenceClass,
    Refused,
    offence_class_of,
    screen_code,
)
from agencies.engine.offence_vocabulary import named_class, refused_word
from ingestion.engine.mapping import RecordKind
from ingestion.engine.rejections import Rejection, excerpt

IGNORED_RULE = "ignored_by_mapping"
NOT_GUNFIRE_RULE = "not_gunfire"
_NOT_GUNFIRE = re.compile(
    r"\b(?:fire ?(?:work|cracker)s?|back ?fire|helicopter|construction)\b", re.IGNORECASE
)
# Free descriptions may be as many as rows; beyond this many the memory of decisions starts again.
_MAX_REMEMBERED = 50_000


@dataclass(frozen=True)
class CodeEntry:
    """What the agency's code table says of one local code."""

    crime_type: str = ""
    """The crime type's slug; empty while unmapped."""
    nibrs_code: str = ""
    is_ignored: bool = False
    written_reason: str = ""


@dataclass(frozen=True)
class Accepted:
    """The row is wanted. ``crime_type`` is a slug, empty for a call; ``code`` is the one that decided."""

    crime_type: str
    code: str


@dataclass(frozen=True)
class Refusal:
    """The row is refused by policy (or ignored by the agency's own mapping): counted by (rule, code), never stored."""

    rule: str
    code: str
    message: str


Decision = Accepted | Rejection | Refusal


@dataclass(frozen=True)
class CodeTable:
    """The agency's crime types (slug → NIBRS code or class key) and its code table (local code → entry).

    A row's national code needs no entry where just one crime type can be meant by it: an exact NIBRS code first, then
    the only crime type of its class.
    """

    crime_types: Mapping[str, str]
    entries: Mapping[str, CodeEntry] = field(default_factory=dict)
    _decided: dict[tuple[str, ...], Decision] = field(default_factory=dict, compare=False, repr=False)

    def decide(
        self,
        *,
        code: str,
        nibrs: str = "",
        ucr: str = "",
        description: str = "",
        kind: RecordKind = "incidents",
        separator: str = "",
        ignored: tuple[str, ...] = (),
    ) -> Decision:
        """What becomes of a row with these codes. Equal arguments give equal answers; no order matters.

        With a ``separator`` the cell holds several codes: the first listed that is accepted counts; with none accepted a
        code that waits for mapping outweighs a refused one only if no code is refused (a refused offence is never
        stored, not even in the quarantine).
        """
        key = (code, nibrs, ucr, description, kind, separator, *ignored)
        known = self._decided.get(key)
        if known is None:
            if len(self._decided) >= _MAX_REMEMBERED:
                self._decided.clear()
            known = self._decide_cell(code, nibrs, ucr, description, kind, separator, ignored)
            self._decided[key] = known
        return known

    def gunfire_type(self) -> str:
        """The slug of the agency's only gunfire type; empty where there is none, or more than one."""
        gunfire = offence_class_of("gunfire")
        return (self._slug_for(gunfire, CodeEntry(), "") if gunfire else None) or ""

    def _decide_cell(
        self,
        cell: str,
        nibrs: str,
        ucr: str,
        description: str,
        kind: RecordKind,
        separator: str,
        ignored: tuple[str, ...],
    ) -> Decision:
        parts = [part.strip() for part in cell.split(separator)] if separator else [cell]
        parts = [part for part in parts if part] or [""]
        decisions = [self._decide_one(part, nibrs, ucr, description, kind, ignored) for part in parts]
        for wanted in (Accepted, Refusal):
            for decision in decisions:
                if isinstance(decision, wanted):
                    return decision
        return decisions[0]

    def _decide_one(
        self, code: str, nibrs: str, ucr: str, description: str, kind: RecordKind, ignored: tuple[str, ...]
    ) -> Decision:
        entry = self.entries.get(code, CodeEntry()) if code else CodeEntry()
        shown = code or nibrs or ucr or excerpt(description, 40)
        if entry.is_ignored or (code and code in ignored):
            return Refusal(IGNORED_RULE, shown, f"Code {shown!r} is ignored by the feed's mapping.")
        if kind == "gunfire":
            return self._decide_gunfire(code, nibrs or entry.nibrs_code, ucr, description, entry, shown)
        if not (code or nibrs or ucr or (kind == "calls" and description)):
            return Rejection("missing_code", "code")
        screening = screen_code(
            code=code,
            nibrs=nibrs or entry.nibrs_code,
            ucr=ucr,
            description=description,
            written_reason=entry.written_reason,
            declared="" if nibrs or ucr or entry.nibrs_code else self.crime_types.get(entry.crime_type, ""),
            kind=kind,
        )
        if kind == "calls":
            return self._decide_call(screening, entry, code, shown)
        return self._decide_incident(
            screening, entry, code, tidy_code(nibrs or entry.nibrs_code or ucr), shown
        )

    def _decide_incident(
        self,
        screening: Allowed | Refused | NeedsReason,
        entry: CodeEntry,
        code: str,
        national: str,
        shown: str,
    ) -> Decision:
        if isinstance(screening, Refused) and screening.rule != "unknown_offence":
            return Refusal(screening.rule, national or shown, screening.message)
        if isinstance(screening, Allowed) and (national or entry.crime_type):
            if screening.offence_class.sensor and national:
                return Refusal(
                    "weapon_law",
                    shown,
                    f"Code {shown!r}: gunfire comes from sensors and calls for service; as an offence it is {ENFORCEMENT_BIAS}.",
                )
            slug = self._slug_for(screening.offence_class, entry, national)
            if slug:
                return Accepted(slug, code or national)
            if entry.crime_type:
                return Rejection("code_conflict", "code", f"{shown} ({national})")
        elif isinstance(screening, NeedsReason) and entry.crime_type:
            # The code itself was mapped, with its reason where one was due; the row's words are only a remark on it.
            return Accepted(entry.crime_type, code)
        return Rejection(
            "unmapped_code",
            "code",
            excerpt(f"{shown} ({national})" if national and national != shown else shown),
        )

    def _decide_call(
        self, screening: Allowed | Refused | NeedsReason, entry: CodeEntry, code: str, shown: str
    ) -> Decision:
        # A call is a signal and no forecast: only what measures enforcement is refused.
        if isinstance(screening, Refused) and screening.reason == ENFORCEMENT_BIAS:
            return Refusal(screening.rule, shown, screening.message)
        slug = ""
        if _is_allowed(screening):
            slug = self._slug_for(screening.offence_class, entry, "") or ""
        elif isinstance(screening, NeedsReason):
            slug = entry.crime_type
        # Refused, or of another class than its code is mapped to: the call is a signal and no crime of that type.
        return Accepted(slug, code or shown)

    def _decide_gunfire(
        self, code: str, nibrs: str, ucr: str, description: str, entry: CodeEntry, shown: str
    ) -> Decision:
        words = f"{code} {description}".replace("_", " ")
        word = _NOT_GUNFIRE.search(words)
        if word:
            return Refusal(NOT_GUNFIRE_RULE, shown, f"Alert {shown!r} is {word[0]!r}, not gunfire.")
        gunfire = offence_class_of("gunfire")
        # Whatever a feed is called, a row that carries an offence is that offence: declared as alerts, a file of
        # drug arrests would otherwise be trained on as gunfire.
        national = screen_code(nibrs=nibrs, ucr=ucr) if nibrs or ucr else None
        if isinstance(national, Refused):
            return Refusal(national.rule, nibrs or ucr, national.message)
        if isinstance(national, Allowed) and national.offence_class is not gunfire:
            return Refusal(
                NOT_GUNFIRE_RULE,
                nibrs or ucr,
                f"Alert {shown!r} carries {national.code} ({national.offence_class.label}), not gunfire.",
            )
        hit = refused_word(words)
        if hit is not None and named_class(words) != "gunfire":
            message = f"Alert {shown!r} is not gunfire: {hit.word!r} is a word of {hit.family.label}."
            return Refusal(hit.family.rule, shown, message)
        slug = self._slug_for(gunfire, entry, "") if gunfire else None
        if not slug:
            return Rejection("unmapped_code", "code", shown)
        return Accepted(slug, code)

    def _slug_for(self, offence_class: OffenceClass, entry: CodeEntry, national: str) -> str | None:
        """The crime type meant by a class and code, or nothing where none or more than one can be meant."""
        declared = self.crime_types.get(entry.crime_type, "")
        if declared and offence_class_of(declared) is offence_class:
            return entry.crime_type
        exact = [slug for slug, own in self.crime_types.items() if national and tidy_code(own) == national]
        if len(exact) == 1:
            return exact[0]
        of_class = [slug for slug, own in self.crime_types.items() if offence_class_of(own) is offence_class]
        if len(of_class) != 1:
            return None
        own = tidy_code(self.crime_types[of_class[0]])
        # A crime type of one theft code (23C) must not swallow the other thefts.
        if national in offence_class.nibrs and own in offence_class.nibrs and own != national:
            return None
        return of_class[0]


def _is_allowed(screening: Allowed | Refused | NeedsReason) -> TypeGuard[Allowed]:
    return isinstance(screening, Allowed)
