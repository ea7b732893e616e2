"""Feeds, their imports and what could not be used, for an agency's administrator."""

from ingestion.admin import codes, drops, feeds, layers, quarantine, runs, setup, tokens

__all__ = ["codes", "drops", "feeds", "layers", "quarantine", "runs", "setup", "tokens"]
