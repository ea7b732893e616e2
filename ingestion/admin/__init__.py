"""Feeds, their imports and what could not be used, for an agency's administrator."""

from ingestion.admin import census, codes, feeds, layers, quarantine, runs, setup, surroundings, tokens

__all__ = ["census", "codes", "feeds", "layers", "quarantine", "runs", "setup", "surroundings", "tokens"]
