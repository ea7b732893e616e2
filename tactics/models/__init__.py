"""Tactics, rules for them, how one is drawn, what was done, studies, and what people ask of the figures."""

from tactics.models.catalogue import PlaceKind, Strength, Tactic, TacticRule
from tactics.models.draws import DrawMethod, TacticDraw, TacticPolicy, TacticUpdate
from tactics.models.inquiries import Inquiry
from tactics.models.proposals import PolicyProposal
from tactics.models.studies import ImpactReport, ImpactStudy
from tactics.models.surroundings import PlaceLayer
from tactics.models.uses import TacticUse

__all__ = [
    "DrawMethod",
    "ImpactReport",
    "ImpactStudy",
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
