"""Writing tactics: the catalogue, and what was done at a visit."""

from tactics.services.catalogue import StarterResult, starter_catalogue_create
from tactics.services.uses import is_tickable, tactic_use_record

__all__ = ["StarterResult", "is_tickable", "starter_catalogue_create", "tactic_use_record"]
