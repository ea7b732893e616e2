"""Writing tactics: the catalogue, what is drawn, what was done and noted, studies and their reports."""

from tactics.services.catalogue import StarterResult, rule_weight_set, starter_catalogue_create
from tactics.services.draws import plan_tactics_draw
from tactics.services.hunches import PERIOD_DAYS, hunch_answer, hunch_log
from tactics.services.inquiries import inquiry_answer, inquiry_ask
from tactics.services.notes import NOTE_MAX, TextRefused, text_about_a_place, visit_note_record
from tactics.services.practice import practice_apply, practice_start
from tactics.services.proposals import proposal_decide, proposals_make
from tactics.services.reports import impact_report_execute
from tactics.services.studies import (
    report_cancel,
    report_queue,
    reports_due,
    rolling_study_ensure,
    study_cancel,
    study_change,
    study_create,
    study_freeze,
)
from tactics.services.sync import Outcome, Press, actions_apply
from tactics.services.updates import tactic_update_make, tactic_updates_due
from tactics.services.uses import is_tickable, tactic_use_record

__all__ = [
    "NOTE_MAX",
    "Outcome",
    "PERIOD_DAYS",
    "Press",
    "StarterResult",
    "TextRefused",
    "actions_apply",
    "hunch_answer",
    "hunch_log",
    "impact_report_execute",
    "inquiry_answer",
    "inquiry_ask",
    "is_tickable",
    "plan_tactics_draw",
    "practice_apply",
    "practice_start",
    "proposal_decide",
    "proposals_make",
    "report_cancel",
    "report_queue",
    "reports_due",
    "rolling_study_ensure",
    "rule_weight_set",
    "starter_catalogue_create",
    "study_cancel",
    "study_change",
    "study_create",
    "study_freeze",
    "tactic_update_make",
    "tactic_updates_due",
    "tactic_use_record",
    "text_about_a_place",
    "visit_note_record",
]
