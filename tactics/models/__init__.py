"""Tactics and how one is drawn, what was done, notes and hunches, studies, reports, and what the public is told."""

from tactics.models.catalogue import PlaceKind, Strength, Tactic, TacticRule
from tactics.models.draws import DrawMethod, TacticDraw, TacticPolicy, TacticUpdate
from tactics.models.hunches import Hunch
from tactics.models.inquiries import Inquiry
from tactics.models.notes import OfficerAction, VisitNote
from tactics.models.proposals import PolicyProposal
from tactics.models.reports import ReportMail, ReportPolicy, SavedReport
from tactics.models.studies import ImpactReport, ImpactStudy
from tactics.models.surroundings import PlaceLayer
from tactics.models.training import OfficerPageSettings, PracticeShift
from tactics.models.transparency import (
    DemographicMeasure,
    ExposureFinding,
    TransparencyPack,
    TransparencyPolicy,
)
from tactics.models.uses import TacticUse

__all__ = [
    "DemographicMeasure",
    "DrawMethod",
    "ExposureFinding",
    "Hunch",
    "ImpactReport",
    "ImpactStudy",
    "Inquiry",
    "OfficerAction",
    "OfficerPageSettings",
    "PlaceKind",
    "PlaceLayer",
    "PolicyProposal",
    "PracticeShift",
    "ReportMail",
    "ReportPolicy",
    "SavedReport",
    "Strength",
    "Tactic",
    "TacticDraw",
    "TacticPolicy",
    "TacticRule",
    "TacticUpdate",
    "TacticUse",
    "TransparencyPack",
    "TransparencyPolicy",
    "VisitNote",
]
