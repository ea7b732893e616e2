"""Tactics, rules for them, what was done, and what people asked of the figures."""

from tactics.models.catalogue import Tactic, TacticRule
from tactics.models.inquiries import Inquiry
from tactics.models.proposals import PolicyProposal
from tactics.models.uses import TacticUse

__all__ = ["Inquiry", "PolicyProposal", "Tactic", "TacticRule", "TacticUse"]
