"""Tactics, rules for them, what was done, and what officers write."""

from tactics.models.catalogue import Tactic, TacticRule
from tactics.models.hunches import Hunch
from tactics.models.notes import OfficerAction, VisitNote
from tactics.models.training import OfficerPageSettings, PracticeShift
from tactics.models.uses import TacticUse

__all__ = [
    "Hunch",
    "OfficerAction",
    "OfficerPageSettings",
    "PracticeShift",
    "Tactic",
    "TacticRule",
    "TacticUse",
    "VisitNote",
]
