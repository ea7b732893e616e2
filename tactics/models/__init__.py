"""Tactics, rules for them, how one is drawn, and what was done."""

from tactics.models.catalogue import PlaceKind, Strength, Tactic, TacticRule
from tactics.models.draws import DrawMethod, TacticDraw, TacticPolicy, TacticUpdate
from tactics.models.inquiries import Inquiry
from tactics.models.proposals import PolicyProposal
from tactics.models.surroundings import PlaceLayer
from tactics.models.uses import TacticUse

__all__ = [
    "DrawMethod",
    "Inquiry",
    "PlaceKind",
    "PlaceLayer",
    "PolicyProposal",
    "Strength",
    "Tactic",
    "TacticDraw",
    "TacticPolicy",
    "TacticRule",
    "TacticUpdate",
    "TacticUse",
]
