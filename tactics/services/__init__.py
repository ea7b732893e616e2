"""Writing tactics: catalogue, draws, what was done at a visit, studies, and what is asked of the figures and decided."""

from tactics.services.catalogue import StarterResult, starter_catalogue_create
from tactics.services.draws import plan_tactics_draw
from tactics.services.inquiries import inquiry_answer, inquiry_ask
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
from tactics.services.uses import is_tickable, tactic_use_record

__all__ = [
    "StarterResult",
    "impact_report_execute",
    "inquiry_answer",
    "inquiry_ask",
    "is_tickable",
    "plan_tactics_draw",
    "proposal_decide",
    "proposals_make",
    "report_cancel",
    "report_queue",
    "reports_due",
    "rolling_study_ensure",
    "starter_catalogue_create",
    "study_cancel",
    "study_change",
    "study_create",
    "study_freeze",
    "tactic_use_record",
]
