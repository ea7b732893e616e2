"""Writing tactics: the catalogue, what was done at a visit, what people ask of the figures and decide."""

from tactics.services.catalogue import StarterResult, starter_catalogue_create
from tactics.services.inquiries import choices_hash, inquiry_answer, inquiry_ask
from tactics.services.uses import is_tickable, tactic_use_record

__all__ = [
    "StarterResult",
    "choices_hash",
    "inquiry_answer",
    "inquiry_ask",
    "is_tickable",
    "starter_catalogue_create",
    "tactic_use_record",
]
