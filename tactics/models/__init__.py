"""Tactics, rules for them, and what was done."""

from tactics.models.catalogue import Tactic, TacticRule
from tactics.models.uses import TacticUse

__all__ = ["Tactic", "TacticRule", "TacticUse"]
