"""Decide whether an offence may be forecast at all, and say why not.

Enforced where a crime type is saved, where a code is mapped, where a row is imported and at the
engine's entry. A national code (NIBRS, summary UCR, "FBI code") decides wherever there is one;
words are looked at only where there is none.
"""

from dataclasses import dataclass
from typing import Literal

from agencies.engine.offence_codes import (
    CLASS_BY_CODE,
    CLASS_BY_KEY,
    ENFORCEMENT_BIAS,
    NOT_FORECAST,
    OFFENCE_CLASSES,
    REFUSED_BY_CODE,
    OffenceClass,
    RefusedFamily,
    tidy_code,
)
from agencies.engine.offence_vocabulary import named_class, refused_word

__all__ = [
    "CODE_CONFLICT",
    "ENFORCEMENT_BIAS",
    "NOT_FORECAST",
    "OFFENCE_CLASSES",
    "Allowed",
    "NeedsReason",
    "OffenceClass",
    "Refused",
    "Screening",
    "offence_class_of",
    "screen_code",
]

RecordKind = Literal["", "incidents", "calls", "gunfire"]

CODE_CONFLICT = "the national code decides"
# A reason shorter than this is a keystroke and not a reason; the audit log must be able to show one.
MIN_WRITTEN_REASON_CHARACTERS = 10
_ALLOW_LIST = "homicide, aggravated assault, robbery, burglary, theft, motor vehicle theft and gunfire"


@dataclass(frozen=True)
class Allowed:
    """The offence may be forecast, as this class; ``code`` is the national code that decided, or empty."""

    offence_class: OffenceClass
    code: str = ""


@dataclass(frozen=True)
class Refused:
    """The offence is never forecast; ``reason`` is one of the two of the policy, ``rule`` a stable key."""

    rule: str
    message: str
    reason: str


@dataclass(frozen=True)
class NeedsReason:
    """Only words speak, and one of them is suspect: a person must write why this is forecastable."""

    word: str
    message: str
    offence_class: OffenceClass


Screening = Allowed | Refused | NeedsReason


def offence_class_of(code: str) -> OffenceClass | None:
    """The class of a NIBRS code, a summary-UCR code or a class key ("gunfire"); nothing if it is not on the list.

    >>> offence_class_of("04B").key, offence_class_of("220").key, offence_class_of("35A")
    ('aggravated_assault', 'burglary', None)
    """
    return CLASS_BY_KEY.get(code.strip().lower()) or CLASS_BY_CODE.get(tidy_code(code))


def _refusal(subject: str, family: RefusedFamily) -> Refused:
    return Refused(
        rule=family.rule,
        message=(
            f"{subject}: {family.label} are refused because they are {family.reason} (rule {family.rule}). "
            f"Only {_ALLOW_LIST} can be forecast; leave this code unmapped."
        ),
        reason=family.reason,
    )


def _screen_national_code(text: str, scheme: str) -> Allowed | Refused:
    code = tidy_code(text)
    allowed = offence_class_of(text)
    if allowed is not None:
        return Allowed(allowed, code)
    family = REFUSED_BY_CODE.get(code)
    if family is None and code.startswith("90"):
        family = RefusedFamily("group_b", "group B offences", ENFORCEMENT_BIAS)
    if family is not None:
        return _refusal(f"{scheme} code {code}", family)
    return Refused(
        rule="unknown_code",
        message=(
            f"{scheme} code {code[:20]!r} is in no national table that we know, and what is not on the list "
            f"is {NOT_FORECAST} (rule unknown_code). Correct the code, or unmap the column if it holds no "
            "NIBRS, UCR or FBI codes."
        ),
        reason=NOT_FORECAST,
    )


def _screen_words(
    *, code: str, description: str, written_reason: str, declared: OffenceClass | None, kind: RecordKind
) -> Screening:
    subject = (
        f"Code {code or '(none)'} ({description.strip()[:60]})" if description.strip() else f"Code {code}"
    )
    key = named_class(description)
    named = CLASS_BY_KEY[key] if key else None
    offence_class = declared or named
    hit = refused_word(description)
    if hit is not None:
        if named is None:
            return _refusal(f"{subject}, for the word {hit.word!r}", hit.family)
        if len(written_reason.strip()) >= MIN_WRITTEN_REASON_CHARACTERS:
            return Allowed(declared or named)
        return NeedsReason(
            word=hit.word,
            message=(
                f"{subject} names {named.label.lower()}, but also {hit.word!r}, a word of {hit.family.label} "
                f"({hit.family.reason}). If it is {named.label.lower()}, write why (at least "
                f"{MIN_WRITTEN_REASON_CHARACTERS} characters); the reason is kept in the audit log."
            ),
            offence_class=declared or named,
        )
    if kind == "incidents" and named is not None and named.sensor:
        return Refused(
            rule="weapon_law",
            message=(
                f"{subject}: gunfire is taken from sensor alerts and from calls for service about shots; as an "
                f"offence it is a weapon-law violation (520), {ENFORCEMENT_BIAS}. Load it as a calls or gunfire feed."
            ),
            reason=ENFORCEMENT_BIAS,
        )
    if offence_class is None:
        return Refused(
            rule="unknown_offence",
            message=(
                f"{subject}: neither a national code nor the description says what it is, and what is not one "
                f"of {_ALLOW_LIST} is {NOT_FORECAST} (rule unknown_offence). Map the column with the NIBRS, "
                "UCR or FBI code, or map this code to a crime type."
            ),
            reason=NOT_FORECAST,
        )
    return Allowed(offence_class)


def screen_code(
    *,
    code: str = "",
    nibrs: str = "",
    ucr: str = "",
    description: str = "",
    written_reason: str = "",
    declared: str = "",
    kind: RecordKind = "",
) -> Screening:
    """Say whether a code may be forecast: yes and as what, no and why, or "a person must write a reason".

    ``code`` is the agency's own; ``nibrs`` and ``ucr`` (summary UCR, "FBI code") are what its row or code
    table carries. ``declared`` is what a person chose: the NIBRS code or class key ("gunfire") of the crime
    type. ``kind`` is what the record is; empty where no record is at hand (a crime type is being saved).

    Rules, in order. (1) Any national code that is refused refuses, whatever else is said. (2) A national code that
    is allowed decides the class; NIBRS before UCR. Against a ``declared`` class that differs it is refused
    as ``code_conflict``. (3) Without national codes words decide: a suspect word beside a
    forecastable one needs a written reason; a suspect word alone is refused, with or without a reason,
    since a reason must not become a switch. (4) Words that say nothing take the declared class; with none
    declared they are refused as unknown. Gunfire comes from sensor alerts and calls for service only.

    >>> screen_code(ucr="18").reason
    'prone to enforcement bias'
    >>> screen_code(description="Robbery of a drug store").word
    'drug'
    """
    declared_class = offence_class_of(declared) if declared.strip() else None
    if declared.strip() and declared_class is None:
        return _screen_national_code(declared, "Crime type's")
    decided: Allowed | None = None
    for text, scheme in ((nibrs, "NIBRS"), (ucr, "FBI/UCR")):
        if not text.strip():
            continue
        outcome = _screen_national_code(text, scheme)
        if isinstance(outcome, Refused):
            return outcome
        decided = decided or outcome
    if decided is not None:
        if declared_class is not None and declared_class is not decided.offence_class:
            return Refused(
                rule="code_conflict",
                message=(
                    f"Code {code or decided.code} carries {decided.code} ({decided.offence_class.label}) but the crime type "
                    f"is {declared_class.label}; the national code decides. Map it to a crime type of "
                    f"{decided.offence_class.label.lower()}, or leave it unmapped."
                ),
                reason=CODE_CONFLICT,
            )
        return decided
    if kind == "gunfire":
        # An acoustic sensor knows no offence: whatever label its vendor gives, the alert is gunfire.
        return Allowed(CLASS_BY_KEY["gunfire"])
    return _screen_words(
        code=code.strip(),
        description=description,
        written_reason=written_reason,
        declared=declared_class,
        kind=kind,
    )
