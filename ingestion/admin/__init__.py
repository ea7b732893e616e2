"""Feeds, their imports and what could not be used, for an agency's administrator."""

from ingestion.admin import (
    agency_keys,
    census,
    code_changes,
    codes,
    dashboard,
    drops,
    feeds,
    layers,
    quarantine,
    retention,
    runs,
    setup,
    surroundings,
    tokens,
)

__all__ = [
    "agency_keys",
    "census",
    "code_changes",
    "codes",
    "dashboard",
    "drops",
    "feeds",
    "layers",
    "quarantine",
    "retention",
    "runs",
    "setup",
    "surroundings",
    "tokens",
]
