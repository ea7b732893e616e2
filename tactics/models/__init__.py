"""Tactics, rules for them, what was done, and saved reports."""

from tactics.models.catalogue import Tactic, TacticRule
from tactics.models.reports import ReportMail, SavedReport
from tactics.models.uses import TacticUse

__all__ = ["ReportMail", "SavedReport", "Tactic", "TacticRule", "TacticUse"]
