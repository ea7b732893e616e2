"""Tactics, rules for them, and what was done."""

from tactics.models.catalogue import Tactic, TacticRule
from tactics.models.studies import ImpactReport, ImpactStudy
from tactics.models.uses import TacticUse

__all__ = ["ImpactReport", "ImpactStudy", "Tactic", "TacticRule", "TacticUse"]
