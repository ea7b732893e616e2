"""The agency administrator's work: who and where, before anything is imported, forecast or planned."""

from agencies.admin import (
    agency,
    audit,
    geography,
    offences,
    people,
    setup,
    shift_changes,
    shifts,
    sign_on,
    third_party,
)

__all__ = [
    "agency",
    "audit",
    "geography",
    "offences",
    "people",
    "setup",
    "shift_changes",
    "shifts",
    "sign_on",
    "third_party",
]
