"""Writing tactics: the catalogue, and what was done at a visit."""

from tactics.services.catalogue import StarterResult, starter_catalogue_create
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
    "is_tickable",
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
