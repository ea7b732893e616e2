"""Writing tactics: the catalogue, the draw of what is recommended, and what was done at a visit."""

from tactics.services.catalogue import StarterResult, starter_catalogue_create
from tactics.services.draws import plan_tactics_draw
from tactics.services.inquiries import inquiry_answer, inquiry_ask
from tactics.services.uses import is_tickable, tactic_use_record

__all__ = [
    "StarterResult",
    "inquiry_answer",
    "inquiry_ask",
    "is_tickable",
    "plan_tactics_draw",
    "starter_catalogue_create",
    "tactic_use_record",
]
