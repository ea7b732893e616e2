"""Feeds, their imports and what could not be used, for an agency's administrator."""

from ingestion.admin import codes, drops, feeds, layers, quarantine, retention, runs, setup, tokens

__all__ = ["codes", "drops", "feeds", "layers", "quarantine", "retention", "runs", "setup", "tokens"]
