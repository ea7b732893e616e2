"""Writing tactics: the catalogue, what was done at a visit, what officers write and expect, and practice."""

from tactics.services.catalogue import StarterResult, starter_catalogue_create
from tactics.services.hunches import PERIOD_DAYS, hunch_answer, hunch_log
from tactics.services.notes import NOTE_MAX, TextRefused, text_about_a_place, visit_note_record
from tactics.services.practice import practice_apply, practice_start
from tactics.services.sync import Outcome, Press, actions_apply
from tactics.services.uses import is_tickable, tactic_use_record

__all__ = [
    "NOTE_MAX",
    "PERIOD_DAYS",
    "Outcome",
    "Press",
    "StarterResult",
    "TextRefused",
    "actions_apply",
    "hunch_answer",
    "hunch_log",
    "is_tickable",
    "practice_apply",
    "practice_start",
    "starter_catalogue_create",
    "tactic_use_record",
    "text_about_a_place",
    "visit_note_record",
]
